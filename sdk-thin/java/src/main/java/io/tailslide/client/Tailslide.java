package io.tailslide.client;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.System.Logger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.StandardSocketOptions;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A client of the Tailslide sidecar: asks it about flags, and reports how calls ended.
 *
 * <p>One client serves a whole program, from any number of threads. No method throws, whatever is passed and whatever
 * the sidecar answers, and no question takes longer than {@link Builder#timeout}: the caller gets its default instead.
 * Only {@link Builder#build} throws, for settings that cannot be right, and {@link #guard} what its block throws.
 *
 * <pre>{@code
 * Tailslide flags = new Tailslide();
 * if (flags.isActive("new-checkout", "user-42", Map.of("country", "DE"))) {
 *     order = flags.guard("new-checkout", () -> newCheckout(cart));
 * }
 * }</pre>
 */
public final class Tailslide implements AutoCloseable {
    private static final int MAX_ANSWER_BYTES = 1 << 20;
    private static final int MAX_KEPT_CONNECTIONS = 16;
    private static final int MAX_BATCH = 1000;
    private static final int TROUBLES_BEFORE_A_PAUSE = 5;
    private static final long PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(250);
    private static final Duration LONGEST_LATENCY = Duration.ofDays(1);
    private static final Duration OUTCOME_LIFE = Duration.ofSeconds(10);
    private static final long SEND_TIMEOUT_NS = TimeUnit.SECONDS.toNanos(1);
    private static final long LOG_EVERY_NS = TimeUnit.MINUTES.toNanos(1);
    private static final Set<String> SIDECAR_ERRORS =
            Set.of("FLAG_NOT_FOUND", "TARGETING_KEY_MISSING", "PARSE_ERROR", "INVALID_CONTEXT");
    private static final Logger LOGGER = System.getLogger("io.tailslide.client");

    private final Address sidecar;
    private final Address proxy;
    private final String headers;
    private final long timeoutNs;
    private final long flushIntervalNs;
    private final int maxOutcomes;
    private final Warnings questionWarnings = new Warnings("%d questions got their defaults; the latest: %s");
    private final Warnings outcomeWarnings = new Warnings("%d outcomes could not be sent; the latest: %s");
    /** Looks up names and writes the log, which have no deadline of their own. */
    private final ExecutorService aside = new ThreadPoolExecutor(
            0, Integer.MAX_VALUE, 1, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> daemon("tailslide-aside", task));
    private final Thread hook = new Thread(this::close, "tailslide-close");
    private volatile boolean closed;

    /** Held by the thread that sends outcomes; guards the times before which a flag's outcomes are not sent. */
    private final ReentrantLock sending = new ReentrantLock();
    private final Map<String, Long> notBeforeNs = new HashMap<>();

    /** Guards all that follows. */
    private final Object lock = new Object();
    private final ArrayDeque<Connection> kept = new ArrayDeque<>();
    private final ArrayDeque<Connection> keptForOutcomes = new ArrayDeque<>();
    private final Map<String, Long> defaults = new TreeMap<>();
    private final ArrayDeque<Outcome> waiting = new ArrayDeque<>();
    private int inFlight;
    private long questions;
    private long sent;
    private long dropped;
    private long refused;
    /** Questions in a row that got no answer, and when the next may be asked after too many of them. */
    private int troubles;
    private long askAgainNs;
    private Thread sender;
    private HttpClient proxied;

    /** Makes a client with the settings of the environment, or the defaults. */
    public Tailslide() {
        this(builder());
    }

    private Tailslide(Builder settings) {
        sidecar = new Address("url", settings.url);
        proxy = new Address("proxyUrl", settings.proxyUrl);
        String token = settings.token;
        if (token != null && !token.matches("[!-~]+")) {
            throw new IllegalArgumentException("token: expected printable ASCII without spaces");
        }
        headers = "Host: " + sidecar.authority + "\r\nContent-Type: application/json\r\n"
                + (token == null ? "" : "Authorization: Bearer " + token + "\r\n");
        timeoutNs = positive("timeout", settings.timeout);
        flushIntervalNs = positive("flushInterval", settings.flushInterval);
        maxOutcomes = settings.maxOutcomes;
        if (maxOutcomes < 1) {
            throw new IllegalArgumentException("maxOutcomes: expected at least 1, got " + maxOutcomes);
        }
        warmUp();
    }

    /**
     * Does what a question does, but for the network. Java loads the classes here, which takes longer than the first
     * question may.
     */
    private void warmUp() {
        String answer = "{\"value\":1,\"variant\":\"on\",\"reason\":\"STATIC\",\"metadata\":{\"active\":true}}";
        try (SocketChannel channel = SocketChannel.open(); Selector selector = Selector.open()) {
            channel.configureBlocking(false).register(selector, 0);
            request(encoded("flag"), question("user-42", Map.of("country", "DE")));
            byte[] body = answer.getBytes(StandardCharsets.UTF_8);
            typed(ofrepAnswer(new Response(200, Map.of(), body, true).json()).get("value"), Double.class);
        } catch (IOException | Trouble notNow) {
            // The first question will tell.
        }
    }

    /** Returns the settings to make a client with. */
    public static Builder builder() {
        return new Builder();
    }

    // Questions

    /** As {@link #isActive(String, String, Map, boolean)}, without attributes and with the default false. */
    public boolean isActive(String flag, String targetingKey) {
        return isActive(flag, targetingKey, Map.of(), false);
    }

    /** As {@link #isActive(String, String, Map, boolean)}, with the default false. */
    public boolean isActive(String flag, String targetingKey, Map<String, ?> attributes) {
        return isActive(flag, targetingKey, attributes, false);
    }

    /**
     * Returns whether the user gets another variant than the flag's off variant.
     *
     * @param targetingKey whom the flag is asked for; null for nobody in particular
     * @param attributes strings, numbers, booleans, lists and maps of them; null for none
     * @param fallback what is returned where the sidecar does not answer
     */
    public boolean isActive(String flag, String targetingKey, Map<String, ?> attributes, boolean fallback) {
        return ask(flag, targetingKey, attributes, fallback, Object.class).active;
    }

    /** Returns the key of the user's variant; parameters as in {@link #isActive(String, String, Map, boolean)}. */
    public String variant(String flag, String targetingKey, Map<String, ?> attributes, String fallback) {
        Evaluation evaluation = ask(flag, targetingKey, attributes, fallback, Object.class);
        return evaluation.error == null ? evaluation.variant : fallback;
    }

    /** Returns the value of a boolean flag; parameters as in {@link #isActive(String, String, Map, boolean)}. */
    public boolean value(String flag, String targetingKey, Map<String, ?> attributes, boolean fallback) {
        return (Boolean) ask(flag, targetingKey, attributes, fallback, Boolean.class).value;
    }

    /** Returns the value of a string flag; parameters as in {@link #isActive(String, String, Map, boolean)}. */
    public String value(String flag, String targetingKey, Map<String, ?> attributes, String fallback) {
        return (String) ask(flag, targetingKey, attributes, fallback, String.class).value;
    }

    /** Returns the value of a number flag if it has no fraction (5, 5.0), else {@code fallback}. */
    public long value(String flag, String targetingKey, Map<String, ?> attributes, long fallback) {
        return (Long) ask(flag, targetingKey, attributes, fallback, Long.class).value;
    }

    /** Returns the value of a number flag; parameters as in {@link #isActive(String, String, Map, boolean)}. */
    public double value(String flag, String targetingKey, Map<String, ?> attributes, double fallback) {
        return (Double) ask(flag, targetingKey, attributes, fallback, Double.class).value;
    }

    /** Returns the value of an object flag; parameters as in {@link #isActive(String, String, Map, boolean)}. */
    @SuppressWarnings("unchecked")
    public Map<String, Object> value(
            String flag, String targetingKey, Map<String, ?> attributes, Map<String, Object> fallback) {
        return (Map<String, Object>) ask(flag, targetingKey, attributes, fallback, Map.class).value;
    }

    /**
     * Returns all that the sidecar says; parameters as in {@link #isActive(String, String, Map, boolean)}.
     *
     * @param fallback whose type the value has to have; null takes any
     */
    public Evaluation evaluate(String flag, String targetingKey, Map<String, ?> attributes, Object fallback) {
        return ask(flag, targetingKey, attributes, fallback, typeOf(fallback));
    }

    private Evaluation ask(String flag, String targetingKey, Map<String, ?> attributes, Object fallback, Class<?> type) {
        long deadlineNs = System.nanoTime() + timeoutNs;
        synchronized (lock) {
            questions++;
        }
        try {
            if (closed) {
                throw new Trouble("CLOSED", "the client has been closed");
            }
            if (flag == null || flag.isEmpty()) {
                throw new Trouble("FLAG_NOT_FOUND", "no key of a flag was given");
            }
            Map<String, Object> answer = answer(
                    request("/ofrep/v1/evaluate/flags/" + encoded(flag), question(targetingKey, attributes)), deadlineNs);
            Map<String, Object> metadata = Json.asMap(answer.getOrDefault("metadata", Map.of()));
            return new Evaluation(
                    flag, typed(answer.get("value"), type), (String) answer.get("variant"),
                    Boolean.TRUE.equals(metadata.getOrDefault("active", fallback)), (String) answer.get("reason"),
                    metadata, null);
        } catch (Trouble | RuntimeException e) {
            Trouble trouble =
                    e instanceof Trouble ? (Trouble) e : new Trouble("GENERAL", e.toString(), e.getClass().getName());
            synchronized (lock) {
                defaults.merge(trouble.error, 1L, Long::sum);
            }
            questionWarnings.add(1, trouble.loggable);
            return new Evaluation(flag, fallback, null, Boolean.TRUE.equals(fallback), "ERROR", Map.of(), trouble);
        }
    }

    private static String question(String targetingKey, Map<String, ?> attributes) throws Trouble {
        try {
            Map<String, Object> context = new LinkedHashMap<>(attributes == null ? Map.of() : attributes);
            context.remove("targetingKey");
            if (targetingKey != null) {
                context.put("targetingKey", targetingKey);
            }
            return Json.write(Map.of("context", context));
        } catch (RuntimeException notJson) {
            // Whatever a map of the caller's may throw as well.
            String details = "the attributes cannot be written as JSON: " + notJson.getMessage();
            throw new Trouble("INVALID_CONTEXT", details, "");
        }
    }

    /** Asks, unless the sidecar has just failed several times, and keeps count of that. */
    private Map<String, Object> answer(byte[] request, long deadlineNs) throws Trouble {
        synchronized (lock) {
            if (troubles >= TROUBLES_BEFORE_A_PAUSE) {
                if (System.nanoTime() - askAgainNs < 0) {
                    throw new Trouble("PAUSED", "not asked, because the sidecar has just failed several times");
                }
                askAgainNs = System.nanoTime() + PAUSE_NS;
            }
        }
        Response response;
        Map<String, Object> answer = null;
        try {
            response = post(kept, request, deadlineNs);
            if (response.status == 200) {
                answer = ofrepAnswer(response.json());
            }
        } catch (Trouble trouble) {
            synchronized (lock) {
                if (++troubles == TROUBLES_BEFORE_A_PAUSE) {
                    askAgainNs = System.nanoTime() + PAUSE_NS;
                }
            }
            throw trouble;
        }
        synchronized (lock) {
            troubles = 0;
        }
        if (answer == null) {
            throw sidecarError(response);
        }
        return answer;
    }

    private static Map<String, Object> ofrepAnswer(Map<String, Object> answer) throws Trouble {
        if (answer.get("value") == null
                || !(answer.get("variant") instanceof String)
                || !(answer.get("reason") instanceof String)
                || !(answer.getOrDefault("metadata", Map.of()) instanceof Map)) {
            throw invalid("expected value, variant, reason and metadata");
        }
        return answer;
    }

    private static Trouble sidecarError(Response response) {
        String status = "HTTP status " + response.status;
        try {
            Map<String, Object> answer = response.json();
            Object code = answer.get("errorCode");
            String details = String.valueOf(answer.getOrDefault("errorDetails", ""));
            return code instanceof String && SIDECAR_ERRORS.contains(code)
                    ? new Trouble((String) code, details, "")
                    : new Trouble("GENERAL", details.isEmpty() ? status : status + ": " + details, status);
        } catch (Trouble notJson) {
            return new Trouble("GENERAL", status);
        }
    }

    private static Class<?> typeOf(Object fallback) {
        if (fallback instanceof Number) {
            return fallback instanceof Integer || fallback instanceof Long ? Long.class : Double.class;
        } else if (fallback instanceof Map) {
            return Map.class;
        }
        return fallback == null ? Object.class : fallback.getClass();
    }

    /** Returns the value as that type. */
    private static Object typed(Object value, Class<?> type) throws Trouble {
        if (type == Double.class && value instanceof Long) {
            return ((Long) value).doubleValue();
        } else if (type == Long.class && value instanceof Double) {
            double number = (Double) value;
            if (number == Math.rint(number) && Math.abs(number) < 0x1p63) {
                return (long) number;
            }
        }
        if (!type.isInstance(value)) {
            throw new Trouble("TYPE_MISMATCH", "the value is of another type than the default");
        }
        return value;
    }

    // Outcomes

    /** Reports a call that went well; returns at once. */
    public void success(String flag) {
        report(flag, "success", null);
    }

    /** Reports a call that went well, and how long it took; returns at once. */
    public void success(String flag, Duration latency) {
        report(flag, "success", latency);
    }

    /** Reports a call that failed; returns at once. */
    public void failure(String flag) {
        report(flag, "failure", null);
    }

    /** Reports a call that failed, and how long it took; returns at once. */
    public void failure(String flag, Duration latency) {
        report(flag, "failure", latency);
    }

    /**
     * Runs the block, measures it, and reports a success if it returns and a failure if it throws. What it returns or
     * throws goes on to the caller.
     */
    public <T, E extends Exception> T guard(String flag, Block<T, E> block) throws E {
        return guard(flag, block, result -> false, thrown -> true);
    }

    /**
     * As {@link #guard(String, Block)}, where the caller says what is a failure. A predicate that throws says it is none.
     *
     * @param failedResult whether a result of the block is a failure
     * @param failedThrowable whether what the block has thrown is a failure
     */
    public <T, E extends Exception> T guard(
            String flag, Block<T, E> block, Predicate<? super T> failedResult, Predicate<? super Throwable> failedThrowable)
            throws E {
        long began = System.nanoTime();
        boolean failed = false;
        try {
            T result = block.run();
            failed = holds(failedResult, result);
            return result;
        } catch (Throwable thrown) {
            failed = holds(failedThrowable, thrown);
            throw thrown;
        } finally {
            report(flag, failed ? "failure" : "success", Duration.ofNanos(System.nanoTime() - began));
        }
    }

    private static <T> boolean holds(Predicate<? super T> predicate, T subject) {
        try {
            return predicate.test(subject);
        } catch (Throwable ours) {
            return false;
        }
    }

    private void report(String flag, String outcome, Duration latency) {
        boolean known = latency != null && !latency.isNegative() && latency.compareTo(LONGEST_LATENCY) <= 0;
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("outcome", outcome);
        report.put("began_ms", System.currentTimeMillis() - (known ? latency.toMillis() : 0));
        if (known) {
            report.put("latency_ms", latency.toNanos() / 1000 / 1000.0);
        }
        synchronized (lock) {
            if (flag == null || flag.isEmpty()) {
                refused++;
            } else if (closed) {
                dropped++;
            } else {
                if (waiting.size() + inFlight >= maxOutcomes) {
                    dropped++;
                    outcomeWarnings.add(1, "maxOutcomes were waiting already");
                    if (waiting.poll() == null) {
                        return; // All that may wait is being sent.
                    }
                }
                waiting.add(new Outcome(flag, report));
                startSending();
                if (waiting.size() == 1 || waiting.size() == MAX_BATCH) {
                    lock.notifyAll();
                }
            }
        }
    }

    private void startSending() {
        if (sender != null) {
            return;
        }
        sender = daemon("tailslide-outcomes", this::sendUntilClosed);
        sender.start();
        try {
            Runtime.getRuntime().addShutdownHook(hook);
        } catch (IllegalStateException alreadyShuttingDown) {
            // These outcomes may still be sent, by the thread.
        }
    }

    /** Sends after the interval, and sooner where a whole batch waits and the last flush went well. */
    private void sendUntilClosed() {
        boolean allSent = true;
        try {
            while (!closed) {
                synchronized (lock) {
                    while (!closed && waiting.isEmpty()) {
                        lock.wait();
                    }
                    long dueNs = System.nanoTime() + flushIntervalNs;
                    while (!closed && System.nanoTime() - dueNs < 0 && !(allSent && waiting.size() >= MAX_BATCH)) {
                        TimeUnit.NANOSECONDS.timedWait(lock, dueNs - System.nanoTime());
                    }
                }
                allSent = closed || flush(OUTCOME_LIFE);
            }
        } catch (InterruptedException nobodyElseHasThisThread) {
            Thread.currentThread().interrupt();
        }
    }

    /** As {@link #flush(Duration)}, for at most a second. */
    public boolean flush() {
        return flush(Duration.ofSeconds(1));
    }

    /** Sends the outcomes that wait, for at most this long, and returns whether all of them were sent. */
    public boolean flush(Duration timeout) {
        long deadlineNs = System.nanoTime() + nanos(timeout);
        try {
            // An interrupted thread, too, may send if nobody else does.
            if (!sending.tryLock() && !sending.tryLock(nanos(timeout), TimeUnit.NANOSECONDS)) {
                return false;
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return false;
        }
        try {
            return send(deadlineNs);
        } finally {
            sending.unlock();
        }
    }

    private boolean send(long deadlineNs) {
        notBeforeNs.values().removeIf(timeNs -> timeNs - System.nanoTime() <= 0);
        Set<String> later = new HashSet<>(notBeforeNs.keySet());
        long lostBefore = lost();
        for (List<Outcome> batch = take(later); !batch.isEmpty(); batch = take(later)) {
            String flag = batch.get(0).flag;
            int status = 0;
            String trouble;
            try {
                String reports = Json.write(batch.stream().map(outcome -> outcome.report).collect(Collectors.toList()));
                long now = System.nanoTime();
                Response response = post(
                        keptForOutcomes,
                        request("/v1/flags/" + encoded(flag) + "/outcomes", reports),
                        now + Math.min(deadlineNs - now, SEND_TIMEOUT_NS));
                status = response.status;
                trouble = "HTTP status " + status;
                if (status == 429) {
                    notBeforeNs.put(flag, System.nanoTime() + response.retryAfterNs());
                }
            } catch (Trouble unsent) {
                trouble = unsent.loggable;
            }
            settle(batch, status);
            if (status == 0 || status >= 300) {
                outcomeWarnings.add(batch.size(), trouble);
                later.add(flag);
            }
            if (status == 0) {
                return false; // The other flags would only wait as long.
            }
        }
        synchronized (lock) {
            return lostBefore == lost() && waiting.stream().noneMatch(outcome -> later.contains(outcome.flag));
        }
    }

    private long lost() {
        synchronized (lock) {
            return dropped + refused;
        }
    }

    /** Takes the oldest outcomes of one flag out of the buffer, but of none of these. */
    private List<Outcome> take(Set<String> later) {
        List<Outcome> batch = new ArrayList<>();
        synchronized (lock) {
            long oldestNs = System.nanoTime() - OUTCOME_LIFE.toNanos();
            int before = waiting.size();
            waiting.removeIf(outcome -> outcome.reportedNs - oldestNs < 0);
            dropped += before - waiting.size();
            waiting.removeIf(outcome -> {
                boolean taken = batch.isEmpty()
                        ? !later.contains(outcome.flag)
                        : batch.size() < MAX_BATCH && outcome.flag.equals(batch.get(0).flag);
                return taken && batch.add(outcome);
            });
            inFlight = batch.size();
        }
        return batch;
    }

    /** Counts a batch, or puts it back if it is to be sent again; status 0 is none. */
    private void settle(List<Outcome> batch, int status) {
        synchronized (lock) {
            inFlight = 0;
            if (status == 0 || status == 429 || status >= 500) {
                Collections.reverse(batch);
                batch.forEach(waiting::addFirst);
                lock.notifyAll();
            } else if (status < 300) {
                sent += batch.size();
            } else {
                refused += batch.size();
            }
        }
    }

    /** Sends what waits, for at most a second, and ends the background work. Questions get their defaults from now on. */
    @Override
    public void close() {
        synchronized (lock) {
            if (closed) {
                return;
            }
            closed = true;
            lock.notifyAll();
        }
        flush();
        synchronized (lock) {
            dropped += waiting.size();
            waiting.clear();
            for (Deque<Connection> idle : List.of(kept, keptForOutcomes)) {
                idle.forEach(Connection::close);
                idle.clear();
            }
        }
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException alreadyShuttingDown) {
            // The hook has called this, or will find the client closed.
        }
    }

    // What it says of itself

    /** Returns the counts since the client was made. */
    public Stats stats() {
        synchronized (lock) {
            return new Stats(questions, new TreeMap<>(defaults), sent, dropped, refused, waiting.size() + inFlight);
        }
    }

    /** Warns in the log, at most once a minute. */
    private final class Warnings {
        private final String format;
        private long count;
        private long nextNs = System.nanoTime();

        Warnings(String format) {
            this.format = format;
        }

        synchronized void add(long more, String latest) {
            count += more;
            if (System.nanoTime() - nextNs >= 0) {
                String line = String.format(format, count, latest);
                count = 0;
                nextNs = System.nanoTime() + LOG_EVERY_NS;
                aside.execute(() -> LOGGER.log(Logger.Level.WARNING, line));
            }
        }
    }

    // Calls through the proxy

    /** Returns the URL of the sidecar's proxy. */
    public String proxyUrl() {
        return proxyUrl("");
    }

    /** Returns the URL of a path at the sidecar's proxy. */
    public String proxyUrl(String path) {
        String rest = path == null ? "" : path;
        return "http://" + proxy.authority + (rest.isEmpty() || rest.startsWith("/") ? "" : "/") + rest;
    }

    /** Returns an HTTP client that sends its calls through the sidecar's proxy. Its errors are its own. */
    public HttpClient proxiedHttpClient() {
        synchronized (lock) {
            if (proxied == null) {
                proxied = HttpClient.newBuilder()
                        .version(HttpClient.Version.HTTP_1_1)
                        .proxy(ProxySelector.of(InetSocketAddress.createUnresolved(proxy.host, proxy.port)))
                        .build();
            }
            return proxied;
        }
    }

    // HTTP

    private byte[] request(String path, String json) {
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        String head = "POST " + path + " HTTP/1.1\r\n" + headers + "Content-Length: " + body.length + "\r\n\r\n";
        return ByteBuffer.allocate(head.length() + body.length)
                .put(head.getBytes(StandardCharsets.US_ASCII)).put(body).array();
    }

    /** Returns the flag's key as one segment of a path. */
    private static String encoded(String flag) {
        return URLEncoder.encode(flag, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** Sends a request, and once more if a kept connection ends before the first byte of its answer. */
    private Response post(Deque<Connection> idle, byte[] request, long deadlineNs) throws Trouble {
        // An interrupt closes the channel that its thread uses. One from before the question is the caller's affair.
        boolean interrupted = Thread.interrupted();
        try {
            Connection old = keptConnection(idle);
            if (old != null) {
                try {
                    return exchange(old, idle, request, deadlineNs);
                } catch (Trouble trouble) {
                    if (old.received > 0 || !trouble.error.equals("BROKEN")) {
                        throw trouble;
                    }
                }
            }
            return exchange(connect(deadlineNs), idle, request, deadlineNs);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private Connection keptConnection(Deque<Connection> idle) {
        synchronized (lock) {
            Connection connection = idle.pollLast();
            while (connection != null && !connection.isIdle()) {
                connection.close();
                connection = idle.pollLast();
            }
            return connection;
        }
    }

    private Response exchange(Connection connection, Deque<Connection> idle, byte[] request, long deadlineNs)
            throws Trouble {
        boolean keep = false;
        try {
            Response response = connection.exchange(request, deadlineNs);
            synchronized (lock) {
                keep = response.keepsConnection && !closed && idle.size() < MAX_KEPT_CONNECTIONS && idle.add(connection);
            }
            return response;
        } finally {
            if (!keep) {
                connection.close();
            }
        }
    }

    private Connection connect(long deadlineNs) throws Trouble {
        String refusal = "";
        for (InetAddress address : addresses(deadlineNs)) {
            try {
                return new Connection(new InetSocketAddress(address, sidecar.port), deadlineNs);
            } catch (IOException e) {
                refusal = e.getMessage();
            }
        }
        throw new Trouble("REFUSED", "could not connect to " + sidecar.authority + ": " + refusal);
    }

    private InetAddress[] addresses(long deadlineNs) throws Trouble {
        try {
            return aside.submit(() -> InetAddress.getAllByName(sidecar.host))
                    .get(deadlineNs - System.nanoTime(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new Trouble("TIMEOUT", "timed out looking up " + sidecar.host);
        } catch (ExecutionException e) {
            throw new Trouble("REFUSED", "unknown host " + sidecar.host);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Trouble("BROKEN", "interrupted");
        }
    }

    /** A connection for one exchange at a time. Its channel never blocks, so that a deadline holds for all of it. */
    private static final class Connection {
        private static final Pattern STATUS = Pattern.compile("([01]) ([1-5]\\d\\d)(?: .*)?");
        private final SocketChannel channel = SocketChannel.open();
        private final ByteBuffer bytes = ByteBuffer.allocate(4096).limit(0);
        private Selector selector;
        private SelectionKey key;
        private long deadlineNs;
        /** How many bytes of the answer to the latest request have come. */
        int received;

        Connection(InetSocketAddress address, long deadlineNs) throws IOException, Trouble {
            this.deadlineNs = deadlineNs;
            boolean connected = false;
            try {
                selector = Selector.open();
                channel.configureBlocking(false);
                channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
                key = channel.register(selector, 0);
                connected = channel.connect(address);
                while (!connected) {
                    await(SelectionKey.OP_CONNECT);
                    connected = channel.finishConnect();
                }
            } finally {
                if (!connected) {
                    close();
                }
            }
        }

        Response exchange(byte[] request, long deadlineNs) throws Trouble {
            this.deadlineNs = deadlineNs;
            received = 0;
            try {
                write(ByteBuffer.wrap(request));
                return answer();
            } catch (IOException e) {
                throw new Trouble("BROKEN", "the connection failed: " + e.getMessage());
            }
        }

        private void write(ByteBuffer request) throws Trouble {
            try {
                while (request.hasRemaining()) {
                    if (channel.write(request) == 0) {
                        await(SelectionKey.OP_WRITE);
                    }
                }
            } catch (IOException e) {
                // A sidecar that does not want all of a long request may have answered it: reading tells.
            }
        }

        private Response answer() throws IOException, Trouble {
            Matcher statusLine = statusLine();
            Map<String, String> headers = headers();
            while (statusLine.group(2).startsWith("1")) { // an interim response, before the one that counts
                statusLine = statusLine();
                headers = headers();
            }
            int status = Integer.parseInt(statusLine.group(2));
            boolean keep = statusLine.group(1).equals("1") && !"close".equalsIgnoreCase(headers.get("connection"));
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            if ("chunked".equalsIgnoreCase(headers.get("transfer-encoding"))) {
                for (int size = chunkSize(); size > 0; size = chunkSize()) {
                    read(size, body);
                    if (!line().isEmpty()) {
                        throw invalid("a chunk that is longer than it says");
                    }
                }
                headers(); // the trailers
            } else if (headers.containsKey("content-length")) {
                read(length(headers.get("content-length"), 10), body);
            } else if (status != 204) {
                keep = false;
                for (int octet = read(); octet >= 0; octet = read()) {
                    body.write(octet);
                }
            }
            return new Response(status, headers, body.toByteArray(), keep && !bytes.hasRemaining());
        }

        private Matcher statusLine() throws IOException, Trouble {
            for (char letter : "HTTP/1.".toCharArray()) {
                if (next() != letter) {
                    throw invalid("not HTTP");
                }
            }
            Matcher statusLine = STATUS.matcher(line());
            if (!statusLine.matches()) {
                throw invalid("not HTTP");
            }
            return statusLine;
        }

        private Map<String, String> headers() throws IOException, Trouble {
            Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            for (String line = line(); !line.isEmpty(); line = line()) {
                String[] header = line.split(":", 2);
                headers.put(header[0], header[header.length - 1].trim());
            }
            return headers;
        }

        private int chunkSize() throws IOException, Trouble {
            return length(line().split(";")[0].trim(), 16);
        }

        private static int length(String digits, int radix) throws Trouble {
            try {
                int length = Integer.parseInt(digits, radix);
                if (length >= 0 && length <= MAX_ANSWER_BYTES) {
                    return length;
                }
            } catch (NumberFormatException notDigits) {
                // Reported like one that is too large.
            }
            throw invalid("a length of " + digits);
        }

        private String line() throws IOException, Trouble {
            StringBuilder line = new StringBuilder();
            for (int octet = next(); octet != '\n'; octet = next()) {
                line.append((char) octet);
            }
            return line.toString().replaceAll("\r$", "");
        }

        private void read(int length, ByteArrayOutputStream body) throws IOException, Trouble {
            for (int count = 0; count < length; count++) {
                body.write(next());
            }
        }

        private int next() throws IOException, Trouble {
            int octet = read();
            if (octet < 0) {
                throw new Trouble("BROKEN", "the connection ended before a whole answer had come");
            }
            return octet;
        }

        /** Returns the next byte, or -1 after the end of the connection. */
        private int read() throws IOException, Trouble {
            while (!bytes.hasRemaining()) {
                int count = channel.read(bytes.clear());
                bytes.flip();
                if (count < 0) {
                    return -1;
                } else if (count == 0) {
                    await(SelectionKey.OP_READ);
                }
                received += count;
                if (received > MAX_ANSWER_BYTES) {
                    throw invalid("an answer of more than 1 MiB");
                }
            }
            return bytes.get() & 0xff;
        }

        private void await(int operation) throws IOException, Trouble {
            long leftNs = deadlineNs - System.nanoTime();
            if (leftNs <= 0) {
                throw new Trouble("TIMEOUT", "no whole answer within the deadline");
            }
            key.interestOps(operation);
            selector.selectedKeys().clear();
            selector.select(TimeUnit.NANOSECONDS.toMillis(leftNs + 999_999));
        }

        /** Returns false where the sidecar has closed the connection, or sent what nobody asked for. */
        boolean isIdle() {
            try {
                return channel.read(ByteBuffer.allocate(1)) == 0;
            } catch (IOException e) {
                return false;
            }
        }

        void close() {
            try {
                channel.close();
                if (selector != null) {
                    selector.close();
                }
            } catch (IOException e) {
                // There is nothing more that could be done about it.
            }
        }
    }

    private static final class Response {
        final int status;
        final Map<String, String> headers;
        final byte[] body;
        final boolean keepsConnection;

        Response(int status, Map<String, String> headers, byte[] body, boolean keepsConnection) {
            this.status = status;
            this.headers = headers;
            this.body = body;
            this.keepsConnection = keepsConnection;
        }

        Map<String, Object> json() throws Trouble {
            try {
                String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
                return Json.asMap(Json.read(text));
            } catch (CharacterCodingException | IllegalArgumentException | ClassCastException e) {
                throw invalid("expected a JSON object");
            }
        }

        long retryAfterNs() {
            String seconds = headers.getOrDefault("retry-after", "");
            return TimeUnit.SECONDS.toNanos(seconds.matches("\\d{1,5}") ? Long.parseLong(seconds) : 1);
        }
    }

    private static Trouble invalid(String details) {
        return new Trouble("INVALID_RESPONSE", details);
    }

    /** Why there is no answer. */
    private static final class Trouble extends Exception {
        private static final long serialVersionUID = 1;
        final String error;
        /** What the log may say: nothing that may quote attributes. */
        final String loggable;

        Trouble(String error, String details) {
            this(error, details, details);
        }

        Trouble(String error, String details, String loggable) {
            super(details, null, false, false);
            this.error = error;
            this.loggable = error + " " + loggable;
        }
    }

    // Settings and what goes in and out

    /** The settings of a client. */
    public static final class Builder {
        private String url = environment("TAILSLIDE_FLAGS_URL", "http://127.0.0.1:4141");
        private String token = environment("TAILSLIDE_FLAGS_TOKEN", null);
        private String proxyUrl = environment("TAILSLIDE_PROXY_URL", "http://127.0.0.1:4140");
        private Duration timeout = Duration.ofMillis(50);
        private Duration flushInterval = Duration.ofMillis(200);
        private int maxOutcomes = 10_000;

        private Builder() {}

        /** The sidecar's flags listener, {@code http://HOST:PORT}; else {@code TAILSLIDE_FLAGS_URL}. */
        public Builder url(String url) {
            this.url = url;
            return this;
        }

        /** The sidecar's {@code flags_token}; null for none; else {@code TAILSLIDE_FLAGS_TOKEN}. */
        public Builder token(String token) {
            this.token = token;
            return this;
        }

        /** The sidecar's proxy, {@code http://HOST:PORT}; else {@code TAILSLIDE_PROXY_URL}. */
        public Builder proxyUrl(String proxyUrl) {
            this.proxyUrl = proxyUrl;
            return this;
        }

        /** What one question may take, connecting included; 50 ms by default. */
        public Builder timeout(Duration timeout) {
            this.timeout = timeout;
            return this;
        }

        /** How long outcomes wait to be sent together; 200 ms by default. */
        public Builder flushInterval(Duration flushInterval) {
            this.flushInterval = flushInterval;
            return this;
        }

        /** How many outcomes may wait; 10,000 by default. */
        public Builder maxOutcomes(int maxOutcomes) {
            this.maxOutcomes = maxOutcomes;
            return this;
        }

        /**
         * Makes the client.
         *
         * @throws IllegalArgumentException for a setting that cannot be right
         */
        public Tailslide build() {
            return new Tailslide(this);
        }

        private static String environment(String name, String otherwise) {
            String value = System.getenv(name);
            return value == null || value.isEmpty() ? otherwise : value;
        }
    }

    /** A block that {@link #guard} runs. */
    @FunctionalInterface
    public interface Block<T, E extends Exception> {
        T run() throws E;
    }

    /** What the sidecar says of a flag for one user, or the default and why. */
    public static final class Evaluation {
        /** The flag's key. */
        public final String flag;
        /** A Boolean, String, Long, Double or Map; the default where there is an error. */
        public final Object value;
        /** The variant's key; null where there is an error. */
        public final String variant;
        /** Whether the user gets another variant than the flag's off variant. */
        public final boolean active;
        /** Why, in OpenFeature's words; {@code ERROR} where there is an error. */
        public final String reason;
        /** The flag's own metadata and the sidecar's; not null. */
        public final Map<String, Object> metadata;
        /** Why this is the default, for example {@code TIMEOUT}; null unless it is. */
        public final String error;
        /** The error in words; null unless there is one. */
        public final String errorDetails;

        private Evaluation(
                String flag, Object value, String variant, boolean active, String reason, Map<String, Object> metadata,
                Trouble trouble) {
            this.flag = flag;
            this.value = value;
            this.variant = variant;
            this.active = active;
            this.reason = reason;
            this.metadata = metadata;
            this.error = trouble == null ? null : trouble.error;
            this.errorDetails = trouble == null ? null : trouble.getMessage();
        }

        @Override
        public String toString() {
            return flag + "=" + value + " (" + reason + (error == null ? "" : ", " + error) + ")";
        }
    }

    /** Counts since the client was made. */
    public static final class Stats {
        /** Questions asked of this client. */
        public final long questions;
        /** How many of them got their default, by error. */
        public final Map<String, Long> defaults;
        /** Outcomes that the sidecar has accepted. */
        public final long outcomesSent;
        /** Outcomes that were too old, or too many, to be sent. */
        public final long outcomesDropped;
        /** Outcomes that the sidecar did not accept. */
        public final long outcomesRefused;
        /** Outcomes that are still to be sent. */
        public final long outcomesWaiting;

        private Stats(
                long questions, Map<String, Long> defaults, long sent, long dropped, long refused, long waiting) {
            this.questions = questions;
            this.defaults = defaults;
            this.outcomesSent = sent;
            this.outcomesDropped = dropped;
            this.outcomesRefused = refused;
            this.outcomesWaiting = waiting;
        }

        @Override
        public String toString() {
            return "questions=" + questions + " defaults=" + defaults + " sent=" + outcomesSent + " dropped="
                    + outcomesDropped + " refused=" + outcomesRefused + " waiting=" + outcomesWaiting;
        }
    }

    private static final class Outcome {
        final String flag;
        final Map<String, Object> report;
        final long reportedNs = System.nanoTime();

        Outcome(String flag, Map<String, Object> report) {
            this.flag = flag;
            this.report = report;
        }
    }

    private static final class Address {
        private static final Pattern URL =
                Pattern.compile("(?i)http://(\\[[0-9a-f:.%]+]|[^\\s:/?#@\\[\\]]+)(?::(\\d{1,5}))?/?");
        final String authority;
        final String host;
        final int port;

        Address(String setting, String url) {
            Matcher matcher = URL.matcher(String.valueOf(url));
            port = !matcher.matches() ? -1 : matcher.group(2) == null ? 80 : Integer.parseInt(matcher.group(2));
            if (port < 1 || port > 65535) {
                throw new IllegalArgumentException(setting + ": expected http://HOST:PORT, got " + url);
            }
            host = matcher.group(1).replaceAll("[\\[\\]]", "");
            authority = matcher.group(1) + ":" + port;
        }
    }

    private static Thread daemon(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        return thread;
    }

    private static long positive(String setting, Duration duration) {
        if (duration == null || duration.isZero() || duration.isNegative()) {
            throw new IllegalArgumentException(setting + ": expected a positive duration, got " + duration);
        }
        return nanos(duration);
    }

    /** Returns the duration in nanoseconds, an hour at most. */
    private static long nanos(Duration duration) {
        return duration.compareTo(Duration.ofHours(1)) > 0 ? TimeUnit.HOURS.toNanos(1) : duration.toNanos();
    }

    /** Reads and writes JSON (RFC 8259), for which Java has nothing. Throws IllegalArgumentException. */
    static final class Json {
        private static final int MAX_DEPTH = 100;
        private static final Pattern NUMBER = Pattern.compile("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?");
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        @SuppressWarnings("unchecked")
        static Map<String, Object> asMap(Object value) {
            return (Map<String, Object>) value;
        }

        /** Returns maps, lists, strings, Booleans, Longs, Doubles and null. */
        static Object read(String text) {
            Json json = new Json(text);
            Object value = json.value(0);
            json.peek();
            if (json.at < text.length()) {
                throw json.unexpected();
            }
            return value;
        }

        private Object value(int depth) {
            if (depth > MAX_DEPTH) {
                throw unexpected();
            }
            switch (peek()) {
                case '{':
                    Map<String, Object> members = new LinkedHashMap<>();
                    while (hasMore('}', members.isEmpty())) {
                        peek();
                        String name = string();
                        take(':');
                        members.put(name, value(depth + 1));
                    }
                    return members;
                case '[':
                    List<Object> items = new ArrayList<>();
                    while (hasMore(']', items.isEmpty())) {
                        items.add(value(depth + 1));
                    }
                    return items;
                case '"':
                    return string();
                case 't':
                    return word("true", true);
                case 'f':
                    return word("false", false);
                case 'n':
                    return word("null", null);
                default:
                    return number();
            }
        }

        /** Takes what is before the next item and returns true, or takes the closing bracket. */
        private boolean hasMore(char closing, boolean first) {
            if (first) {
                at++;
            }
            if (peek() == closing) {
                at++;
                return false;
            }
            if (!first) {
                take(',');
            }
            return true;
        }

        private Object word(String word, Object value) {
            if (!text.startsWith(word, at)) {
                throw unexpected();
            }
            at += word.length();
            return value;
        }

        private Object number() {
            Matcher matcher = NUMBER.matcher(text).region(at, text.length());
            if (!matcher.lookingAt()) {
                throw unexpected();
            }
            at = matcher.end();
            String number = matcher.group();
            return number.matches("-?\\d{1,18}") ? (Object) Long.valueOf(number) : Double.valueOf(number);
        }

        private String string() {
            take('"');
            StringBuilder string = new StringBuilder();
            for (char letter = next(); letter != '"'; letter = next()) {
                if (letter < ' ') {
                    throw unexpected();
                }
                string.append(letter == '\\' ? escaped(next()) : letter);
            }
            return string.toString();
        }

        private char escaped(char letter) {
            int place = "\"\\/bfnrt".indexOf(letter);
            if (place >= 0) {
                return "\"\\/\b\f\n\r\t".charAt(place);
            }
            String digits = text.substring(at, Math.min(at + 4, text.length()));
            if (letter != 'u' || !digits.matches("[0-9a-fA-F]{4}")) {
                throw unexpected();
            }
            at += 4;
            return (char) Integer.parseInt(digits, 16);
        }

        private char next() {
            if (at == text.length()) {
                throw unexpected();
            }
            return text.charAt(at++);
        }

        /** Returns the next character that is no space, without taking it; 0 at the end. */
        private char peek() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
            return at < text.length() ? text.charAt(at) : 0;
        }

        private void take(char expected) {
            if (peek() != expected) {
                throw unexpected();
            }
            at++;
        }

        private IllegalArgumentException unexpected() {
            return new IllegalArgumentException("not JSON at character " + at);
        }

        static String write(Object value) {
            return write(value, 0);
        }

        private static String write(Object value, int depth) {
            if (depth > MAX_DEPTH) {
                throw new IllegalArgumentException("more than " + MAX_DEPTH + " levels");
            }
            if (value == null || value instanceof Boolean) {
                return String.valueOf(value);
            } else if (value instanceof String) {
                return quoted((String) value);
            } else if (value instanceof Number && NUMBER.matcher(value.toString()).matches()) { // not NaN
                return value.toString();
            } else if (value instanceof Map) {
                StringJoiner members = new StringJoiner(",", "{", "}");
                for (Map.Entry<?, ?> member : ((Map<?, ?>) value).entrySet()) {
                    members.add(quoted((String) member.getKey()) + ":" + write(member.getValue(), depth + 1));
                }
                return members.toString();
            } else if (value instanceof Iterable) {
                StringJoiner items = new StringJoiner(",", "[", "]");
                for (Object item : (Iterable<?>) value) {
                    items.add(write(item, depth + 1));
                }
                return items.toString();
            }
            throw new IllegalArgumentException("a " + value.getClass().getName());
        }

        private static String quoted(String string) {
            StringBuilder out = new StringBuilder("\"");
            for (char letter : string.toCharArray()) {
                if (letter == '"' || letter == '\\') {
                    out.append('\\').append(letter);
                } else if (letter < ' ' || Character.isSurrogate(letter)) {
                    out.append(String.format("\\u%04x", (int) letter));
                } else {
                    out.append(letter);
                }
            }
            return out.append('"').toString();
        }
    }
}
