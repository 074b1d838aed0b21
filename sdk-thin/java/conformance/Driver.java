package io.tailslide.client;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/**
 * Does what the scenarios of tests/conformance/clients say, one JSON object a line, with the client as an application
 * uses it. In the client's package only for its JSON, since Java has none.
 */
public final class Driver {
    private static Tailslide client;
    private static String url;
    private static String token;

    /** What one question came to, of many that are asked at once. */
    private static final class Tally {
        final AtomicInteger calls = new AtomicInteger();
        final AtomicInteger raised = new AtomicInteger();
        final AtomicInteger mixed = new AtomicInteger();
        final AtomicInteger defaults = new AtomicInteger();
        final ConcurrentLinkedQueue<Double> ms = new ConcurrentLinkedQueue<>();
        final ConcurrentLinkedQueue<Long> answeredAt = new ConcurrentLinkedQueue<>();
        final ConcurrentLinkedQueue<Long> defaultsAt = new ConcurrentLinkedQueue<>();

        void ask(String flag, String key) {
            long began = System.nanoTime();
            calls.incrementAndGet();
            try {
                Tailslide.Evaluation evaluation = client.evaluate(flag, key, Map.of(), null);
                ms.add(since(began));
                if (evaluation.error == null) {
                    answeredAt.add(System.currentTimeMillis());
                    mixed.addAndGet(key.equals(evaluation.value) ? 0 : 1);
                } else {
                    defaultsAt.add(System.currentTimeMillis());
                    defaults.incrementAndGet();
                }
            } catch (RuntimeException e) {
                raised.incrementAndGet();
            }
        }

        List<Double> sortedMs() {
            List<Double> sorted = new ArrayList<>(ms);
            Collections.sort(sorted);
            return sorted;
        }
    }

    private Driver() {}

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            Map<String, Object> answer;
            try {
                answer = answer(Tailslide.Json.asMap(Tailslide.Json.read(line)));
            } catch (Throwable raised) {
                answer = Map.of("raised", raised.toString());
            }
            answers.println(Tailslide.Json.write(answer));
        }
        if (client != null) {
            client.close();
        }
    }

    private static Map<String, Object> answer(Map<String, Object> request) throws Exception {
        String flag = (String) request.get("flag");
        switch ((String) request.get("do")) {
            case "open":
                return open(request);
            case "is_active":
            case "variant":
            case "value":
            case "evaluate":
                return timed(() -> ask(request));
            case "success":
                return reported(request, client::success, client::success);
            case "failure":
                return reported(request, client::failure, client::failure);
            case "guard":
                return timed(() -> guard(request));
            case "flush":
                Object ms = request.get("timeout_ms");
                return timed(() -> ms == null ? client.flush() : client.flush(duration(ms)));
            case "stats":
                return Map.of("result", stats());
            case "proxy_url":
                return Map.of("result", client.proxyUrl((String) request.get("path")));
            case "proxied":
                return Map.of("result", proxied((String) request.get("url")));
            case "close":
                return without("result", timed(() -> {
                    client.close();
                    return null;
                }));
            case "load":
                return load(flag, number(request, "seconds"), number(request, "calls_per_s"), number(request, "workers"));
            case "crowd":
                return crowd(flag, (int) number(request, "workers"), (int) number(request, "calls"));
            case "overhead":
                return overhead(flag, (int) number(request, "calls"));
            default:
                return Map.of("unsupported", true);
        }
    }

    private static Map<String, Object> open(Map<String, Object> request) {
        if (client != null) {
            client.close();
        }
        Tailslide.Builder settings = Tailslide.builder();
        request.forEach((name, value) -> {
            switch (name) {
                case "url":
                    settings.url((String) value);
                    break;
                case "token":
                    settings.token((String) value);
                    break;
                case "proxy_url":
                    settings.proxyUrl((String) value);
                    break;
                case "timeout_ms":
                    settings.timeout(duration(value));
                    break;
                case "flush_interval_ms":
                    settings.flushInterval(duration(value));
                    break;
                case "max_outcomes":
                    settings.maxOutcomes(((Number) value).intValue());
                    break;
                default:
            }
        });
        client = settings.build();
        url = (String) request.get("url");
        token = (String) request.get("token");
        return Map.of();
    }

    @SuppressWarnings("unchecked")
    private static Object ask(Map<String, Object> request) {
        String flag = (String) request.get("flag");
        String key = (String) request.get("targeting_key");
        Map<String, Object> attributes = (Map<String, Object>) request.get("attributes");
        Object fallback = request.get("default");
        switch ((String) request.get("do")) {
            case "is_active":
                return client.isActive(flag, key, attributes, Boolean.TRUE.equals(fallback));
            case "variant":
                return client.variant(flag, key, attributes, (String) fallback);
            case "value":
                if (fallback instanceof Boolean) {
                    return client.value(flag, key, attributes, (boolean) fallback);
                } else if (fallback instanceof String) {
                    return client.value(flag, key, attributes, (String) fallback);
                } else if (fallback instanceof Long) {
                    return client.value(flag, key, attributes, (long) fallback);
                } else if (fallback instanceof Double) {
                    return client.value(flag, key, attributes, (double) fallback);
                } else if (fallback instanceof Map) {
                    return client.value(flag, key, attributes, (Map<String, Object>) fallback);
                }
                return client.evaluate(flag, key, attributes, fallback).value;
            default:
                return fields(client.evaluate(flag, key, attributes, fallback));
        }
    }

    private static Map<String, Object> fields(Tailslide.Evaluation evaluation) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("flag", evaluation.flag);
        fields.put("value", evaluation.value);
        fields.put("variant", evaluation.variant);
        fields.put("active", evaluation.active);
        fields.put("reason", evaluation.reason);
        fields.put("metadata", evaluation.metadata);
        fields.put("error", evaluation.error);
        fields.put("error_details", evaluation.errorDetails);
        return fields;
    }

    private interface Plain {
        void report(String flag);
    }

    private interface Measured {
        void report(String flag, Duration latency);
    }

    private static Map<String, Object> reported(Map<String, Object> request, Plain plain, Measured measured)
            throws Exception {
        String flag = (String) request.get("flag");
        Object ms = request.get("latency_ms");
        long times = ((Number) request.getOrDefault("times", 1L)).longValue();
        return without("result", timed(() -> {
            for (long time = 0; time < times; time++) {
                if (ms == null) {
                    plain.report(flag);
                } else {
                    measured.report(flag, duration(ms));
                }
            }
            return null;
        }));
    }

    private static String guard(Map<String, Object> request) {
        String flag = (String) request.get("flag");
        Object block = request.get("block");
        Tailslide.Block<String, IOException> body = () -> {
            if ("raises".equals(block)) {
                throw new IOException("as told");
            } else if ("sleeps".equals(block)) {
                pause(20_000_000);
            }
            return "result";
        };
        Object failure = request.get("failure");
        Predicate<Object> raising = subject -> {
            throw new IllegalStateException("as told");
        };
        try {
            String result;
            if (failure == null) {
                result = client.guard(flag, body);
            } else if ("raises".equals(failure)) {
                result = client.guard(flag, body, raising, raising);
            } else {
                result = client.guard(flag, body, "result"::equals, thrown -> !"no_exception".equals(failure));
            }
            return result.equals("result") ? "returned" : "changed";
        } catch (IOException e) {
            return "raised";
        }
    }

    private static Map<String, Object> stats() {
        Tailslide.Stats stats = client.stats();
        return Map.of(
                "questions", stats.questions,
                "defaults", stats.defaults,
                "outcomes_sent", stats.outcomesSent,
                "outcomes_dropped", stats.outcomesDropped,
                "outcomes_refused", stats.outcomesRefused,
                "outcomes_waiting", stats.outcomesWaiting);
    }

    private static Map<String, Object> proxied(String target) {
        try {
            HttpResponse<String> response = client.proxiedHttpClient()
                    .send(HttpRequest.newBuilder(URI.create(target)).build(), HttpResponse.BodyHandlers.ofString());
            return Map.of("status", response.statusCode(), "body", response.body());
        } catch (IOException | InterruptedException | IllegalArgumentException e) {
            return Map.of("error", e.toString());
        }
    }

    private static Map<String, Object> load(String flag, double seconds, double callsPerS, double workers)
            throws InterruptedException {
        Tally tally = new Tally();
        long began = System.nanoTime();
        long everyNs = (long) (1e9 * workers / callsPerS);
        atOnce((int) workers, worker -> {
            long dueNs = began + everyNs * worker / (int) workers;
            for (int call = 0; dueNs - began < seconds * 1e9; call++, dueNs += everyNs) {
                pause(dueNs - System.nanoTime());
                tally.ask(flag, "load-" + worker + "-" + call);
            }
        });
        return Map.of(
                "calls", tally.calls.get(),
                "raised", tally.raised.get(),
                "ms", tally.sortedMs(),
                "answered_at", tally.answeredAt,
                "defaults_at", tally.defaultsAt);
    }

    private static Map<String, Object> crowd(String flag, int workers, int calls) throws InterruptedException {
        int before = Thread.activeCount();
        Tally tally = new Tally();
        atOnce(workers, worker -> {
            for (int call = 0; call < calls; call++) {
                tally.ask(flag, "crowd-" + worker + "-" + call);
            }
        });
        long until = System.nanoTime() + 2_000_000_000L;
        while (Thread.activeCount() > before && System.nanoTime() < until) {
            pause(10_000_000);
        }
        return Map.of(
                "calls", tally.calls.get(),
                "raised", tally.raised.get(),
                "mixed", tally.mixed.get(),
                "defaults", tally.defaults.get(),
                "threads_left", Thread.activeCount() - before,
                "ms", tally.sortedMs());
    }

    private interface Work {
        void run(int worker);
    }

    private static void atOnce(int workers, Work work) throws InterruptedException {
        CountDownLatch start = new CountDownLatch(1);
        List<Thread> threads = new ArrayList<>();
        for (int worker = 0; worker < workers; worker++) {
            int number = worker;
            Thread thread = new Thread(() -> {
                try {
                    start.await();
                } catch (InterruptedException e) {
                    return;
                }
                work.run(number);
            });
            thread.start();
            threads.add(thread);
        }
        start.countDown();
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private static Map<String, Object> overhead(String flag, int calls) throws IOException {
        List<Double> bare = new ArrayList<>();
        List<Double> asked = new ArrayList<>();
        List<Double> outcome = new ArrayList<>();
        for (int call = 0; call < calls; call++) {
            long began = System.nanoTime();
            bareRequest(flag);
            bare.add(since(began) * 1000);
            began = System.nanoTime();
            client.isActive(flag, "user-42");
            asked.add(since(began) * 1000);
            began = System.nanoTime();
            client.success(flag);
            outcome.add(since(began) * 1000);
        }
        return Map.of("bare_us", bare, "ask_us", asked, "outcome_us", outcome);
    }

    private static void bareRequest(String flag) throws IOException {
        HttpURLConnection request = (HttpURLConnection)
                URI.create(url + "/ofrep/v1/evaluate/flags/" + flag).toURL().openConnection();
        request.setDoOutput(true);
        request.setRequestProperty("Content-Type", "application/json");
        if (token != null) {
            request.setRequestProperty("Authorization", "Bearer " + token);
        }
        try (OutputStream body = request.getOutputStream()) {
            body.write("{\"context\":{\"targetingKey\":\"user-42\"}}".getBytes(StandardCharsets.UTF_8));
        }
        request.getInputStream().readAllBytes();
    }

    private static Map<String, Object> timed(Callable<Object> call) throws Exception {
        Map<String, Object> answer = new LinkedHashMap<>();
        long began = System.nanoTime();
        Object result = call.call();
        answer.put("ms", since(began));
        answer.put("result", result);
        return answer;
    }

    private static Map<String, Object> without(String field, Map<String, Object> answer) {
        answer.remove(field);
        return answer;
    }

    private static double since(long beganNs) {
        return (System.nanoTime() - beganNs) / 1e6;
    }

    private static double number(Map<String, Object> request, String field) {
        return ((Number) request.get(field)).doubleValue();
    }

    private static Duration duration(Object ms) {
        return Duration.ofNanos((long) (((Number) ms).doubleValue() * 1e6));
    }

    private static void pause(long ns) {
        if (ns > 0) {
            try {
                Thread.sleep(ns / 1_000_000, (int) (ns % 1_000_000));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
