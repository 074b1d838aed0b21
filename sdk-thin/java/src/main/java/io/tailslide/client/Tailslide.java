package io.tailslide.client;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.System.Logger;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.StandardSocketOptions;
import java.net.http.HttpClient;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingDeque;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

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
    private static final long OUTCOME_LIFE_NS = TimeUnit.SECONDS.toNanos(10);
    private static final long SEND_TIMEOUT_NS = TimeUnit.SECONDS.toNanos(1);
    private static final long LOG_EVERY_NS = TimeUnit.MINUTES.toNanos(1);
    private static final Set<String> SIDECAR_ERRORS =
            Set.of("FLAG_NOT_FOUND", "TARGETING_KEY_MISSING", "PARSE_ERROR", "INVALID_CONTEXT", "GENERAL");
    private static final Logger LOGGER = System.getLogger("io.tailslide.client");

    private final Address sidecar;
    private final Address proxy;
    private final String token;
    private final long timeoutNs;
    private final long flushIntervalNs;
    private final int maxOutcomes;

    private final LinkedBlockingDeque<Connection> kept = new LinkedBlockingDeque<>(MAX_KEPT_CONNECTIONS);
    /** Looks up names and writes the log, which have no deadline of their own. */
    private final ExecutorService aside = new ThreadPoolExecutor(
            0, Integer.MAX_VALUE, 1, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> daemon("tailslide-aside", task));
    private final AtomicInteger troublesInARow = new AtomicInteger();
    private final AtomicLong askAgainNs = new AtomicLong();
    private final LongAdder questions = new LongAdder();
    private final Map<String, LongAdder> defaults = new ConcurrentHashMap<>();
    private final Warnings questionWarnings = new Warnings("%d questions got their defaults; the latest: %s");
    private final Warnings outcomeWarnings = new Warnings("%d outcomes could not be sent; the latest: %s");
    private volatile boolean closed;

    /** Held by the thread that sends outcomes; guards the times before which a flag's outcomes are not sent. */
    private final ReentrantLock sending = new ReentrantLock();
    private final Map<String, Long> notBeforeNs = new HashMap<>();

    /** Guards all that follows. */
    private final Object buffer = new Object();
    private final ArrayDeque<Outcome> waiting = new ArrayDeque<>();
    private int inFlight;
    private long sent;
    private long dropped;
    private long refused;
    private Thread sender;
    private Thread hook;
    private HttpClient proxied;

    /** Makes a client with the settings of the environment, or the defaults. */
    public Tailslide() {
        this(builder());
    }

    private Tailslide(Builder settings) {
        sidecar = new Address("url", settings.url);
        proxy = new Address("proxyUrl", settings.proxyUrl);
        token = settings.token;
        if (token != null && !token.matches("[\\x21-\\x7e]+")) {
            throw new IllegalArgumentException("token: expected printable ASCII without spaces");
        }
        timeoutNs = positive("timeout", settings.timeout);
        flushIntervalNs = positive("flushInterval", settings.flushInterval);
        maxOutcomes = settings.maxOutcomes;
        if (maxOutcomes < 1) {
            throw new IllegalArgumentException("maxOutcomes: expected at least 1, got " + maxOutcomes);
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
        return ask(flag, targetingKey, attributes, fallback, Object.class).active();
    }

    /** Returns the key of the user's variant; parameters as in {@link #isActive(String, String, Map, boolean)}. */
    public String variant(String flag, String targetingKey, Map<String, ?> attributes, String fallback) {
        Evaluation evaluation = ask(flag, targetingKey, attributes, fallback, Object.class);
        return evaluation.error() == null ? evaluation.variant() : fallback;
    }

    /** Returns the value of a boolean flag; parameters as in {@link #isActive(String, String, Map, boolean)}. */
    public boolean value(String flag, String targetingKey, Map<String, ?> attributes, boolean fallback) {
        return (Boolean) ask(flag, targetingKey, attributes, fallback, Boolean.class).value();
    }

    /** Returns the value of a string flag; parameters as in {@link #isActive(String, String, Map, boolean)}. */
    public String value(String flag, String targetingKey, Map<String, ?> attributes, String fallback) {
        return (String) ask(flag, targetingKey, attributes, fallback, String.class).value();
    }

    /** Returns the value of a number flag if it has no fraction (5, 5.0), else {@code fallback}. */
    public long value(String flag, String targetingKey, Map<String, ?> attributes, long fallback) {
        return (Long) ask(flag, targetingKey, attributes, fallback, Long.class).value();
    }

    /** Returns the value of a number flag; parameters as in {@link #isActive(String, String, Map, boolean)}. */
    public double value(String flag, String targetingKey, Map<String, ?> attributes, double fallback) {
        return (Double) ask(flag, targetingKey, attributes, fallback, Double.class).value();
    }

    /** Returns the value of an object flag; parameters as in {@link #isActive(String, String, Map, boolean)}. */
    @SuppressWarnings("unchecked")
    public Map<String, Object> value(
            String flag, String targetingKey, Map<String, ?> attributes, Map<String, Object> fallback) {
        return (Map<String, Object>) ask(flag, targetingKey, attributes, fallback, Map.class).value();
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
        questions.increment();
        try {
            if (closed) {
                throw new Trouble("CLOSED", "the client has been closed");
            }
            byte[] request = request("/ofrep/v1/evaluate/flags/" + encoded(flag), question(targetingKey, attributes));
            return evaluation(flag, askUnlessPaused(request), fallback, type);
        } catch (Trouble trouble) {
            defaults.computeIfAbsent(trouble.error, error -> new LongAdder()).increment();
            questionWarnings.add(1, trouble);
            return new Evaluation(flag, fallback, null, Boolean.TRUE.equals(fallback), "ERROR", Map.of(), trouble);
        }
    }

    private Response askUnlessPaused(byte[] request) throws Trouble {
        long deadlineNs = System.nanoTime() + timeoutNs;
        if (troublesInARow.get() >= TROUBLES_BEFORE_A_PAUSE) {
            long now = System.nanoTime();
            long again = askAgainNs.get();
            if (now - again < 0 || !askAgainNs.compareAndSet(again, now + PAUSE_NS)) {
                throw new Trouble("PAUSED", "not asked, because the sidecar has just failed several times");
            }
        }
        try {
            Response response = exchange(request, deadlineNs);
            if (response.status == 200) {
                response.answer = ofrepAnswer(response.json());
            }
            troublesInARow.set(0);
            return response;
        } catch (Trouble trouble) {
            if (troublesInARow.get() < TROUBLES_BEFORE_A_PAUSE) {
                askAgainNs.set(System.nanoTime() + PAUSE_NS);
            }
            troublesInARow.incrementAndGet();
            throw trouble;
        }
    }

    private static Map<String, Object> ofrepAnswer(Map<String, Object> answer) throws Trouble {
        if (answer.get("value") == null
                || !(answer.get("variant") instanceof String)
                || !(answer.get("reason") instanceof String)
                || !(answer.getOrDefault("metadata", Map.of()) instanceof Map)) {
            throw Response.invalid("expected value, variant, reason and metadata");
        }
        return answer;
    }

    private static Evaluation evaluation(String flag, Response response, Object fallback, Class<?> type) throws Trouble {
        if (response.status != 200) {
            throw sidecarError(response);
        }
        Map<String, Object> answer = response.answer;
        Object value = typed(answer.get("value"), type);
        if (value == null) {
            throw new Trouble("TYPE_MISMATCH", "the value is of another type than the default");
        }
        Map<String, Object> metadata = Json.asMap(answer.getOrDefault("metadata", Map.of()));
        Object active = metadata.get("active");
        return new Evaluation(
                flag, value, (String) answer.get("variant"), Boolean.TRUE.equals(active instanceof Boolean ? active : fallback),
                (String) answer.get("reason"), metadata, null);
    }

    private static Trouble sidecarError(Response response) {
        String details = "";
        try {
            Map<String, Object> answer = response.json();
            details = String.valueOf(answer.getOrDefault("errorDetails", ""));
            Object code = answer.get("errorCode");
            if (code instanceof String && SIDECAR_ERRORS.contains(code) && !code.equals("GENERAL")) {
                return new Trouble((String) code, details);
            }
        } catch (Trouble notJson) {
            // The status says enough.
        }
        return new Trouble("GENERAL", "HTTP status " + response.status + (details.isEmpty() ? "" : ": " + details));
    }

    private static Class<?> typeOf(Object fallback) {
        if (fallback == null) {
            return Object.class;
        } else if (fallback instanceof CharSequence) {
            return String.class;
        } else if (fallback instanceof Map) {
            return Map.class;
        } else if (fallback instanceof Float || fallback instanceof BigDecimal) {
            return Double.class;
        } else if (fallback instanceof Number) {
            return fallback instanceof Double ? Double.class : Long.class;
        }
        return fallback.getClass();
    }

    /** Returns the value as that type, or null. */
    private static Object typed(Object value, Class<?> type) {
        if (type == Double.class && value instanceof Long) {
            return ((Long) value).doubleValue();
        }
        if (type == Long.class && value instanceof Double) {
            double number = (Double) value;
            return number == Math.rint(number) && Math.abs(number) < 0x1p63 ? (Long) (long) number : null;
        }
        return type.isInstance(value) ? value : null;
    }

    // Outcomes

    /** Reports a call that went well; returns at once. */
    public void success(String flag) {
        report(flag, true, null);
    }

    /** Reports a call that went well, and how long it took; returns at once. */
    public void success(String flag, Duration latency) {
        report(flag, true, latency);
    }

    /** Reports a call that failed; returns at once. */
    public void failure(String flag) {
        report(flag, false, null);
    }

    /** Reports a call that failed, and how long it took; returns at once. */
    public void failure(String flag, Duration latency) {
        report(flag, false, latency);
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
        T result;
        try {
            result = block.run();
        } catch (Throwable thrown) {
            Duration latency = Duration.ofNanos(System.nanoTime() - began);
            report(flag, !holds(failedThrowable, thrown), latency);
            throw thrown;
        }
        Duration latency = Duration.ofNanos(System.nanoTime() - began);
        report(flag, !holds(failedResult, result), latency);
        return result;
    }

    private static <T> boolean holds(Predicate<? super T> predicate, T subject) {
        try {
            return predicate.test(subject);
        } catch (Throwable ours) {
            return false;
        }
    }

    private void report(String flag, boolean success, Duration latency) {
        Outcome outcome = new Outcome(flag, success, latency);
        boolean full = false;
        synchronized (buffer) {
            if (flag == null || flag.isEmpty()) {
                refused++;
                return;
            }
            if (closed) {
                dropped++;
                return;
            }
            startSending();
            if (waiting.size() + inFlight >= maxOutcomes) {
                full = true;
                dropped++;
                if (waiting.poll() == null) {
                    return;
                }
            }
            waiting.add(outcome);
            if (waiting.size() == 1 || waiting.size() == MAX_BATCH) {
                buffer.notifyAll();
            }
        }
        if (full) {
            outcomeWarnings.add(1, new Trouble("FULL", "maxOutcomes were waiting already"));
        }
    }

    private void startSending() {
        if (sender != null) {
            return;
        }
        sender = daemon("tailslide-outcomes", this::sendUntilClosed);
        sender.start();
        hook = new Thread(this::close, "tailslide-close");
        try {
            Runtime.getRuntime().addShutdownHook(hook);
        } catch (IllegalStateException alreadyShuttingDown) {
            hook = null;
        }
    }

    private void sendUntilClosed() {
        boolean allSent = true;
        while (!closed) {
            try {
                awaitOutcomes(allSent);
            } catch (InterruptedException nobodyElseHasThisThread) {
                return;
            }
            allSent = closed || flush(Duration.ofNanos(OUTCOME_LIFE_NS));
        }
    }

    /** Returns when a flush is due: sooner than the interval where a whole batch waits and the last one went well. */
    private void awaitOutcomes(boolean hurry) throws InterruptedException {
        synchronized (buffer) {
            while (!closed && waiting.isEmpty()) {
                buffer.wait();
            }
            long dueNs = System.nanoTime() + flushIntervalNs;
            long leftNs = flushIntervalNs;
            while (!closed && leftNs > 0 && !(hurry && waiting.size() >= MAX_BATCH)) {
                TimeUnit.NANOSECONDS.timedWait(buffer, Math.max(leftNs, 1_000_000));
                leftNs = dueNs - System.nanoTime();
            }
        }
    }

    /** As {@link #flush(Duration)}, for at most a second. */
    public boolean flush() {
        return flush(Duration.ofSeconds(1));
    }

    /** Sends the outcomes that wait, for at most this long, and returns whether all of them were sent. */
    public boolean flush(Duration timeout) {
        long deadlineNs = System.nanoTime() + nanos(timeout);
        boolean mine = sending.tryLock();
        try {
            mine = mine || sending.tryLock(deadlineNs - System.nanoTime(), TimeUnit.NANOSECONDS);
            return mine && send(deadlineNs);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return false;
        } finally {
            if (mine) {
                sending.unlock();
            }
        }
    }

    private boolean send(long deadlineNs) {
        Set<String> later = new HashSet<>();
        notBeforeNs.values().removeIf(time -> time - System.nanoTime() <= 0);
        later.addAll(notBeforeNs.keySet());
        long lostBefore = lost();
        while (true) {
            List<Outcome> batch = take(later);
            if (batch.isEmpty()) {
                synchronized (buffer) {
                    return lostBefore == lost() && waiting.stream().noneMatch(outcome -> later.contains(outcome.flag));
                }
            }
            String flag = batch.get(0).flag;
            Trouble trouble = null;
            boolean again = true;
            try {
                byte[] request = request("/v1/flags/" + encoded(flag) + "/outcomes", Outcome.json(batch));
                long now = System.nanoTime();
                Response response = exchange(request, now + Math.min(deadlineNs - now, SEND_TIMEOUT_NS));
                again = response.status == 429 || response.status >= 500;
                if (response.status >= 300) {
                    trouble = new Trouble("GENERAL", "HTTP status " + response.status);
                    later.add(flag);
                }
                if (response.status == 429) {
                    notBeforeNs.put(flag, System.nanoTime() + response.retryAfterNs);
                }
            } catch (Trouble unsent) {
                trouble = unsent;
            }
            settle(batch, trouble == null, again);
            if (trouble != null) {
                outcomeWarnings.add(batch.size(), trouble);
                if (!later.contains(flag)) {
                    return false;
                }
            }
        }
    }

    private long lost() {
        synchronized (buffer) {
            return dropped + refused;
        }
    }

    /** Takes the oldest outcomes of one flag out of the buffer, but of none of these. */
    private List<Outcome> take(Set<String> later) {
        List<Outcome> batch = new ArrayList<>();
        synchronized (buffer) {
            long now = System.nanoTime();
            int before = waiting.size();
            waiting.removeIf(outcome -> now - outcome.reportedNs > OUTCOME_LIFE_NS);
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

    private void settle(List<Outcome> batch, boolean success, boolean again) {
        synchronized (buffer) {
            inFlight = 0;
            if (success) {
                sent += batch.size();
            } else if (again) {
                for (int place = batch.size() - 1; place >= 0; place--) {
                    waiting.addFirst(batch.get(place));
                }
                buffer.notifyAll();
            } else {
                refused += batch.size();
            }
        }
    }

    /** Sends what waits, for at most a second, and ends the background work. Questions get their defaults from now on. */
    @Override
    public void close() {
        synchronized (buffer) {
            if (closed) {
                return;
            }
            closed = true;
            buffer.notifyAll();
        }
        flush();
        synchronized (buffer) {
            dropped += waiting.size();
            waiting.clear();
        }
        for (Connection connection = kept.poll(); connection != null; connection = kept.poll()) {
            connection.close();
        }
        if (hook != null && hook != Thread.currentThread()) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException alreadyShuttingDown) {
                // The hook finds the client closed.
            }
        }
    }

    // What it says of itself

    /** Returns the counts since the client was made. */
    public Stats stats() {
        Map<String, Long> counts = new TreeMap<>();
        defaults.forEach((error, count) -> counts.put(error, count.sum()));
        synchronized (buffer) {
            return new Stats(questions.sum(), counts, sent, dropped, refused, waiting.size() + inFlight);
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

        synchronized void add(long more, Trouble latest) {
            count += more;
            if (System.nanoTime() - nextNs < 0) {
                return;
            }
            nextNs = System.nanoTime() + LOG_EVERY_NS;
            long told = count;
            count = 0;
            aside.execute(() -> LOGGER.log(Logger.Level.WARNING, String.format(format, told, latest.forLog())));
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
        synchronized (buffer) {
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
        String head = "POST " + path + " HTTP/1.1\r\nHost: " + sidecar.authority
                + (token == null ? "" : "\r\nAuthorization: Bearer " + token)
                + "\r\nContent-Type: application/json\r\nContent-Length: " + body.length + "\r\n\r\n";
        byte[] request = Arrays.copyOf(head.getBytes(StandardCharsets.US_ASCII), head.length() + body.length);
        System.arraycopy(body, 0, request, head.length(), body.length);
        return request;
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
            throw new Trouble("INVALID_CONTEXT", "the attributes cannot be written as JSON: " + notJson.getMessage());
        }
    }

    /** Returns the flag's key as one segment of a path. */
    private static String encoded(String flag) throws Trouble {
        if (flag == null || flag.isEmpty()) {
            throw new Trouble("FLAG_NOT_FOUND", "no key of a flag was given");
        }
        StringBuilder segment = new StringBuilder();
        for (byte octet : flag.getBytes(StandardCharsets.UTF_8)) {
            char letter = (char) (octet & 0xff);
            boolean plain = letter < 128 && (Character.isLetterOrDigit(letter) || letter == '-' || letter == '_');
            segment.append(plain ? String.valueOf(letter) : String.format(Locale.ROOT, "%%%02X", (int) letter));
        }
        return segment.toString();
    }

    private Response exchange(byte[] request, long deadlineNs) throws Trouble {
        // An interrupt closes the channel that its thread uses. One from before the question is the caller's affair.
        boolean interrupted = Thread.interrupted();
        try {
            Connection old = kept.pollLast();
            while (old != null && !old.isIdle()) {
                old.close();
                old = kept.pollLast();
            }
            if (old != null) {
                try {
                    return exchange(old, request, deadlineNs);
                } catch (Trouble trouble) {
                    if (old.answering || !trouble.error.equals("BROKEN")) {
                        throw trouble;
                    }
                }
            }
            return exchange(connect(deadlineNs), request, deadlineNs);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private Response exchange(Connection connection, byte[] request, long deadlineNs) throws Trouble {
        boolean keep = false;
        try {
            Response response = connection.exchange(request, deadlineNs);
            keep = response.keepsConnection();
            return response;
        } finally {
            if (!keep || !kept.offerLast(connection) || closed && kept.remove(connection)) {
                connection.close();
            }
        }
    }

    private Connection connect(long deadlineNs) throws Trouble {
        Trouble last = null;
        for (InetAddress address : addresses(deadlineNs)) {
            Connection connection = null;
            try {
                connection = new Connection();
                connection.connect(new InetSocketAddress(address, sidecar.port), deadlineNs);
                return connection;
            } catch (IOException e) {
                if (connection != null) {
                    connection.close();
                }
                last = e instanceof Trouble ? (Trouble) e : new Trouble("REFUSED", "could not connect: " + e.getMessage());
            }
        }
        throw last;
    }

    private InetAddress[] addresses(long deadlineNs) throws Trouble {
        try {
            if (sidecar.isLiteral()) {
                return InetAddress.getAllByName(sidecar.host);
            }
            return aside.submit(() -> InetAddress.getAllByName(sidecar.host))
                    .get(deadlineNs - System.nanoTime(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new Trouble("TIMEOUT", "timed out looking up " + sidecar.host);
        } catch (IOException | ExecutionException e) {
            throw new Trouble("REFUSED", "unknown host " + sidecar.host);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Trouble("BROKEN", "interrupted");
        }
    }

    /** A connection for one exchange at a time. Its channel never blocks, so that a deadline holds for all of it. */
    private static final class Connection {
        private final SocketChannel channel;
        private final Selector selector;
        private SelectionKey key;
        /** Whether a byte of the answer to the latest request has come. */
        boolean answering;

        Connection() throws IOException {
            channel = SocketChannel.open();
            try {
                selector = Selector.open();
            } catch (IOException tooManyOpenFiles) {
                channel.close();
                throw tooManyOpenFiles;
            }
        }

        void connect(InetSocketAddress address, long deadlineNs) throws IOException {
            channel.configureBlocking(false);
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            key = channel.register(selector, 0);
            boolean connected = channel.connect(address);
            while (!connected) {
                await(SelectionKey.OP_CONNECT, deadlineNs);
                connected = channel.finishConnect();
            }
        }

        Response exchange(byte[] request, long deadlineNs) throws Trouble {
            answering = false;
            ByteBuffer out = ByteBuffer.wrap(request);
            Response response = new Response();
            try {
                while (true) {
                    boolean unsent = !write(out);
                    int count = channel.read(response.space());
                    answering |= count > 0;
                    if (response.isWhole(count)) {
                        response.keep &= !unsent && count >= 0;
                        return response;
                    }
                    if (count < 0) {
                        throw new Trouble("BROKEN", "the connection ended before a whole answer had come");
                    }
                    if (count == 0) {
                        await(SelectionKey.OP_READ | (unsent ? SelectionKey.OP_WRITE : 0), deadlineNs);
                    } else if (System.nanoTime() - deadlineNs >= 0) {
                        throw new Trouble("TIMEOUT", "no whole answer within the deadline");
                    }
                }
            } catch (Trouble trouble) {
                throw trouble;
            } catch (IOException e) {
                throw new Trouble("BROKEN", "the connection failed: " + e.getMessage());
            }
        }

        /** Writes what the connection takes and returns whether that was all. */
        private boolean write(ByteBuffer out) {
            try {
                channel.write(out);
            } catch (IOException e) {
                // A sidecar that does not want all of a long request may have answered it: reading tells.
                return false;
            }
            return !out.hasRemaining();
        }

        private void await(int operations, long deadlineNs) throws IOException {
            long leftNs = deadlineNs - System.nanoTime();
            if (leftNs <= 0) {
                throw new Trouble("TIMEOUT", "no whole answer within the deadline");
            }
            key.interestOps(operations);
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
                selector.close();
                channel.close();
            } catch (IOException e) {
                // There is nothing more that could be done about it.
            }
        }
    }

    /** An answer of HTTP/1.1, as far as it has come. */
    private static final class Response {
        private static final Pattern STATUS = Pattern.compile("HTTP/1\\.[01] ([1-5]\\d\\d)(?: .*)?");
        private static final byte[] BEGINNING = "HTTP/1.".getBytes(StandardCharsets.US_ASCII);

        private final ByteArrayOutputStream body = new ByteArrayOutputStream();
        private ByteBuffer bytes = ByteBuffer.allocate(4096);
        /** Up to where the bytes have been read, and whether the head has been. */
        private int at;
        private boolean inBody;
        private boolean chunked;
        /** Of the body; -1 where the end of the connection is its end. */
        private long length;
        int status;
        long retryAfterNs;
        boolean keep;
        Map<String, Object> answer;

        /** Returns where the next bytes go. */
        ByteBuffer space() {
            if (!bytes.hasRemaining()) {
                bytes = ByteBuffer.allocate(2 * bytes.capacity()).put(bytes.flip());
            }
            return bytes;
        }

        /** Returns whether all of the answer is there, after so many more bytes; -1: after the end of the connection. */
        boolean isWhole(int count) throws Trouble {
            if (bytes.position() > MAX_ANSWER_BYTES) {
                throw invalid("an answer of more than 1 MiB");
            }
            for (int place = 0; place < Math.min(bytes.position(), BEGINNING.length); place++) {
                if (bytes.get(place) != BEGINNING[place]) {
                    throw invalid("not HTTP");
                }
            }
            while (!inBody) {
                String line = line();
                if (line == null) {
                    return false;
                }
                head(line);
            }
            if (chunked) {
                return readChunks();
            }
            long wanted = length < 0 ? Long.MAX_VALUE : length;
            int more = (int) Math.min(bytes.position() - at, wanted - body.size());
            body.write(bytes.array(), at, more);
            at += more;
            return length < 0 ? count < 0 : body.size() == length;
        }

        private void head(String line) throws Trouble {
            if (status == 0) {
                Matcher matcher = STATUS.matcher(line);
                if (!matcher.matches()) {
                    throw invalid("not HTTP");
                }
                status = Integer.parseInt(matcher.group(1));
                keep = line.startsWith("HTTP/1.1");
                length = status == 204 || status == 304 ? 0 : -1;
            } else if (line.isEmpty() && status < 200) {
                status = 0;
            } else if (line.isEmpty()) {
                inBody = true;
                length = chunked ? -1 : length;
                keep &= chunked || length >= 0;
            } else {
                int colon = line.indexOf(':');
                String value = line.substring(colon + 1).trim();
                switch (line.substring(0, Math.max(colon, 0)).toLowerCase(Locale.ROOT)) {
                    case "content-length":
                        length = number(value, 10);
                        break;
                    case "transfer-encoding":
                        chunked = value.equalsIgnoreCase("chunked");
                        break;
                    case "connection":
                        keep &= !value.equalsIgnoreCase("close");
                        break;
                    case "retry-after":
                        retryAfterNs = TimeUnit.SECONDS.toNanos(value.matches("\\d{1,5}") ? Long.parseLong(value) : 1);
                        break;
                    default:
                }
            }
        }

        private boolean readChunks() throws Trouble {
            while (true) {
                if (length == 0) {
                    for (String trailer = line(); trailer != null; trailer = line()) {
                        if (trailer.isEmpty()) {
                            return true;
                        }
                    }
                    return false;
                }
                int before = at;
                String size = line();
                if (size == null) {
                    return false;
                }
                length = number(size.split(";", 2)[0].trim(), 16);
                if (length > 0) {
                    if (bytes.position() - at < length + 2) {
                        at = before;
                        return false;
                    }
                    body.write(bytes.array(), at, (int) length);
                    at += length;
                    if (!"".equals(line())) {
                        throw invalid("a chunk that is longer than it says");
                    }
                }
            }
        }

        /** Returns the next line without its end, or null if its end has not come. */
        private String line() {
            for (int end = at; end + 1 < bytes.position(); end++) {
                if (bytes.get(end) == '\r' && bytes.get(end + 1) == '\n') {
                    String line = new String(bytes.array(), at, end - at, StandardCharsets.ISO_8859_1);
                    at = end + 2;
                    return line;
                }
            }
            return null;
        }

        private static long number(String digits, int radix) throws Trouble {
            if (!digits.matches("[0-9a-fA-F]{1,8}")) {
                throw invalid("a length that is no number");
            }
            try {
                long number = Long.parseLong(digits, radix);
                if (number <= MAX_ANSWER_BYTES) {
                    return number;
                }
            } catch (NumberFormatException e) {
                throw invalid("a length that is no number");
            }
            throw invalid("an answer of more than 1 MiB");
        }

        boolean keepsConnection() {
            return keep && at == bytes.position();
        }

        Map<String, Object> json() throws Trouble {
            try {
                ByteBuffer text = ByteBuffer.wrap(body.toByteArray());
                Object value = new Json(StandardCharsets.UTF_8.newDecoder().decode(text).toString()).document();
                return Json.asMap(value);
            } catch (CharacterCodingException | IllegalArgumentException | ClassCastException e) {
                throw invalid("expected a JSON object");
            }
        }

        static Trouble invalid(String details) {
            return new Trouble("INVALID_RESPONSE", details);
        }
    }

    /** Why there is no answer. */
    private static final class Trouble extends IOException {
        private static final long serialVersionUID = 1;
        final String error;

        Trouble(String error, String details) {
            super(details);
            this.error = error;
        }

        /** Without the sidecar's words, which may quote attributes. */
        String forLog() {
            return SIDECAR_ERRORS.contains(error) ? error : error + ", " + getMessage();
        }

        @Override
        public synchronized Throwable fillInStackTrace() {
            return this;
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
        private final String flag;
        private final Object value;
        private final String variant;
        private final boolean active;
        private final String reason;
        private final Map<String, Object> metadata;
        private final String error;
        private final String errorDetails;

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

        /** The flag's key. */
        public String flag() {
            return flag;
        }

        /** A Boolean, String, Long, Double or Map; the default where there is an error. */
        public Object value() {
            return value;
        }

        /** The variant's key; null where there is an error. */
        public String variant() {
            return variant;
        }

        /** Whether the user gets another variant than the flag's off variant. */
        public boolean active() {
            return active;
        }

        /** Why, in OpenFeature's words; {@code ERROR} where there is an error. */
        public String reason() {
            return reason;
        }

        /** The flag's own metadata and the sidecar's; not null. */
        public Map<String, Object> metadata() {
            return metadata;
        }

        /** Why this is the default, for example {@code TIMEOUT}; null unless it is. */
        public String error() {
            return error;
        }

        /** The error in words; null unless there is one. */
        public String errorDetails() {
            return errorDetails;
        }

        @Override
        public String toString() {
            return flag + "=" + value + " (" + reason + (error == null ? "" : ", " + error) + ")";
        }
    }

    /** Counts since the client was made. */
    public static final class Stats {
        private final long questions;
        private final Map<String, Long> defaults;
        private final long outcomesSent;
        private final long outcomesDropped;
        private final long outcomesRefused;
        private final long outcomesWaiting;

        private Stats(
                long questions, Map<String, Long> defaults, long sent, long dropped, long refused, long waiting) {
            this.questions = questions;
            this.defaults = Collections.unmodifiableMap(defaults);
            this.outcomesSent = sent;
            this.outcomesDropped = dropped;
            this.outcomesRefused = refused;
            this.outcomesWaiting = waiting;
        }

        /** Questions asked of this client. */
        public long questions() {
            return questions;
        }

        /** How many of them got their default, by error. */
        public Map<String, Long> defaults() {
            return defaults;
        }

        /** Outcomes that the sidecar has accepted. */
        public long outcomesSent() {
            return outcomesSent;
        }

        /** Outcomes that were too old, or too many, to be sent. */
        public long outcomesDropped() {
            return outcomesDropped;
        }

        /** Outcomes that the sidecar did not accept. */
        public long outcomesRefused() {
            return outcomesRefused;
        }

        /** Outcomes that are still to be sent. */
        public long outcomesWaiting() {
            return outcomesWaiting;
        }

        @Override
        public String toString() {
            return "questions=" + questions + " defaults=" + defaults + " sent=" + outcomesSent + " dropped="
                    + outcomesDropped + " refused=" + outcomesRefused + " waiting=" + outcomesWaiting;
        }
    }

    private static final class Outcome {
        final String flag;
        final boolean success;
        /** In microseconds; -1 where it is not known. */
        private static final Duration LONGEST_LATENCY = Duration.ofDays(1);
        final long latencyUs;
        final long beganMs;
        final long reportedNs = System.nanoTime();

        Outcome(String flag, boolean success, Duration latency) {
            this.flag = flag;
            this.success = success;
            boolean known = latency != null && !latency.isNegative() && latency.compareTo(LONGEST_LATENCY) <= 0;
            this.latencyUs = known ? nanos(latency) / 1000 : -1;
            this.beganMs = System.currentTimeMillis() - Math.max(latencyUs, 0) / 1000;
        }

        static String json(List<Outcome> batch) {
            List<Object> reports = new ArrayList<>();
            for (Outcome outcome : batch) {
                Map<String, Object> report = new LinkedHashMap<>();
                report.put("outcome", outcome.success ? "success" : "failure");
                report.put("began_ms", outcome.beganMs);
                if (outcome.latencyUs >= 0) {
                    report.put("latency_ms", outcome.latencyUs / 1000.0);
                }
                reports.add(report);
            }
            return Json.write(reports);
        }
    }

    private static final class Address {
        private static final Pattern URL = Pattern.compile("(?i)http://(\\[[0-9a-f:.%]+]|[^\\s:/?#@\\[\\]]+)(?::(\\d{1,5}))?/?");
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

        boolean isLiteral() {
            return host.indexOf(':') >= 0 || host.matches("[0-9.]+");
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
        private static final Pattern NUMBER = Pattern.compile("-?(?:0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?");
        private final String text;
        private int at;
        private int depth;

        Json(String text) {
            this.text = text;
        }

        @SuppressWarnings("unchecked")
        static Map<String, Object> asMap(Object value) {
            return (Map<String, Object>) value;
        }

        /** Returns the whole text: maps, lists, strings, booleans, Longs, Doubles, null. */
        Object document() {
            Object value = value();
            peek();
            if (at < text.length()) {
                throw unexpected();
            }
            return value;
        }

        private Object value() {
            switch (peek()) {
                case '{':
                    return object();
                case '[':
                    return array();
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

        private Map<String, Object> object() {
            Map<String, Object> members = new LinkedHashMap<>();
            enter('{');
            while (!leaves('}', members.isEmpty())) {
                if (peek() != '"') {
                    throw unexpected();
                }
                String name = string();
                take(':');
                members.put(name, value());
            }
            return Collections.unmodifiableMap(members);
        }

        private List<Object> array() {
            List<Object> items = new ArrayList<>();
            enter('[');
            while (!leaves(']', items.isEmpty())) {
                items.add(value());
            }
            return Collections.unmodifiableList(items);
        }

        private void enter(char bracket) {
            take(bracket);
            if (++depth > MAX_DEPTH) {
                throw unexpected();
            }
        }

        /** Takes the closing bracket and returns true, or the comma before another item and returns false. */
        private boolean leaves(char bracket, boolean first) {
            if (peek() == bracket) {
                at++;
                depth--;
                return true;
            }
            if (!first) {
                take(',');
            }
            return false;
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
            if (matcher.group(1) == null && matcher.group(2) == null && matcher.group().length() < 19) {
                return Long.parseLong(matcher.group());
            }
            double number = Double.parseDouble(matcher.group());
            if (Double.isInfinite(number)) {
                throw unexpected();
            }
            return number;
        }

        private String string() {
            StringBuilder string = new StringBuilder();
            at++;
            while (true) {
                char letter = next();
                if (letter == '"') {
                    return string.toString();
                } else if (letter < ' ') {
                    throw unexpected();
                } else if (letter != '\\') {
                    string.append(letter);
                } else {
                    string.append(escaped(next()));
                }
            }
        }

        private char escaped(char letter) {
            int place = "\"\\/bfnrt".indexOf(letter);
            if (place >= 0) {
                return "\"\\/\b\f\n\r\t".charAt(place);
            }
            if (letter != 'u' || at + 4 > text.length() || !text.substring(at, at + 4).matches("[0-9a-fA-F]{4}")) {
                throw unexpected();
            }
            at += 4;
            return (char) Integer.parseInt(text.substring(at - 4, at), 16);
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
            StringBuilder out = new StringBuilder();
            write(value, out, 0);
            return out.toString();
        }

        private static void write(Object value, StringBuilder out, int depth) {
            if (depth > MAX_DEPTH) {
                throw new IllegalArgumentException("more than " + MAX_DEPTH + " levels");
            }
            if (value == null || value instanceof Boolean) {
                out.append(value);
            } else if (value instanceof CharSequence) {
                quote(value.toString(), out);
            } else if (value instanceof Number) {
                out.append(finite((Number) value));
            } else if (value instanceof Map) {
                String before = "{";
                for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                    out.append(before);
                    quote((String) entry.getKey(), out);
                    out.append(':');
                    write(entry.getValue(), out, depth + 1);
                    before = ",";
                }
                out.append(before.equals("{") ? "{}" : "}");
            } else if (value instanceof Iterable) {
                String before = "[";
                for (Object item : (Iterable<?>) value) {
                    out.append(before);
                    write(item, out, depth + 1);
                    before = ",";
                }
                out.append(before.equals("[") ? "[]" : "]");
            } else if (value instanceof Object[]) {
                write(Arrays.asList((Object[]) value), out, depth);
            } else {
                throw new IllegalArgumentException("a " + value.getClass().getName());
            }
        }

        private static String finite(Number number) {
            if (number instanceof BigInteger || number instanceof BigDecimal) {
                return number.toString();
            }
            if (number instanceof Double || number instanceof Float) {
                if (!Double.isFinite(number.doubleValue())) {
                    throw new IllegalArgumentException("the number " + number);
                }
                return number.toString();
            }
            return String.valueOf(number.longValue());
        }

        private static void quote(String string, StringBuilder out) {
            out.append('"');
            for (int place = 0; place < string.length(); place++) {
                char letter = string.charAt(place);
                if (letter == '"' || letter == '\\') {
                    out.append('\\').append(letter);
                } else if (letter < ' ' || Character.isSurrogate(letter)) {
                    out.append(String.format(Locale.ROOT, "\\u%04x", (int) letter));
                } else {
                    out.append(letter);
                }
            }
            out.append('"');
        }
    }
}
