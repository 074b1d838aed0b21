// Java's own HTTP client, told to go through the scenarios of tests/support/proxy_origin.py and to print what it was answered.
//
//   java Client.java scenarios URL       every scenario once, over connections that are kept
//   java Client.java bodies URL SIZE     a large body down, and up in both framings
//
// One JSON object a line; what it means is in the README of this folder. This client shows an application neither
// trailers nor interim answers nor its connections, and refuses targets that are no URI. It reads ahead of what it sends,
// so a body cannot be paced; and up to Java 19 it waits for ever once its expectation is refused (JDK-8286171).

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

public class Client {
    static final int BLOCK = 65536;
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    static String base;

    /** What follows once a piece of an answer is there. */
    interface Step {
        void take() throws IOException, InterruptedException;
    }

    /** The body that proxy_origin.large_body describes; counts what the client has taken of it. */
    static class Large extends InputStream {
        final byte[] template = new byte[BLOCK];
        final long size;
        long at;

        Large(long size) {
            this.size = size;
            for (int place = 0; place < BLOCK; place++) template[place] = (byte) ((place * 167L + 13) % 251);
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            if (at == size) return -1;
            ByteBuffer.wrap(template).putLong(at / BLOCK);
            int within = (int) (at % BLOCK);
            int count = (int) Math.min(Math.min(length, BLOCK - within), size - at);
            System.arraycopy(template, within, into, offset, count);
            at += count;
            return count;
        }
    }

    record Told(String scenario, int status, List<String[]> headers, long length, String sha256, String text, String error) {
        void say(long sent) {
            StringBuilder fields = new StringBuilder();
            for (String[] field : headers)
                fields.append(fields.isEmpty() ? "" : ",").append("[" + quoted(field[0]) + "," + quoted(field[1]) + "]");
            System.out.println("{\"scenario\":" + quoted(scenario) + ",\"status\":" + status + ",\"headers\":[" + fields
                + "],\"length\":" + length + ",\"sha256\":" + quoted(sha256) + ",\"text\":" + quoted(text)
                + ",\"sent\":" + sent + ",\"error\":" + quoted(error) + "}");
        }

        void say() {
            say(0);
        }
    }

    static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char sign : text.toCharArray())
            json.append(sign < ' ' || sign > '~' || sign == '"' || sign == '\\' ? String.format("\\u%04x", (int) sign) : sign);
        return json.append('"').toString();
    }

    static HttpRequest.Builder to(String target) {
        return HttpRequest.newBuilder(URI.create(base + target)).header("X-User-Id", "u1").timeout(Duration.ofSeconds(300));
    }

    static Told exchange(String scenario, HttpRequest.Builder request) {
        return exchange(scenario, request, () -> {});
    }

    static Told exchange(String scenario, HttpRequest.Builder request, Step event) {
        int status = 0;
        long length = 0;
        List<String[]> headers = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            HttpResponse<InputStream> answer = CLIENT.send(request.build(), BodyHandlers.ofInputStream());
            status = answer.statusCode();
            Map<String, List<String>> sorted = new TreeMap<>(answer.headers().map());
            sorted.forEach((name, values) -> values.forEach(value -> headers.add(new String[] {name, value})));
            byte[] buffer = new byte[BLOCK];
            try (InputStream body = answer.body()) {
                for (int count = body.read(buffer); count >= 0; count = body.read(buffer)) {
                    digest.update(buffer, 0, count);
                    length += count;
                    String piece = new String(buffer, 0, count, StandardCharsets.ISO_8859_1);
                    if (length <= 2000) text.append(piece);
                    for (int at = piece.indexOf("\n\n"); at >= 0; at = piece.indexOf("\n\n", at + 2)) event.take();
                }
            }
            String whole = text.length() == length ? text.toString() : "";
            return new Told(scenario, status, headers, length, HexFormat.of().formatHex(digest.digest()), whole, "");
        } catch (IOException | InterruptedException | NoSuchAlgorithmException failed) {
            return new Told(scenario, status, headers, length, "", text.toString(), failed.toString());
        }
    }

    static void upload(String scenario, String method, String target, long size, boolean chunked, boolean expect) {
        Large body = new Large(size);
        BodyPublisher stream = BodyPublishers.ofInputStream(() -> body);
        BodyPublisher publisher = chunked ? stream : BodyPublishers.fromPublisher(stream, size);
        exchange(scenario, to(target).method(method, publisher).expectContinue(expect)).say(body.at);
    }

    static void scenarios() {
        exchange("length", to("/length")).say();
        exchange("chunked", to("/chunked")).say();
        exchange("gzip", to("/gzip").header("Accept-Encoding", "gzip")).say();
        exchange("gzip-chunked", to("/gzip-chunked").header("Accept-Encoding", "gzip")).say();
        exchange("head", to("/length").method("HEAD", BodyPublishers.noBody())).say();
        exchange("head-chunked", to("/chunked").method("HEAD", BodyPublishers.noBody())).say();
        exchange("undated", to("/undated")).say();
        exchange("204", to("/204")).say();
        exchange("304", to("/304").header("If-None-Match", "\"v1\"")).say();
        exchange("not-304", to("/304").header("If-None-Match", "\"v0\"")).say();
        exchange("set-cookie", to("/set-cookie")).say();
        upload("upload-length", "PUT", "/upload", 100_000, false, false);
        upload("upload-chunked", "POST", "/upload", 100_000, true, false);
        exchange("upload-empty", to("/upload").POST(BodyPublishers.noBody())).say();
        upload("continue", "PUT", "/continue", 100_000, false, true);
        upload("continue-chunked", "POST", "/continue", 100_000, true, true);
        exchange("odd-headers", to("/odd").header("X-MiXeD-cAsE", "kept").header("X-Empty", "").header("X-Inner", "a \t b,,c")
            .header("X-Two", "1").header("X-Two", "2").header("Cookie", "a=1; b=2").header("Accept-Encoding", "br;q=0.5, gzip")).say();
        for (String target : List.of("//a/../b%2f%7E;x?q=%20+&z=?", "/%c3%a9", "/./c/..;/d//", "/x?", "/to/http://h:1/x?u=http://g/"))
            exchange("target " + target, to(target)).say();
        String run = ProcessHandle.current().pid() + "." + System.nanoTime();
        exchange("events", to("/events?run=" + run),
            () -> exchange("", to("/acknowledge?run=" + run).POST(BodyPublishers.noBody()))).say();
        exchange("close", to("/close")).say();
        exchange("cut", to("/cut")).say();
        exchange("cut-chunked", to("/cut-chunked")).say();
        Told last = null;
        for (int n = 0; n < 50; n++) last = exchange("sequential", to("/sequential"));
        last.say();
    }

    public static void main(String[] given) {
        base = given[1];
        if (given[0].equals("scenarios")) {
            scenarios();
            return;
        }
        long size = Long.parseLong(given[2]);
        exchange("download", to("/download?bytes=" + size)).say();
        upload("upload-length", "PUT", "/upload", size, false, false);
        upload("upload-chunked", "POST", "/upload", size, true, false);
    }
}
