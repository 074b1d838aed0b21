"""Requests that are wrong in one way each: whether each listener answers them in its documented shape."""

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hostile_bench.system import Listener, System
from hostile_bench.wire import Seen, talk

CANARY = "zq9canary"
"""Stands in what is malformed, so that it is seen whether an answer gives it back."""

NO_HEAD = "HTTP/0.9"
"""The only case that may be left without an answer."""

_GETS = {"flags": "/v1/flags/route", "ofrep": "/ofrep/v1/evaluate/flags", "proxy": "/svc/ok"}
_GETS |= {"tower": "/api/v1/apps", "aerobat": "/v1/status"}
_POSTS = {"flags": "/v1/flags/flag-9/outcomes", "ofrep": "/ofrep/v1/evaluate/flags", "proxy": "/svc/ok"}
_POSTS |= {"tower": "/api/v1/apps/shop/flags", "aerobat": "/v1/status"}
PLACES = tuple(_GETS)


@dataclass(frozen=True)
class Case:
    """One malformed request to one place."""

    case: str
    place: str
    status: int | None
    """None where nothing was answered."""
    kind: str
    """The content type."""
    shape: str
    """`ours`, `accepted` (no error), `none` (the connection ended), or what is wrong."""
    echoes: bool
    tracebacks: int
    end: str


Make = Callable[[str, str, str], bytes]
"""Makes the request, of a target for GET, a target for POST, and the fields that let one in."""


def _get(target: str, auth: str, *lines: bytes, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    head = [f"{method} {target} {version}".encode("latin-1"), b"Host: 127.0.0.1", *([auth.encode()] if auth else [])]
    return b"\r\n".join([*head, *lines, b"", b""])


def _post(target: str, auth: str, body: bytes, *lines: bytes) -> bytes:
    if not any(line.lower().startswith(b"content-type") for line in lines):
        lines = (*lines, b"Content-Type: application/json")
    return _get(target, auth, *lines, b"Content-Length: %d" % len(body), method="POST") + body


def _nested(depth: int) -> bytes:
    return b'{"key":"%b","context":%b%b}' % (CANARY.encode(), b"[" * depth, b"]" * depth)


_C = CANARY.encode()
_TLS = (
    bytes.fromhex("160301007a010000760303")
    + bytes(32)
    + bytes.fromhex("20")
    + bytes(32)
    + bytes.fromhex("0004c02bc02f0100")
)
_H2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

CASES: dict[str, Make] = {
    "Authorization: Bearer \\xff": lambda get, _, __: _get(get, "", b"Authorization: Bearer \xff" + _C),
    "X-API-Key: \\xff": lambda get, _, auth: _get(get, auth, b"X-API-Key: \xff" + _C),
    "JSON 1,000 deep": lambda _, post, auth: _post(post, auth, _nested(1_000)),
    "JSON 100,000 deep": lambda _, post, auth: _post(post, auth, _nested(100_000)),
    "JSON name twice": lambda _, post, auth: _post(
        post,
        auth,
        b'{"outcome":"failure","outcome":"success","key":"a1","key":"a2","context":{"a":1},"context":{"a":2}}',
    ),
    "JSON NaN": lambda _, post, auth: _post(post, auth, b'{"count":NaN,"context":{"a":NaN},"rollout":NaN,"key":"x"}'),
    "JSON lone surrogate": lambda _, post, auth: _post(
        post, auth, b'{"outcome":"\\ud800","key":"\\ud800","context":{"targetingKey":"\\ud800"}}'
    ),
    "JSON true for a number": lambda _, post, auth: _post(
        post, auth, b'{"outcome":true,"count":null,"key":true,"context":{"targetingKey":true}}'
    ),
    "JSON cut short": lambda _, post, auth: _post(post, auth, b'{"key": "' + _C),
    "JSON no UTF-8": lambda _, post, auth: _post(post, auth, b'{"outcome":"\xff","key":"\xff","context":"\xff"}'),
    "JSON a number of 5,000 digits": lambda _, post, auth: _post(
        post, auth, b'{"outcome":"failure","count":%b,"context":{"a":%b}}' % (b"9" * 5_000, b"9" * 5_000)
    ),
    "JSON 400 digits, exponent": lambda _, post, auth: _post(
        post, auth, b'{"outcome":"failure","latency_ms":1e400,"key":1e400,"context":{"a":1e400}}'
    ),
    "wrong Content-Type": lambda _, post, auth: _post(post, auth, b"{}", b"Content-Type: text/" + _C),
    "Content-Type no UTF-8": lambda _, post, auth: _post(post, auth, b"{}", b"Content-Type: \xff" + _C),
    "Content-Type charset nonsense": lambda _, post, auth: _post(
        post, auth, b"{}", b"Content-Type: application/json; charset=" + _C
    ),
    "body of 2 MB": lambda _, post, auth: _post(post, auth, b" " * 2_000_000),
    "body of 2 MB, chunked": lambda _, post, auth: (
        _get(post, auth, b"Content-Type: application/json", b"Transfer-Encoding: chunked", method="POST")
        + b"1e8480\r\n"
        + b" " * 2_000_000
        + b"\r\n0\r\n\r\n"
    ),
    "query of 9,000 bytes": lambda get, _, auth: _get(f"{get}?{CANARY}={'q' * 9_000}", auth),
    "query of 90,000 bytes": lambda get, _, auth: _get(f"{get}?{CANARY}={'q' * 90_000}", auth),
    "header of 9,000 bytes": lambda get, _, auth: _get(get, auth, b"X-Long: " + _C + b"h" * 9_000),
    "header of 90,000 bytes": lambda get, _, auth: _get(get, auth, b"X-Long: " + _C + b"h" * 90_000),
    "header name of 9,000 bytes": lambda get, _, auth: _get(get, auth, _C + b"n" * 9_000 + b": x"),
    "cookie of 64 kB": lambda get, _, auth: _get(get, auth, b"Cookie: " + b"; ".join([b"a=b"] * 13_000)),
    "1,000 headers": lambda get, _, auth: _get(get, auth, *(b"X-%d: y" % index for index in range(1_000))),
    "Content-Encoding: br": lambda _, post, auth: _post(post, auth, b"\x8b\x02\x80{}\x03", b"Content-Encoding: br"),
    "Content-Encoding: zstd": lambda _, post, auth: _post(post, auth, b"\x28\xb5\x2f\xfd", b"Content-Encoding: zstd"),
    "Content-Encoding: nonsense": lambda _, post, auth: _post(post, auth, b"{}", b"Content-Encoding: " + _C),
    "Content-Encoding: gzip, gzip": lambda _, post, auth: _post(post, auth, b"{}", b"Content-Encoding: gzip, gzip"),
    "gzip, whole": lambda _, post, auth: _post(post, auth, zlib.compress(b"{}", 9, 31), b"Content-Encoding: gzip"),
    "gzip, broken": lambda _, post, auth: _post(post, auth, b"\x1f\x8b" + b"x" * 50, b"Content-Encoding: gzip"),
    "gzip, cut short": lambda _, post, auth: _post(
        post, auth, zlib.compress(bytes(99), 9, 31)[:-9], b"Content-Encoding: gzip"
    ),
    "gzip, broken, unknown path": lambda _, __, auth: _post("/nowhere", auth, b"\x1f\x8bxx", b"Content-Encoding: gzip"),
    "path raw UTF-8": lambda get, _, auth: _get(get + "/é", auth).replace(b"\xe9", "é".encode()),
    "path raw \\xff": lambda get, _, auth: _get(get + "/\xff", auth),
    "path with space": lambda get, _, auth: _get(get + f"/a {CANARY}", auth),
    "path %ff": lambda get, _, auth: _get(get + "/%ff" + CANARY, auth),
    "path %zz": lambda get, _, auth: _get(get + "/%zz" + CANARY, auth),
    "path %00": lambda get, _, auth: _get(get + "/%00" + CANARY, auth),
    "path %2e%2e%2f": lambda get, _, auth: _get(get + "/%2e%2e%2f" + CANARY, auth),
    "path //": lambda get, _, auth: _get("//" + CANARY + get, auth),
    "path with #": lambda get, _, auth: _get(get + "#" + CANARY, auth),
    "query %ff": lambda get, _, auth: _get(get + "?a=%ff&b=%zz", auth),
    "query raw \\xff": lambda get, _, auth: _get(get + "?a=\xff", auth),
    "chunk size nonsense": lambda _, post, auth: (
        _get(post, auth, b"Transfer-Encoding: chunked", b"Content-Type: application/json", method="POST") + _C + b"\r\n"
    ),
    "chunk size negative": lambda _, post, auth: (
        _get(post, auth, b"Transfer-Encoding: chunked", method="POST") + b"-1\r\n"
    ),
    "chunk extension of 100 kB": lambda _, post, auth: (
        _get(post, auth, b"Transfer-Encoding: chunked", b"Content-Type: application/json", method="POST")
        + b"2;"
        + b"x" * 100_000
        + b"\r\n{}\r\n0\r\n\r\n"
    ),
    "trailers": lambda _, post, auth: (
        _get(post, auth, b"Transfer-Encoding: chunked", b"Content-Type: application/json", method="POST")
        + b"2\r\n{}\r\n0\r\nX-Trailer: "
        + _C
        + b"\r\n\r\n"
    ),
    "trailers of 100 kB": lambda _, post, auth: (
        _get(post, auth, b"Transfer-Encoding: chunked", b"Content-Type: application/json", method="POST")
        + b"2\r\n{}\r\n0\r\nX-Trailer: "
        + b"t" * 100_000
        + b"\r\n\r\n"
    ),
    "two Content-Length": lambda _, post, auth: (
        _get(post, auth, b"Content-Length: 2", b"Content-Length: 3", method="POST") + b"{} "
    ),
    "Content-Length and chunked": lambda _, post, auth: (
        _get(post, auth, b"Content-Length: 2", b"Transfer-Encoding: chunked", method="POST") + b"0\r\n\r\n"
    ),
    "Content-Length negative": lambda _, post, auth: _get(post, auth, b"Content-Length: -1", method="POST"),
    "Content-Length 10^30": lambda _, post, auth: _get(post, auth, b"Content-Length: 1" + b"0" * 30, method="POST"),
    "Transfer-Encoding: nonsense": lambda _, post, auth: _get(post, auth, b"Transfer-Encoding: " + _C, method="POST"),
    "two Host": lambda get, _, auth: _get(get, auth, b"Host: " + _C),
    "no Host": lambda get, _, __: f"GET {get} HTTP/1.1\r\n\r\n".encode(),
    "NUL in header": lambda get, _, auth: _get(get, auth, b"X-Nul: a\0" + _C),
    "CR in header": lambda get, _, auth: _get(get, auth, b"X-Cr: a\rb" + _C),
    "space before colon": lambda get, _, auth: _get(get, auth, b"X-Space : " + _C),
    "line without a colon": lambda get, _, auth: _get(get, auth, _C),
    "folded header": lambda get, _, auth: _get(get, auth, b"X-Fold: a\r\n  " + _C),
    "LF only": lambda get, _, auth: _get(get, auth).replace(b"\r\n", b"\n"),
    NO_HEAD: lambda get, _, __: f"GET {get}\r\n".encode(),
    "HTTP/1.0": lambda get, _, auth: _get(get, auth, version="HTTP/1.0"),
    "HTTP/1.2": lambda get, _, auth: _get(get, auth, version="HTTP/1.2"),
    "HTTP/3.7": lambda get, _, auth: _get(get, auth, version="HTTP/3.7"),
    "HTTP/2 preface": lambda _, __, ___: _H2,
    "TLS hello": lambda _, __, ___: _TLS,
    "bytes of nonsense": lambda _, __, ___: _C + b"\x00\x01\x02\xff\r\n\r\n",
    "empty lines": lambda get, _, auth: b"\r\n" * 50 + _get(get, auth),
    "OPTIONS *": lambda _, __, auth: _get("*", auth, method="OPTIONS"),
    "GET *": lambda _, __, auth: _get("*", auth),
    "absolute form": lambda get, _, auth: _get(f"http://127.0.0.1{get}", auth),
    "absolute form, foreign": lambda get, _, auth: _get(f"http://{CANARY}.example{get}", auth),
    "absolute form, ftp": lambda get, _, auth: _get(f"ftp://{CANARY}{get}", auth),
    "CONNECT": lambda _, __, auth: _get(f"{CANARY}.example:443", auth, method="CONNECT"),
    "TRACE": lambda get, _, auth: _get(get, auth, b"X-Secret: " + _C, method="TRACE"),
    "Expect: 100-continue": lambda _, post, auth: _post(post, auth, b"{}", b"Expect: 100-continue"),
    "Expect: nonsense": lambda _, post, auth: _post(post, auth, b"{}", b"Expect: " + _C),
    "method nonsense": lambda get, _, auth: _get(get, auth, method=CANARY.upper()),
    "method M-SEARCH": lambda get, _, auth: _get(get, auth, method="M-SEARCH"),
    "method lower case": lambda get, _, auth: _get(get, auth, method="get"),
    "method PATCH, unknown path": lambda _, __, auth: _get(f"/{CANARY}", auth, method="PATCH"),
    "Upgrade: websocket": lambda get, _, auth: _get(
        get,
        auth,
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    "Upgrade: h2c": lambda get, _, auth: _get(
        get, auth, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"
    ),
    "Range": lambda get, _, auth: _get(get, auth, b"Range: bytes=0-0,1-1," + b",".join([b"2-2"] * 500)),
    "If-None-Match of 7 kB": lambda _, post, auth: _post(post, auth, b"{}", b"If-None-Match: " + b'"a",' * 1_800),
    "If-None-Match, 100 of them": lambda _, post, auth: _post(post, auth, b"{}", *([b'If-None-Match: "a", "b"'] * 50)),
    "If-Match nonsense": lambda get, _, auth: _get(get, auth, b"If-Match: \xff" + _C, method="DELETE"),
    "If-Modified-Since nonsense": lambda get, _, auth: _get(get, auth, b"If-Modified-Since: " + _C),
    "Cookie nonsense": lambda get, _, auth: _get(get, auth, b'Cookie: "\xff=;;;=' + _C),
    "X-Forwarded-For nonsense": lambda get, _, auth: _get(get, auth, b"X-Forwarded-For: " + _C + b"\xff"),
    "multipart nonsense": lambda _, post, auth: _post(
        post, auth, b"--x", b"Content-Type: multipart/form-data; boundary="
    ),
    "Connection: nonsense": lambda get, _, auth: _get(get, auth, b"Connection: host, content-length, " + _C),
}


async def matrix(system: System, places: Sequence[str] = PLACES) -> list[Case]:
    """Send each to each listener, and to OFREP's routes of the flags listener."""
    cases = []
    for name, make in CASES.items():
        for place in places:
            listener = system.listeners["flags" if place == "ofrep" else place]
            auth = f"Authorization: Bearer {system.token}" if place == "tower" else ""
            cases.append(await _case(name, place, make(_GETS[place], _POSTS[place], auth), listener))
    return cases


async def _case(name: str, place: str, message: bytes, listener: Listener) -> Case:
    before = listener.process.look().tracebacks
    pieces = [message[start : start + 65_536] for start in range(0, len(message), 65_536)]
    # To a server of HTTP/1.1 that line is the beginning of a request.
    seen = await talk(listener.address, pieces, wait_s=0.5 if name == NO_HEAD else 10)
    head, _, body = _final(seen).partition(b"\r\n\r\n")
    kind = ""
    for line in head.split(b"\r\n")[1:]:
        if line.lower().startswith(b"content-type:"):
            kind = line.partition(b":")[2].strip().decode("latin-1")
    is_ofrep = place == "ofrep" and b"/ofrep/" in message.partition(b" HTTP/")[0]
    return Case(
        case=name,
        place=place,
        status=seen.status,
        kind=kind,
        shape=shape_of(seen.status, kind, body, ofrep=is_ofrep),
        echoes=_C.lower() in seen.data.lower(),
        tracebacks=listener.process.look().tracebacks - before,
        end=seen.end,
    )


def _final(seen: Seen) -> bytes:
    """Return what has come behind interim answers."""
    data = seen.data
    while data.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
        data = data.partition(b"\r\n\r\n")[2]
    return data


_PYTHON = ("True", "None", "False")


def shape_of(status: int | None, kind: str, body: bytes, *, ofrep: bool) -> str:
    """Say whether an answer has the documented shape of an error, or what is wrong with it."""
    if status is None:
        return "none" if not body else "no HTTP"
    if status < 400:
        return "accepted"
    if not kind.startswith(("application/json", "application/problem+json")):
        return kind.partition(";")[0] or "no body"
    try:
        answer = json.loads(body)
    except ValueError:
        return "no JSON"
    if ofrep and isinstance(answer, dict) and "error" not in answer:
        # What names no path, since it is no HTTP, is answered in the other shape.
        ok = {"errorCode", "errorDetails"} <= answer.keys() <= {"errorCode", "errorDetails", "key"}
        return "ours" if ok else "not OFREP's"
    if kind.startswith("application/problem+json"):  # Tower's
        known = {"type", "title", "status", "detail", "code", "field"}
        if not isinstance(answer, dict) or not known - {"field"} <= answer.keys() <= known:
            return "another shape"
        return "True or None" if any(word in str(answer["detail"]).split() for word in _PYTHON) else "ours"
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict) or not {"code", "message"} <= error.keys() <= {"code", "message", "field"}:
        return "another shape"
    return "True or None" if any(word in str(error["message"]).split() for word in _PYTHON) else "ours"
