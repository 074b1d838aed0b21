"""Hypothesis strategies for what clients and upstreams of the proxy send: valid messages, and all but valid ones."""

from hypothesis import strategies as st

_SOON = ["", "x", "a, b", "close", "keep-alive", "chunked", "0", "5", "upgrade", "text/plain; q=0.5", "é", "a:b", '"q"']

field_values = st.one_of(
    st.sampled_from(_SOON).map(lambda text: text.encode("latin-1")),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).map(lambda text: text.strip().encode()),
    st.binary(max_size=6).map(lambda data: bytes(code | 0x80 for code in data)),
)
_ORDINARY = [
    b"X-A",
    b"x-b",
    b"Accept",
    b"Cookie",
    b"Content-Type",
    b"User-Agent",
    b"ETag",
    b"Set-Cookie",
    b"!#$%&'*+-.^_`|~",
]
_ASKED = [
    (
        b"Connection",
        [b"close", b"keep-alive", b"Keep-Alive, x-a", b"X-B", b"upgrade", b"TE", b"close, upgrade", b"", b",,"],
    ),
    (b"Proxy-Connection", [b"close", b"keep-alive", b"upgrade"]),
    (b"Keep-Alive", [b"timeout=5", b"max=1"]),
    (b"Upgrade", [b"websocket", b"h2c", b"HTTP/2.0", b"chat/2", b"", b"TLS/1.0, x"]),
    (b"TE", [b"trailers", b"gzip, Trailers;q=0.5", b"gzip"]),
    (b"Via", [b"1.0 a", b"1.1 tailslide"]),
    (b"Date", [b"Sun, 22 Nov 2026 10:00:00 GMT"]),
    (b"X-Tailslide", [b"flag=x"]),
]
_OF_CLIENTS = [
    (b"Expect", [b"100-continue", b"100-Continue", b"x"]),
    (b"Forwarded", [b"for=1.2.3.4", b'for="[::1]";proto=https']),
    (b"X-Forwarded-For", [b"1.2.3.4", b"1.2.3.4, ::1", b""]),
    (b"X_Forwarded_For", [b"6.6.6.6"]),
    (b"X-Forwarded-Proto", [b"https"]),
    (b"X-Forwarded-Host", [b"evil"]),
    (b"Max-Forwards", [b"0", b"10", b"x"]),
    (b"HTTP2-Settings", [b"AAMAAABkAAQAAP__"]),
    (b"Proxy-Authorization", [b"Basic x"]),
    (b"Content_Length", [b"3"]),
]


@st.composite
def field_lines(draw: st.DrawFn, known: list[tuple[bytes, list[bytes]]], *, most: int = 6) -> list[bytes]:
    """Draw lines without their ends, in any case and with any white space around their values."""
    lines = []
    for _ in range(draw(st.integers(0, most))):
        if draw(st.booleans()):
            name, values = draw(st.sampled_from(known))
            value = draw(st.sampled_from(values))
        else:
            name, value = draw(st.sampled_from(_ORDINARY)), draw(field_values)
        name = draw(st.sampled_from([name, name.lower(), name.upper()]))
        before, after = draw(st.sampled_from([(b" ", b""), (b"", b""), (b"\t ", b""), (b" ", b" \t")]))
        lines.append(name + b":" + before + value + (after if value else b""))
    return lines


bodies = st.one_of(
    st.binary(max_size=40), st.sampled_from([b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", b"0\r\n\r\n"])
)
_EXTENSIONS = [b"", b"", b";a", b";a=b", b';a="b c"', b";a=b;c"]


@st.composite
def chunked_bodies(draw: st.DrawFn) -> bytes:
    """Draw a chunked body with extensions and trailers."""
    out = b""
    for piece in draw(st.lists(st.binary(min_size=1, max_size=20), max_size=3)):
        size = draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % len(piece)
        out += size + draw(st.sampled_from(_EXTENSIONS)) + b"\r\n" + piece + b"\r\n"
    out += draw(st.sampled_from([b"0", b"000"])) + draw(st.sampled_from(_EXTENSIONS)) + b"\r\n"
    for line in draw(st.lists(st.sampled_from([b"X-Sum: 1", b"Host: evil", b"Cookie: c", b"Date: d"]), max_size=2)):
        out += line + b"\r\n"
    return out + b"\r\n"


_TARGETS = [
    "/",
    "/a",
    "//a/../b%2f;x?q=%20&y",
    "/?",
    "/x?",
    '/{}|^`"<>\\',
    "http://Shop.Example:80/x?y",
    "http://h",
    "*",
]
_HOSTS = [b"h", b"Shop.Example:8080", b"[::1]:80", b"127.0.0.1"]
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY"]


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Draw a request that is nearly always valid, with or without a body."""
    method, target = draw(st.sampled_from(_METHODS)), draw(st.sampled_from(_TARGETS))
    if target == "*":
        method = "OPTIONS"
    version = draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0"]))
    lines = draw(field_lines(_ASKED + _OF_CLIENTS))
    lines.insert(draw(st.integers(0, len(lines))), b"Host: " + draw(st.sampled_from(_HOSTS)))
    framing = draw(st.sampled_from(["none", "none", "length", "chunked"]))
    body = b""
    if framing == "length":
        body = draw(bodies)
        lines.insert(draw(st.integers(0, len(lines))), b"Content-Length: %d" % len(body))
    elif framing == "chunked" and version == "1.1":
        body = draw(chunked_bodies())
        lines.insert(
            draw(st.integers(0, len(lines))),
            draw(st.sampled_from([b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked"])),
        )
    return (
        f"{method} {target} HTTP/{version}\r\n".encode() + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body
    )


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Draw an answer that is nearly always valid, behind interim ones."""
    out = b""
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        out += draw(
            st.sampled_from(
                [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: </a>\r\nConnection: link\r\n\r\n"]
            )
        )
    status = draw(st.sampled_from([200, 200, 204, 206, 301, 304, 404, 426, 500, 599]))
    reason = draw(st.sampled_from([b" OK", b" ", b" Not Found", b" \xe9t\xe9", b""]))
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    lines = draw(field_lines(_ASKED))
    framing = draw(st.sampled_from(["length", "length", "chunked", "close"]))
    body = draw(bodies)
    if framing == "length":
        lines.insert(draw(st.integers(0, len(lines))), b"Content-Length: %d" % len(body))
    elif framing == "chunked" and version == b"1.1":
        body = draw(chunked_bodies())
        lines.insert(draw(st.integers(0, len(lines))), b"Transfer-Encoding: chunked")
    if status in {204, 304} and draw(st.booleans()):
        body = b""
    head = b"HTTP/%b %d%b\r\n" % (version, status, reason) + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    return out + head + body


_NASTY = [
    *[bytes([code]) for code in b" \t\r\n\0\x01:;,_05a*#?\x7f\x80\xff"],
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\r\nHost: evil",
    b"\r\nContent-Length: 3",
    b"\r\ncontent-length: 0",
    b"\r\nTransfer-Encoding: chunked",
    b"\r\nTransfer-Encoding : chunked",
    b"\r\nConnection: close",
    b"\r\nUpgrade: websocket\r\nConnection: upgrade",
    b"HTTP/1.0",
    b" HTTP/1.1",
]


@st.composite
def mutated(draw: st.DrawFn, messages: st.SearchStrategy[bytes]) -> bytes:
    """Draw a message with up to three insertions, replacements or deletions."""
    data = draw(messages)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        taken = draw(st.sampled_from([0, 0, 1, 1, 2, 7]))
        data = data[:place] + draw(st.sampled_from([b"", *_NASTY])) + data[place + taken :]
    return data


splits = st.lists(st.integers(0, 2_000), max_size=6)
