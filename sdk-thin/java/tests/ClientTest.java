package io.tailslide.client;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/** The client against a small fake sidecar, over real sockets. Run without arguments; ends with 1 if a test fails. */
public final class ClientTest {
    private static final Map<String, Object> NONE = Map.of();

    /** What the fake does with one request; returns whether it goes on with the connection. */
    private interface Behaviour {
        boolean answer(Request request, OutputStream out) throws Exception;
    }

    private static final class Request {
        String head;
        String body;

        String path() {
            return head.split(" ")[1];
        }

        List<Object> reports() {
            @SuppressWarnings("unchecked")
            List<Object> reports = (List<Object>) Tailslide.Json.read(body);
            return reports;
        }
    }

    /** A sidecar that behaves as told. */
    private static final class Fake implements AutoCloseable {
        volatile Behaviour behaviour;
        final List<Request> requests = new CopyOnWriteArrayList<>();
        final List<Socket> connections = new CopyOnWriteArrayList<>();
        final ServerSocket server;
        final Thread acceptor;

        Fake(Behaviour behaviour) throws IOException {
            this(behaviour, 0);
        }

        Fake(Behaviour behaviour, int port) throws IOException {
            this.behaviour = behaviour;
            server = new ServerSocket(port, 128, InetAddress.getByName("127.0.0.1"));
            acceptor = inBackground(() -> {
                while (true) {
                    Socket connection = server.accept();
                    connections.add(connection);
                    inBackground(() -> serve(connection));
                }
            });
        }

        private void serve(Socket connection) throws Exception {
            try (connection) {
                Request request = read(connection.getInputStream());
                while (request != null) {
                    requests.add(request);
                    if (!behaviour.answer(request, connection.getOutputStream())) {
                        return;
                    }
                    request = read(connection.getInputStream());
                }
            }
        }

        private static Request read(InputStream in) throws IOException {
            ByteArrayOutputStream head = new ByteArrayOutputStream();
            while (!head.toString(StandardCharsets.UTF_8).endsWith("\r\n\r\n")) {
                int octet = in.read();
                if (octet < 0) {
                    return null;
                }
                head.write(octet);
            }
            Request request = new Request();
            request.head = head.toString(StandardCharsets.UTF_8);
            String length = request.head.replaceAll("(?s).*Content-Length: (\\d+).*", "$1");
            request.body = new String(in.readNBytes(Integer.parseInt(length)), StandardCharsets.UTF_8);
            return request;
        }

        String url() {
            return "http://127.0.0.1:" + server.getLocalPort();
        }

        Tailslide client() {
            return settings().build();
        }

        Tailslide.Builder settings() {
            // Longer than the default, so that a busy machine fails no test that is not about the deadline.
            return Tailslide.builder().url(url()).timeout(Duration.ofSeconds(2)).flushInterval(Duration.ofMillis(10));
        }

        @Override
        public void close() throws IOException {
            server.close();
            // Until its last accept() has returned, the port still takes connections.
            until(() -> !acceptor.isAlive());
            for (Socket connection : connections) {
                connection.close();
            }
        }
    }

    private interface Task {
        void run() throws Exception;
    }

    private static Thread inBackground(Task task) {
        Thread thread = new Thread(() -> {
            try {
                task.run();
            } catch (Exception ended) {
                // The test has closed the socket, or the client has.
            }
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private static String http(int status, String json) {
        return "HTTP/1.1 " + status + " X\r\nContent-Length: " + json.getBytes(StandardCharsets.UTF_8).length + "\r\n\r\n" + json;
    }

    private static String answer(String value) {
        return "{\"key\":\"f\",\"value\":" + value + ",\"variant\":\"on\",\"reason\":\"STATIC\","
                + "\"metadata\":{\"active\":true,\"version\":3}}";
    }

    private static boolean send(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.UTF_8));
        out.flush();
        return true;
    }

    private static Behaviour value(String json) {
        return (request, out) -> send(out, http(200, answer(json)));
    }

    private static Behaviour raw(String text) {
        return (request, out) -> send(out, text);
    }

    private static void equal(Object actual, Object expected) {
        if (!String.valueOf(actual).equals(String.valueOf(expected))) {
            throw new AssertionError("expected " + expected + ", got " + actual);
        }
    }

    private static void until(BooleanSupplier condition) {
        long deadline = System.nanoTime() + 10_000_000_000L;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("waited for 10 s in vain");
            }
            Thread.onSpinWait();
            Thread.yield();
        }
    }

    private static String error(Tailslide client) {
        return client.evaluate("f", "user", NONE, false).error;
    }

    static void answerIsToldInFull() throws Exception {
        try (Fake fake = new Fake(value("true")); Tailslide client = fake.client()) {
            Tailslide.Evaluation evaluation = client.evaluate("f", "user-42", Map.of("country", "DE"), false);

            equal(evaluation, "f=true (STATIC)");
            equal(evaluation.active + " " + evaluation.variant + " " + evaluation.error, "true on null");
            equal(evaluation.metadata, "{active=true, version=3}");
            equal(client.isActive("f", "user-42"), true);
            equal(client.variant("f", "user-42", NONE, "off"), "on");
            equal(fake.connections.size(), 1);
            equal(fake.requests.get(0).path(), "/ofrep/v1/evaluate/flags/f");
            equal(fake.requests.get(0).body, "{\"context\":{\"country\":\"DE\",\"targetingKey\":\"user-42\"}}");
        }
    }

    static void requestIsWrittenSafely() throws Exception {
        try (Fake fake = new Fake(value("true")); Tailslide client = fake.settings().token("secret").build()) {
            Map<String, Object> attributes = new LinkedHashMap<>();
            attributes.put("targetingKey", "ignored");
            attributes.put("text", "\u00e9\ud83d\ude00\ud800\"\n");
            attributes.put("more", Arrays.asList(1, 2.5, null, List.of(true)));
            client.isActive("a/b \u00e9..", null, attributes);

            equal(fake.requests.get(0).path(), "/ofrep/v1/evaluate/flags/a%2Fb%20%C3%A9..");
            equal(fake.requests.get(0).head.contains("\r\nAuthorization: Bearer secret\r\n"), true);
            equal(fake.requests.get(0).body, "{\"context\":{\"text\":\"\u00e9\\ud83d\\ude00\\ud800\\\"\\u000a\","
                    + "\"more\":[1,2.5,null,[true]]}}");
        }
    }

    static void valueHasTheTypeOfItsDefault() throws Exception {
        try (Fake fake = new Fake(value("5.0")); Tailslide client = fake.client()) {
            equal(client.value("f", "u", NONE, 1), 5);
            equal(client.value("f", "u", NONE, 0.5), 5.0);
            equal(client.value("f", "u", NONE, "text"), "text");
            equal(client.value("f", "u", NONE, true), true);
            equal(client.evaluate("f", "u", NONE, "text").error, "TYPE_MISMATCH");
            equal(client.evaluate("f", "u", NONE, List.of()).error, "TYPE_MISMATCH");
            equal(client.evaluate("f", "u", NONE, null).value, 5.0);
            fake.behaviour = value("5.5");
            equal(client.value("f", "u", NONE, 1), 1);
            fake.behaviour = value("12345678901234567890");
            equal(client.value("f", "u", NONE, 1), 1);
            fake.behaviour = value("{\"a\":[1,null]}");
            equal(client.value("f", "u", NONE, NONE), "{a=[1, null]}");
            equal(client.stats().defaults, "{TYPE_MISMATCH=6}");
        }
    }

    static void errorsOfTheSidecarAreTold() throws Exception {
        try (Fake fake = new Fake(null); Tailslide client = fake.client()) {
            fake.behaviour = raw(http(404, "{\"key\":\"f\",\"errorCode\":\"FLAG_NOT_FOUND\",\"errorDetails\":\"none\"}"));
            equal(client.evaluate("f", "u", NONE, true), "f=true (ERROR, FLAG_NOT_FOUND)");
            equal(client.evaluate("f", "u", NONE, true).errorDetails, "none");
            fake.behaviour = raw(http(401, "no"));
            equal(client.evaluate("f", "u", NONE, true).errorDetails, "HTTP status 401");
            equal(client.evaluate("f", "u", NONE, true).error, "GENERAL");
            fake.behaviour = raw(http(400, "{\"errorCode\":\"SOMETHING_NEW\",\"errorDetails\":\"x\"}"));
            equal(client.evaluate("f", "u", NONE, true).errorDetails, "HTTP status 400: x");
            equal(error(client), "GENERAL");
            fake.behaviour = raw(http(400, "{\"errorCode\":null}"));
            equal(error(client), "GENERAL");
            fake.behaviour = raw(http(400, "{\"errorCode\":[1],\"errorDetails\":5}"));
            equal(client.evaluate("f", "u", NONE, true).errorDetails, "HTTP status 400: 5");
        }
    }

    static void nothingIsRaisedWhateverIsPassed() throws Exception {
        List<Object> cyclic = new ArrayList<>();
        cyclic.add(cyclic);
        try (Fake fake = new Fake(value("true")); Tailslide client = fake.client()) {
            for (Object attribute : new Object[] {Double.NaN, new Object(), cyclic, Map.of(1, 2)}) {
                equal(client.evaluate("f", "u", Map.of("a", attribute), false).error, "INVALID_CONTEXT");
            }
            equal(client.evaluate("f", "u", null, false).value, true);
            equal(client.evaluate(null, null, null, null).error, "FLAG_NOT_FOUND");
            client.success(null);
            equal(client.stats().outcomesRefused, 1);
            client.failure("f", Duration.ofSeconds(-1));
            client.failure("f", Duration.ofSeconds(Long.MAX_VALUE));
            equal(client.proxyUrl(null), "http://127.0.0.1:4140");
        }
    }

    static void settingsThatCannotBeRightAreRaised() {
        for (String url : new String[] {"https://x", "x:1", "http://", "http://a:99999", "unix:/x", "http://u@h:1", "http://h/p"}) {
            raises(Tailslide.builder().url(url));
        }
        raises(Tailslide.builder().token("a\r\nb"));
        raises(Tailslide.builder().timeout(Duration.ZERO));
        raises(Tailslide.builder().flushInterval(null));
        raises(Tailslide.builder().maxOutcomes(0));
        Tailslide.builder().url("http://[::1]:4141/").build().close();
    }

    private static void raises(Tailslide.Builder settings) {
        try {
            settings.build();
        } catch (IllegalArgumentException e) {
            return;
        }
        throw new AssertionError("a wrong setting was taken");
    }

    static void brokenAnswersAreTheDefault() throws Exception {
        Map<String, String> answers = new LinkedHashMap<>();
        answers.put("SSH-2.0-OpenSSH_9\r\n", "INVALID_RESPONSE");
        answers.put("HTTP/1.1 what\r\n\r\n", "INVALID_RESPONSE");
        answers.put(http(200, "not json"), "INVALID_RESPONSE");
        answers.put(http(200, "[1]"), "INVALID_RESPONSE");
        answers.put(http(200, "{\"value\":true}"), "INVALID_RESPONSE");
        answers.put(http(200, "[".repeat(100_000)), "INVALID_RESPONSE");
        answers.put("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n", "INVALID_RESPONSE");
        answers.put("HTTP/1.1 200 OK\r\n\r\n" + " ".repeat(1 << 20), "INVALID_RESPONSE");
        answers.put("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "INVALID_RESPONSE");
        answers.put("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "INVALID_RESPONSE");
        answers.put("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"value\"", "BROKEN");
        answers.put("HTTP/1.1 200", "BROKEN");
        answers.put("", "BROKEN");
        for (Map.Entry<String, String> answer : answers.entrySet()) {
            Behaviour once = (request, out) -> send(out, answer.getKey()) && false;
            try (Fake fake = new Fake(once); Tailslide client = fake.client()) {
                equal(error(client), answer.getValue());
                fake.behaviour = value("true");
                equal(error(client), null);
            }
        }
    }

    static void everyFramingIsRead() throws Exception {
        String json = answer("\"" + "x".repeat(10_000) + "\"");
        String half = json.substring(0, 5000);
        String chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388;a=b\r\n" + half + "\r\n"
                + Integer.toHexString(json.length() - 5000) + "\r\n" + json.substring(5000) + "\r\n0\r\nTrailer: x\r\n\r\n";
        try (Fake fake = new Fake(raw(chunked)); Tailslide client = fake.client()) {
            equal(error(client), "TYPE_MISMATCH");
            fake.behaviour = (request, out) -> {
                for (String piece : ("HTTP/1.1 100 Continue\r\n\r\n" + chunked).split("(?<=\r)")) {
                    send(out, piece);
                }
                return true;
            };
            equal(client.value("f", "u", NONE, "").length(), 10_000);
            equal(fake.connections.size(), 1);
            fake.behaviour = (request, out) -> send(out, "HTTP/1.0 200 OK\r\n\r\n" + json) && false;
            equal(client.value("f", "u", NONE, "").length(), 10_000);
            fake.behaviour = (request, out) -> send(out, http(200, json) + "more than was asked for");
            equal(client.value("f", "u", NONE, "").length(), 10_000);
            fake.behaviour = value("true");
            equal(error(client), null);
            equal(fake.connections.size(), 3);
        }
    }

    static void deadlineIsForTheWholeQuestion() throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        Behaviour silent = (request, out) -> {
            over.await();
            return false;
        };
        Behaviour trickle = (request, out) -> {
            for (char letter : http(200, answer("true")).toCharArray()) {
                send(out, String.valueOf(letter));
                Thread.sleep(20);
            }
            return true;
        };
        for (Behaviour behaviour : List.of(silent, trickle)) {
            try (Fake fake = new Fake(behaviour);
                    Tailslide client = fake.settings().timeout(Duration.ofMillis(100)).build()) {
                error(client);
                long began = System.nanoTime();
                equal(error(client), "TIMEOUT");
                long took = (System.nanoTime() - began) / 1_000_000;
                equal(took >= 99 && took < 400, true);
            }
        }
        // Nobody reads: the question is longer than what the sockets hold.
        try (ServerSocket deaf = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"));
                Tailslide client = Tailslide.builder().url("http://127.0.0.1:" + deaf.getLocalPort())
                        .timeout(Duration.ofMillis(100)).build()) {
            Map<String, Object> large = Map.of("text", "x".repeat(20_000_000));
            long began = System.nanoTime();
            equal(client.evaluate("f", "u", large, false).error, "TIMEOUT");
            equal((System.nanoTime() - began) / 1_000_000 < 2000, true);
        }
        over.countDown();
    }

    static void interruptedThreadAsksAllTheSame() throws Exception {
        try (Fake fake = new Fake(value("true")); Tailslide client = fake.client()) {
            Thread.currentThread().interrupt();
            equal(error(client), null);
            equal(Thread.interrupted(), true);
        }
    }

    static void restartedSidecarIsAskedAgain() throws Exception {
        Fake first = new Fake(value("true"));
        int port = first.server.getLocalPort();
        try (Tailslide client = first.client()) {
            equal(error(client), null);
            first.close();
            equal(error(client), "REFUSED");
            try (Fake second = new Fake(value("true"), port)) {
                equal(error(client), null);
                // One that ends kept connections only once it is asked.
                AtomicInteger asked = new AtomicInteger();
                second.behaviour = (request, out) -> asked.incrementAndGet() > 1 && send(out, http(200, answer("true")));
                equal(error(client), null);
                equal(asked.get(), 2);
            }
        }
    }

    static void sidecarThatFailsIsAskedFourTimesASecond() throws Exception {
        Fake fake = new Fake((request, out) -> false);
        try (fake; Tailslide client = fake.client()) {
            for (int question = 0; question < 5; question++) {
                equal(error(client), "BROKEN");
            }
            for (int question = 0; question < 100; question++) {
                equal(error(client), "PAUSED");
            }
            fake.behaviour = value("true");
            long began = System.nanoTime();
            until(() -> error(client) == null);
            equal((System.nanoTime() - began) / 1_000_000 < 600, true);
            equal(error(client), null);
            equal(fake.requests.size(), 7);
        }
    }

    static void manyThreadsGetTheirOwnAnswers() throws Exception {
        Behaviour echo = (request, out) -> send(out, http(200, answer(request.body.replaceAll(".*:(\".*?\").*", "$1"))));
        List<String> wrong = Collections.synchronizedList(new ArrayList<>());
        try (Fake fake = new Fake(echo); Tailslide client = fake.settings().timeout(Duration.ofSeconds(10)).build()) {
            List<Thread> threads = new ArrayList<>();
            for (int number = 0; number < 64; number++) {
                String name = "user-" + number;
                threads.add(new Thread(() -> {
                    for (int call = 0; call < 20; call++) {
                        String key = name + "-" + call;
                        String value = client.value("f", key, NONE, "default");
                        if (!value.equals(key)) {
                            wrong.add(key + " got " + value);
                        }
                        client.success("f");
                    }
                }));
            }
            threads.forEach(Thread::start);
            for (Thread thread : threads) {
                thread.join();
            }
            equal(wrong, "[]");
            until(() -> client.flush(Duration.ofSeconds(1)) && client.stats().outcomesWaiting == 0);
            equal(client.stats().outcomesSent, 64 * 20);
        }
    }

    static void outcomesAreSentTogether() throws Exception {
        try (Fake fake = new Fake(raw(http(202, "{}"))); Tailslide client = fake.settings().flushInterval(Duration.ofMinutes(1)).build()) {
            client.success("a", Duration.ofNanos(12_500_000));
            client.failure("b");
            client.success("a");
            equal(client.stats().outcomesWaiting, 3);
            equal(client.flush(), true);

            equal(fake.requests.get(0).path(), "/v1/flags/a/outcomes");
            equal(fake.requests.get(0).body.replaceAll("\\d{13}", "T"),
                    "[{\"outcome\":\"success\",\"began_ms\":T,\"latency_ms\":12.5},{\"outcome\":\"success\",\"began_ms\":T}]");
            equal(fake.requests.get(1).path() + " " + fake.requests.get(1).reports().size(), "/v1/flags/b/outcomes 1");
            equal(client.stats(), "questions=0 defaults={} sent=3 dropped=0 refused=0 waiting=0");
            for (int call = 0; call < 1000; call++) {
                client.success("a");
            }
            until(() -> client.stats().outcomesSent == 1003);
            equal(fake.requests.get(2).reports().size(), 1000);
        }
    }

    static void outcomesWaitForASidecarThatIsAway() throws Exception {
        Fake fake = new Fake(raw(http(500, "")));
        int port = fake.server.getLocalPort();
        try (Tailslide client = fake.settings().maxOutcomes(3).build()) {
            for (int call = 0; call < 5; call++) {
                client.failure("a");
            }
            until(() -> !fake.requests.isEmpty());
            equal(client.flush(), false);
            until(() -> client.stats().outcomesWaiting == 3);
            fake.close();
            equal(client.flush(), false);
            try (Fake back = new Fake(raw(http(202, "")), port)) {
                until(() -> client.stats().outcomesSent == 3);
                equal(client.stats().outcomesDropped, 2);
                back.behaviour = raw(http(404, ""));
                client.failure("a");
                until(() -> client.stats().outcomesRefused == 1);
            }
        }
    }

    static void outcomesOfAFlagWaitAsLongAsTheSidecarSays() throws Exception {
        Fake fake = new Fake(null);
        AtomicInteger ofA = new AtomicInteger();
        fake.behaviour = (request, out) -> request.path().contains("/a/") && ofA.incrementAndGet() == 1
                ? send(out, "HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
                : send(out, http(202, ""));
        try (fake; Tailslide client = fake.client()) {
            client.success("a");
            until(() -> ofA.get() == 1);
            long began = System.nanoTime();
            client.success("b");
            until(() -> client.stats().outcomesSent == 1);
            until(() -> client.stats().outcomesSent == 2);
            equal((System.nanoTime() - began) / 1_000_000 >= 900, true);
            equal(ofA.get(), 2);
        }
    }

    static void guardReportsAndPassesOn() throws Exception {
        List<String> outcomes = new CopyOnWriteArrayList<>();
        Behaviour note = (request, out) -> {
            for (Object report : request.reports()) {
                outcomes.add((String) Tailslide.Json.asMap(report).get("outcome"));
            }
            return send(out, http(202, ""));
        };
        IOException thrown = new IOException("the block's own");
        try (Fake fake = new Fake(note); Tailslide client = fake.settings().flushInterval(Duration.ofMinutes(1)).build()) {
            equal(client.guard("f", () -> 5), 5);
            equal(client.guard("f", () -> 5, result -> result == 5, error -> true), 5);
            equal(client.guard("f", () -> 5, result -> List.of().get(0) == null, error -> true), 5);
            try {
                client.guard("f", () -> {
                    throw thrown;
                });
            } catch (IOException e) {
                equal(e == thrown, true);
            }
            try {
                client.guard("f", () -> {
                    throw thrown;
                }, result -> false, error -> !(error instanceof IOException));
            } catch (IOException e) {
                equal(e == thrown, true);
            }
            equal(client.flush(), true);
            equal(outcomes, "[success, failure, success, failure, success]");
        }
    }

    static void closedClientGivesDefaults() throws Exception {
        try (Fake fake = new Fake(raw(http(202, "")))) {
            Tailslide client = fake.settings().flushInterval(Duration.ofMinutes(1)).build();
            client.success("f");
            client.close();
            client.close();
            client.success("f");
            equal(error(client), "CLOSED");
            equal(client.stats(), "questions=1 defaults={CLOSED=1} sent=1 dropped=1 refused=0 waiting=0");
        }
    }

    public static void main(String[] arguments) throws Exception {
        int failed = 0;
        int run = 0;
        for (java.lang.reflect.Method test : ClientTest.class.getDeclaredMethods()) {
            boolean isTest = test.getParameterCount() == 0 && test.getReturnType() == void.class && !test.isSynthetic();
            if (!isTest) {
                continue;
            }
            run++;
            try {
                test.invoke(null);
            } catch (java.lang.reflect.InvocationTargetException e) {
                failed++;
                System.err.println("FAILED " + test.getName());
                e.getCause().printStackTrace();
            }
        }
        System.out.println(run + " tests, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
