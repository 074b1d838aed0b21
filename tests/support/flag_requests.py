"""Requests to the flags listener as bytes, written in every way that the world has, and in some that it should not.

Each says whether the hot path answers it itself. What the answer is, is not said here: the guard, or aiohttp behind it,
gives it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.ruleset import CircuitSettings, Requirement, Rule, Ruleset
from tailslide_core.variants import Share, ValueType, Variant
from tailslide_runtime.own_names import OwnNames
from tailslide_runtime.settings import ListenAddress
from tailslide_sidecar.flag_store import Content

APP = "clinic"
ONE = "/ofrep/v1/evaluate/flags"
ALL = "/ofrep/v1/evaluate/flags"
NATIVE = "/v1/flags"
TOKEN = "sesame-123"
LOCAL = OwnNames.of(ListenAddress("127.0.0.1", 4141))
USER = b'{"context":{"targetingKey":"u1","country":"DE"}}'
JSON = "Content-Type: application/json"
COLOURS: dict[str, object] = {
    "type": ValueType.STRING,
    "variants": (Variant("blue", "#00f"), Variant("green", "#0f0"), Variant("red", "#f00")),
    "off_variant": "blue",
    "split": (Share("green", 1), Share("red", 1)),
    "bucket_by": "country",
}
NUMBERS = (Variant("pi", 3.14), Variant("none", 0))
OBJECTS = (Variant("some", {"limits": [1, 2], "title": "Zoë"}), Variant("none", {}))


@dataclass(frozen=True)
class Case:
    """One request, complete.

    `hot`: the hot path answers it. `broken`: it is refused as no HTTP, in words that depend on how it is cut.
    """

    name: str
    raw: bytes
    hot: bool = False
    broken: bool = False

    @property
    def to_head(self) -> bool:
        return self.raw.startswith(b"HEAD ")


def content() -> Content:
    """Return flags in all the states that matter."""
    circuit = CircuitSettings()
    german = Rule((Condition("country", Operator.IN, ("DE",)),), 100.0)

    def flag(key: str, **fields: object) -> Ruleset:
        settings: dict[str, object] = {"active": True, "rollout": 100.0, "circuit": circuit, **fields}
        return Ruleset(APP, key, 7, salt=key, **settings)  # type: ignore[arg-type] # the fields of Ruleset

    flags = [
        flag("Theme.new", **COLOURS),
        flag("Theme.old", rollout=0.0, rules=(Rule(german.when, 100.0, (Share("red", 1),), "germany"),), **COLOURS),
        flag("control", split=(Share("on", 1), Share("off", 1))),
        flag("dark", active=False, metadata=(("ticket", "SHOP-12"), ("cost", 1.5))),
        flag("depends", requires=(Requirement("open"),)),
        flag("depends.on", requires=(Requirement("plain"), Requirement("half"))),
        flag("german", rollout=0.0, rules=(german,)),
        flag("half", rollout=50.0),
        flag("listed", rollout=0.0, allow=frozenset({"u1"})),
        flag("open"),
        flag("plain", circuit=None),
        flag("number", type=ValueType.NUMBER, variants=NUMBERS, off_variant="none", split=(Share("pi", 1),)),
        flag("object", type=ValueType.OBJECT, variants=OBJECTS, off_variant="none", split=(Share("some", 1),)),
        flag("recovering"),
    ]
    circuits = {"open": Circuit(State.OPEN, 0.0, trips=1), "recovering": Circuit(State.RECOVERING, 20.0, trips=1)}
    return Content({ruleset.key: ruleset for ruleset in flags}, circuits)


def post(path: str, body: bytes = USER, *headers: str, kind: str = JSON, length: str | None = None) -> bytes:
    """Return a POST; a header that is empty is left out."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", kind, *headers]
    lines.append(f"Content-Length: {len(body)}" if length is None else length)
    return "\r\n".join([line for line in lines if line]).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def get(path: str, *headers: str, line: str | None = None) -> bytes:
    lines = [line or f"GET {path} HTTP/1.1", "Host: localhost", *headers]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"


def raw(text: str) -> bytes:
    """Return what is written with a line for each line."""
    return text.replace("\n", "\r\n").encode("utf-8", "surrogateescape")


def hot_cases(etag: str) -> Iterator[Case]:
    """Yield requests that the hot path has to answer; `etag` is that of all flags for `USER`."""

    def hot(name: str, request: bytes) -> Case:
        return Case(name, request, hot=True)

    for flag in content().rulesets:
        yield hot(f"one {flag}", post(f"{ONE}/{flag}"))
        yield hot(f"native {flag}", get(f"{NATIVE}/{flag}?targeting_key=u1&country=DE"))
        yield hot(f"native {flag}, nobody asks", get(f"{NATIVE}/{flag}"))
    bodies: dict[str, bytes] = {
        "no body": b"",
        "empty object": b"{}",
        "null context": b'{"context":null}',
        "empty context": b'{"context":{}}',
        "null key": b'{"context":{"targetingKey":null}}',
        "empty key": b'{"context":{"targetingKey":""}}',
        "number as key": b'{"context":{"targetingKey":5}}',
        "list as context": b'{"context":[]}',
        "list": b"[]",
        "null": b"null",
        "broken": b'{"context":',
        "blank": b"   ",
        "trailing comma": b'{"context":{},}',
        "twice": b"{}{}",
        "lone surrogate": b'{"context":{"targetingKey":"\\ud800"}}',
        "not UTF-8": b'{"context":{"targetingKey":"\xff"}}',
        "byte order mark": b"\xef\xbb\xbf{}",
        "NUL": b'{"context":{"targetingKey":"\\u0000"}}',
        "huge integer": b'{"context":{"age":' + b"9" * 400 + b"}}",
        "huge float": b'{"context":{"age":1e999}}',
        "deep": b'{"context":{"a":' + b"[" * 500 + b"]" * 500 + b"}}",
        "too deep": b'{"context":{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}}",
        "same name twice": b'{"context":{"targetingKey":"a"},"context":{"targetingKey":"u1"}}',
        "unknown fields": b'{"flags":[1],"context":{"targetingKey":"u1","x":{"y":[null]}}}',
        "not ASCII": '{"context":{"targetingKey":"Zoë \U0001f3bf"}}'.encode(),
        "looks like a request": b'{"context":{"a":"GET /v1/flags/x HTTP/1.1\\r\\n\\r\\n"}}\r\n\r\n',
        "long": b'{"context":{"targetingKey":"' + b"k" * 60_000 + b'"}}',
    }
    for name, body in bodies.items():
        yield hot(f"one, {name}", post(f"{ONE}/half", body))
        yield hot(f"all, {name}", post(ALL, body))
    for kind in ("application/json; charset=utf-8", "application/json;charset=utf-8", "Application/JSON"):
        yield hot(f"one, {kind}", post(f"{ONE}/half", kind=f"Content-Type: {kind}"))
    yield hot("one, unknown", post(f"{ONE}/nothing"))
    yield hot("native, unknown", get(f"{NATIVE}/nothing?targeting_key=u"))
    for name, key in (
        ("a capital", "Half"), ("capitals", "HALF"), ("a dot", "a.b"), ("dots", "Flags.flag._is-enabled.v2"),
        ("a dash first", "-half"), ("digits", "2026"), ("100 characters", "a" * 100),
        ("100 characters with dots", "a." * 49 + "ab"),
    ):  # fmt: skip # a table
        yield hot(f"one, unknown, {name}", post(f"{ONE}/{key}"))
        yield hot(f"native, unknown, {name}", get(f"{NATIVE}/{key}?targeting_key=u1"))
    bare = etag.strip('"')
    tags = [etag, bare, f"W/{etag}", f"W/{bare}", f'"x", {etag}', f'"x",{bare} , "y"', "*", '"x"', "x", "", ",", '"x']
    for tag in [*tags, f"{etag}x", f"w/{etag}", f"  {etag}", f'"a,{bare}"']:
        yield hot(f"all, If-None-Match: {tag}", post(ALL, USER, f"If-None-Match: {tag}"))
    yield hot("one, If-None-Match", post(f"{ONE}/half", USER, "If-None-Match: *"))
    for query in (
        "", "targeting_key=u1", "targeting_key=", "targeting_key", "targeting_key=a&targeting_key=b", "&&=&a&=b",
        "targeting_key=u%31", "targeting_key=a+b", "targeting_key=%zz", "targeting_key=%ff%fe", "targeting_key=%",
        "country=DE&country=FR", "country=D%45", "a=b;c=d", "targeting_key=%00", "targeting_key=%0d%0a",
        "targeting_key=a/b:c@d,e!f*(g)-~_.", "a=b=c", "%74argeting_key=u1", "targeting%5Fkey=u1",
    ):  # fmt: skip # a table
        yield hot(f"native, ?{query}", get(f"{NATIVE}/half?{query}"))
    for header in (
        "Accept: */*", "User-Agent: curl/8.5.0", "Accept-Encoding: gzip, deflate, br", "Cookie: a=b; c=d", "X-Empty:",
        "X-Empty: ", "X-Blank: \t ", "Connection: keep-alive", "connection: Keep-Alive", "X-Latin: caf\udce9",
        "X-Utf8: Zoë", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "X-Tab: a\tb",
        "Authorization: Bearer nonsense", "Authorization: Basic YTpi", "X-API-Key: nonsense", "Range: bytes=0-5",
        "Accept: application/json\r\nAccept: text/plain", "X-Forwarded-For: 10.0.0.1", "If-Match: *",
        "If-Modified-Since: Sun, 22 Nov 2026 10:00:00 GMT", "X-Long: " + "x" * 6000,
        "X!#$%&'*+-.^_`|~9: v", "Forwarded: for=1.2.3.4", "X-Http-Method-Override: DELETE", "Cache-Control: no-cache",
    ):  # fmt: skip # a table
        yield hot(f"one, {header[:40]}", post(f"{ONE}/half", USER, header))
        yield hot(f"native, {header[:40]}", get(f"{NATIVE}/half?targeting_key=u1", header))
    yield hot("one, shouted", post(f"{ONE}/half").replace(b"Host", b"HOST").replace(b"Content", b"CONTENT"))
    yield hot("one, no spaces", post(f"{ONE}/half").replace(b": ", b":"))
    yield hot("one, length with zeros", post(f"{ONE}/half", length=f"Content-Length: 00{len(USER)}"))
    yield hot("native, length 0", get(f"{NATIVE}/half", "Content-Length: 0"))
    yield hot("native, with a type", get(f"{NATIVE}/half", JSON))
    yield hot("one, 60 headers", post(f"{ONE}/half", USER, *[f"X-{number}: {number}" for number in range(57)]))


def cold_cases() -> Iterator[Case]:
    """Yield requests that are the guard's, and aiohttp's."""
    for name, request in [
        ("one, a foreign page", post(f"{ONE}/half", USER, "Origin: http://example.org")),
        ("one, a page of ours", post(f"{ONE}/half", USER, "Origin: http://localhost")),
        ("native, a foreign page", get(f"{NATIVE}/half?targeting_key=u1", "Origin: http://example.org")),
        ("one, a foreign name", post(f"{ONE}/half").replace(b"localhost", b"evil.example")),
        ("native, a foreign name", get(f"{NATIVE}/half").replace(b"localhost", b"evil.example:4141")),
        ("native, absolute target of a foreign name", get("", line=f"GET http://evil.example{NATIVE}/half HTTP/1.1")),
        ("two Max-Forwards", get(f"{NATIVE}/half", "Max-Forwards: 1", "Max-Forwards: 1")),
        ("one, percent-encoded", post(f"{ONE}/h%61lf")),
        ("one, percent-encoded slash", post(f"{ONE}/a%2Fb")),
        ("one, percent-encoded nonsense", post(f"{ONE}/%zz")),
        ("one, percent-encoded, not UTF-8", post(f"{ONE}/%ff")),
        ("one, percent-encoded NUL", post(f"{ONE}/%00")),
        ("one, trailing slash", post(f"{ONE}/half/")),
        ("all, trailing slash", post(f"{ALL}/")),
        ("one, two slashes", post(f"{ONE}//half")),
        ("one, query", post(f"{ONE}/half?x=1")),
        ("all, query", post(f"{ALL}?x=1")),
        ("one, key too long", post(f"{ONE}/{'a' * 101}")),
        ("one, key of dots too long", post(f"{ONE}/{'a.' * 50}a")),
        ("one, key with a dot first", post(f"{ONE}/.a")),
        ("one, key with a dot last", post(f"{ONE}/a.")),
        ("one, key with two dots", post(f"{ONE}/a..b")),
        ("one, key of ours", post(f"{ONE}/_segments.vip")),
        ("one, dots", post(f"{ONE}/../flags/half")),
        ("one, fragment", post(f"{ONE}/half#x")),
        ("native, trailing slash", get(f"{NATIVE}/half/")),
        ("native, percent-encoded", get(f"{NATIVE}/h%61lf?targeting_key=u1")),
        ("native, not UTF-8", get(f"{NATIVE}/%ff")),
        ("native, key too long", get(f"{NATIVE}/{'a' * 101}")),
        ("native, key with a dot last", get(f"{NATIVE}/a.?targeting_key=u1")),
        ("native, key with two dots", get(f"{NATIVE}/a..b")),
        ("native, key of ours", get(f"{NATIVE}/_published")),
        ("native, fragment", get(f"{NATIVE}/half?targeting_key=u1#x")),
        ("native, fragment with a query", get(f"{NATIVE}/half#x?targeting_key=u1")),
        ("native, brackets", get(f"{NATIVE}/half?targeting_key=u1&groups[]=a")),
        ("native, quotes", get(f'{NATIVE}/half?targeting_key="u\'1"')),
        ("native, braces and bars", get(f"{NATIVE}/half?a={{|}}\\^`")),
        ("native, question marks", get(f"{NATIVE}/half?targeting_key=u?1??")),
        ("native, dollar", get(f"{NATIVE}/half?targeting_key=$u")),
        ("native all", get(f"{NATIVE}?targeting_key=u1")),
        ("native, with a body", get(f"{NATIVE}/half", "Content-Length: 5") + b"hello"),
        ("native, If-None-Match twice", get(f"{NATIVE}/half", "If-None-Match: a", "If-None-Match: b")),
        ("all, If-None-Match twice", post(ALL, USER, "If-None-Match: a", "If-None-Match: *")),
        ("all, If-None-Match, not ASCII", post(ALL, USER, "If-None-Match: \udcff")),
        ("one, no type", post(f"{ONE}/half", kind="")),
        ("one, no type, no body", post(f"{ONE}/half", b"", kind="")),
        ("one, no type, no body, no length", post(f"{ONE}/half", b"", kind="").replace(b"Content-Length: 0\r\n", b"")),
        ("one, no length", post(f"{ONE}/half", b"").replace(b"Content-Length: 0\r\n", b"")),
        ("one, other type", post(f"{ONE}/half", kind="Content-Type: text/plain")),
        ("one, other type, no body", post(f"{ONE}/half", b"", kind="Content-Type: text/plain")),
        ("all, other type", post(ALL, kind="Content-Type: application/x-www-form-urlencoded")),
        ("one, json of another kind", post(f"{ONE}/half", kind="Content-Type: application/problem+json")),
        ("one, nonsense as type", post(f"{ONE}/half", kind="Content-Type: ;;")),
        ("one, other charset", post(f"{ONE}/half", kind="Content-Type: application/json; charset=latin-1")),
        ("one, charset in quotes", post(f"{ONE}/half", kind='Content-Type: application/json; charset="utf-8"')),
        ("one, long body", post(f"{ONE}/half", b" " * 70_000 + USER)),
        ("one, too long a body", post(f"{ONE}/half", b" " * 1_100_000)),
        ("one, Expect", post(f"{ONE}/half", USER, "Expect: 100-continue")),
        ("one, another Expect", post(f"{ONE}/half", USER, "Expect: a miracle")),
        ("one, close", post(f"{ONE}/half", USER, "Connection: close")),
        ("native, close", get(f"{NATIVE}/half", "Connection: Close")),
        ("native, Connection list", get(f"{NATIVE}/half", "Connection: keep-alive, x-y")),
        ("native, Keep-Alive", get(f"{NATIVE}/half", "Keep-Alive: timeout=5")),
        ("native, TE", get(f"{NATIVE}/half", "TE: trailers", "Connection: te")),
        ("native, Proxy-Connection", get(f"{NATIVE}/half", "Proxy-Connection: close")),
        ("one, content encoding", post(f"{ONE}/half", USER, "Content-Encoding: identity")),
        ("one, broken gzip", post(f"{ONE}/half", USER, "Content-Encoding: gzip")),
        (
            "native, upgrade to h2c",
            get(
                f"{NATIVE}/half",
                "Connection: Upgrade, HTTP2-Settings",
                "Upgrade: h2c",
                "HTTP2-Settings: AAMAAABkAAQAAP__",
            ),
        ),
        ("native, Upgrade alone", get(f"{NATIVE}/half", "Upgrade: h2c")),
        ("one, chunked", post(f"{ONE}/half", b"2\r\n{}\r\n0\r\n\r\n", length="Transfer-Encoding: chunked")),
        (
            "one, chunked with a trailer",
            post(f"{ONE}/half", b"2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n", length="Transfer-Encoding: chunked"),
        ),
        (
            "one, chunked with an extension",
            post(f"{ONE}/half", b"2;a=b\r\n{}\r\n0\r\n\r\n", length="Transfer-Encoding: chunked"),
        ),
        ("native, HTTP/1.0", get("", line=f"GET {NATIVE}/half HTTP/1.0")),
        ("native, HTTP/1.0, keep-alive", get("", "Connection: keep-alive", line=f"GET {NATIVE}/half HTTP/1.0")),
        ("native, HTTP/1.0 without Host", raw(f"GET {NATIVE}/half HTTP/1.0\n\n")),
        ("one, HTTP/1.0", post(f"{ONE}/half").replace(b"HTTP/1.1", b"HTTP/1.0")),
        ("native, absolute target", get("", line=f"GET http://localhost{NATIVE}/half?targeting_key=u1 HTTP/1.1")),
        ("native, HEAD", get("", line=f"HEAD {NATIVE}/half HTTP/1.1")),
        ("all, HEAD", get("", line=f"HEAD {ALL} HTTP/1.1")),
        ("native, PUT", get("", line=f"PUT {NATIVE}/half HTTP/1.1")),
        ("one, GET", get(f"{ONE}/half")),
        ("native, POST", post(f"{NATIVE}/half")),
        ("one, DELETE", get("", line=f"DELETE {ONE}/half HTTP/1.1")),
        ("options for all", get("", line="OPTIONS * HTTP/1.1")),
        ("line ends first", b"\r\n" + get(f"{NATIVE}/half")),
        ("two spaces", get("", line=f"GET  {NATIVE}/half HTTP/1.1")),
        ("HTTP/2.0", get("", line=f"GET {NATIVE}/half HTTP/2.0")),
        ("HTTP/0.9", raw(f"GET {NATIVE}/half\n\n")),
        ("root", get("/")),
        ("nowhere", get("/v2/flags/half")),
        ("almost", get("/v1/flagsx/half")),
        ("below /ofrep/, nowhere", post("/ofrep/v1/nowhere")),
        ("healthz", get("/healthz")),
        ("readyz", get("/readyz")),
        ("status", get("/v1/status")),
        ("outcomes", post(f"{NATIVE}/half/outcomes", b'{"outcome":"success"}')),
        ("outcomes, wrong", post(f"{NATIVE}/half/outcomes", b'{"outcome":"fine"}')),
        ("outcomes, unknown flag", post(f"{NATIVE}/nothing/outcomes", b'{"outcome":"success"}')),
        ("outcomes, no type", post(f"{NATIVE}/half/outcomes", b"{}", kind="")),
        ("70 headers", post(f"{ONE}/half", USER, *[f"X-{number}: {number}" for number in range(70)])),
        ("long header", get(f"{NATIVE}/half", "X-A: " + "a" * 9000)),
        ("long name", get(f"{NATIVE}/half", "x" * 9000 + ": a")),
        ("head of 10 kB", get(f"{NATIVE}/half", "X-A: " + "a" * 5000, "X-B: " + "b" * 5000)),
    ]:
        yield Case(name, request)


def broken_cases() -> Iterator[Case]:
    """Yield what is no HTTP, or HTTP that only an attacker writes; the guard says so, and how."""
    folded = get(f"{NATIVE}/half", "X-Folded: a\r\n b")
    for name, request in [
        ("two lengths", post(f"{ONE}/half", USER, f"Content-Length: {len(USER)}")),
        ("conflicting lengths", post(f"{ONE}/half", USER, "Content-Length: 5")),
        ("length in a list", post(f"{ONE}/half", length=f"Content-Length: {len(USER)}, {len(USER)}")),
        ("length with a sign", post(f"{ONE}/half", length=f"Content-Length: +{len(USER)}")),
        ("negative length", post(f"{ONE}/half", length="Content-Length: -5")),
        ("length in hex", post(f"{ONE}/half", length="Content-Length: 0x30")),
        ("length with an underscore", post(f"{ONE}/half", length="Content-Length: 4_8")),
        ("length in other digits", post(f"{ONE}/half", length="Content-Length: ٤٨")),
        ("length in superscript", post(f"{ONE}/half", length="Content-Length: ²")),
        ("empty length", post(f"{ONE}/half", length="Content-Length:")),
        ("length beyond 64 bits", post(f"{ONE}/half", length="Content-Length: 99999999999999999999")),
        ("length behind an empty header", get(f"{NATIVE}/half", "X-A:", "Content-Length: 0", "Content-Length: 5")),
        ("length and chunked", post(f"{ONE}/half", b"2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked")),
        ("chunked and length", post(f"{ONE}/half", b"", "Transfer-Encoding: chunked", length="Content-Length: 0")),
        ("chunked twice", post(f"{ONE}/half", b"0\r\n\r\n", "Transfer-Encoding: chunked",
                               length="Transfer-Encoding: chunked")),
        ("another transfer encoding", post(f"{ONE}/half", b"", length="Transfer-Encoding: identity")),
        ("chunked is not last", post(f"{ONE}/half", b"", length="Transfer-Encoding: chunked, gzip")),
        ("transfer encoding with a tab", post(f"{ONE}/half", b"", length="Transfer-Encoding:\tchunked\t, x")),
        ("GET, chunked and length",
         get(f"{NATIVE}/half", "Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n"),
        ("folded", folded),
        ("folded with a tab", folded.replace(b"\r\n b", b"\r\n\tb")),
        ("folded first", get(f"{NATIVE}/half").replace(b"Host", b" Host")),
        ("folded length", post(f"{ONE}/half", length=f"Content-Length:\r\n {len(USER)}")),
        ("line feeds alone", get(f"{NATIVE}/half").replace(b"\r\n", b"\n")),
        ("line feed alone at a header", get(f"{NATIVE}/half", "X-A: b").replace(b"localhost\r\n", b"localhost\n")),
        ("carriage return alone", get(f"{NATIVE}/half", "X-A: b\rX-C: d")),
        ("carriage return alone at the end", get(f"{NATIVE}/half", "X-A: b\r")),
        ("NUL in a value", get(f"{NATIVE}/half", "X-A: b\0c")),
        ("NUL in a name", get(f"{NATIVE}/half", "X\0A: b")),
        ("NUL in the path", get(f"{NATIVE}/ha\0lf")),
        ("control character in a value", get(f"{NATIVE}/half", "X-A: b\x01c")),
        ("DEL in a value", get(f"{NATIVE}/half", "X-A: b\x7fc")),
        ("space before the colon", get(f"{NATIVE}/half", "X-A : b")),
        ("space before the colon of the length", post(f"{ONE}/half", length=f"Content-Length : {len(USER)}")),
        ("no colon", get(f"{NATIVE}/half", "X-A")),
        ("no name", get(f"{NATIVE}/half", ": b")),
        ("name with brackets", get(f"{NATIVE}/half", "X(A): b")),
        ("name that is not ASCII", get(f"{NATIVE}/half", "X-É: b")),
        ("no host", raw(f"GET {NATIVE}/half HTTP/1.1\n\n")),
        ("no host, POST", post(f"{ONE}/half").replace(b"Host: localhost\r\n", b"")),
        ("two hosts", get(f"{NATIVE}/half", "Host: other")),
        ("two hosts, one behind an empty header", get(f"{NATIVE}/half", "X-A:", "Host: other")),
        ("two types", post(f"{ONE}/half", USER, JSON)),
        ("two user agents", post(f"{ONE}/half", USER, "User-Agent: a", "User-Agent: b")),
        ("two user agents, GET", get(f"{NATIVE}/half", "User-Agent: a", "user-agent: a")),
        ("two ETags", get(f"{NATIVE}/half", "ETag: a", "ETag: b")),
        ("two Content-Locations", get(f"{NATIVE}/half", "Content-Location: a", "Content-Location: b")),
        ("two Content-Ranges", get(f"{NATIVE}/half", "Content-Range: a", "Content-Range: b")),
        ("empty host", post(f"{ONE}/half").replace(b"Host: localhost", b"Host:")),
        ("two Servers", get(f"{NATIVE}/half", "Server: a", "Server: b")),
        ("a WebSocket of old", get(f"{NATIVE}/half", "Sec-WebSocket-Key1: a")),
        ("lower-case method", get("", line=f"get {NATIVE}/half HTTP/1.1")),
        ("unknown method", get("", line=f"BREW {NATIVE}/half HTTP/1.1")),
        ("a tab for a space", get("", line=f"GET\t{NATIVE}/half HTTP/1.1")),
        ("space at the end of the line", get("", line=f"GET {NATIVE}/half HTTP/1.1 ")),
        ("space in the path", get(f"{NATIVE}/ha lf")),
        ("HTTP/1.2", get("", line=f"GET {NATIVE}/half HTTP/1.2")),
        ("HTTP/1.10", get("", line=f"GET {NATIVE}/half HTTP/1.10")),
        ("http/1.1", get("", line=f"GET {NATIVE}/half http/1.1")),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("TLS", bytes.fromhex("16030100c8010000c40303") + b"\x01" * 40),
        ("not ASCII in the path", get(f"{NATIVE}/hälf")),
        ("not UTF-8 in the path", get(f"{NATIVE}/h\udcfflf")),
        ("not ASCII in the query", get(f"{NATIVE}/half?targeting_key=ä")),
        ("no path", get("", line="GET HTTP/1.1")),
        ("relative path", get("v1/flags/half")),
        ("long target", get(f"{NATIVE}/half?targeting_key={'k' * 9000}")),
        ("too long a header", get(f"{NATIVE}/half", "X-A: " + "a" * 40_000)),
        ("many headers", get(f"{NATIVE}/half", *[f"X-{number}: {number}" for number in range(200)])),
        ("nothing but spaces", b"    \r\n\r\n"),
        ("nonsense", b"\x00\x01\x02\x03\r\n\r\n"),
    ]:  # fmt: skip # a table
        yield Case(name, request, broken=True)


def token_cases() -> Iterator[Case]:
    """Yield requests to a listener that asks for `TOKEN`."""
    rights = [
        ("Bearer", f"Authorization: Bearer {TOKEN}"),
        ("key", f"X-API-Key: {TOKEN}"),
        ("both", f"Authorization: Bearer {TOKEN}\r\nX-API-Key: {TOKEN}"),
        ("one of both", f"Authorization: Bearer no\r\nX-API-Key: {TOKEN}"),
        ("second", f"Authorization: Bearer no\r\nAuthorization: Bearer {TOKEN}"),
        ("other name", f"x-api-KEY:{TOKEN}"),
    ]
    wrongs = [
        ("none", "X-A: b"),
        ("wrong", "Authorization: Bearer no"),
        ("empty", "Authorization: Bearer "),
        ("no scheme", f"Authorization: {TOKEN}"),
        ("lower-case scheme", f"Authorization: bearer {TOKEN}"),
        ("Basic", f"Authorization: Basic {TOKEN}"),
        ("longer", f"X-API-Key: {TOKEN}x"),
        ("empty key", "X-API-Key:"),
        ("shorter", f"X-API-Key: {TOKEN[:-1]}"),
        ("scheme as key", f"X-API-Key: Bearer {TOKEN}"),
        ("in a list", f"X-API-Key: {TOKEN}, {TOKEN}"),
        ("two spaces", f"Authorization: Bearer  {TOKEN}"),
        ("not ASCII", "X-API-Key: sésame"),
        ("not UTF-8", "X-API-Key: \udcff"),
        ("not UTF-8, Bearer", "Authorization: Bearer \udcff"),
        ("cookie", f"Cookie: key={TOKEN}"),
    ]
    for name, header in rights:
        yield Case(f"one, {name}", post(f"{ONE}/half", USER, header), hot=True)
        yield Case(f"all, {name}", post(ALL, USER, header), hot=True)
        yield Case(f"native, {name}", get(f"{NATIVE}/half", header), hot=True)
        yield Case(f"status, {name}", get("/v1/status", header))
    for name, header in wrongs:
        yield Case(f"one, {name}", post(f"{ONE}/half", USER, header))
        yield Case(f"all, {name}", post(ALL, USER, header))
        yield Case(f"native, {name}", get(f"{NATIVE}/half", header))
        yield Case(f"status, {name}", get("/v1/status", header))
        yield Case(f"nowhere, {name}", get("/nowhere", header))
    yield Case("native, in the query", get(f"{NATIVE}/half?key={TOKEN}"))
    yield Case("trailing space", get(f"{NATIVE}/half", f"X-API-Key: {TOKEN} \t"))
    for path in ("/healthz", "/readyz"):
        yield Case(f"{path} is open", get(path))


def named(cases: Sequence[Case]) -> dict[str, Case]:
    """Return cases by their names, which have to differ."""
    found = {case.name: case for case in cases}
    assert len(found) == len(cases)
    return found
