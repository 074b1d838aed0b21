"""How a route is written in the sidecar's YAML file: models that refuse all that they do not know.

The rest of the file, and how a mistake becomes a sentence, is `config_file`; what routes do is `proxy.routes`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, PlainValidator, Tag, model_validator

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.naming import check_flag_key
from tailslide_runtime.settings import Closed
from tailslide_sidecar.proxy.routes import (
    Address,
    FixedAnswer,
    HeaderMatch,
    Match,
    Route,
    Side,
    Switch,
    Timeouts,
)
from tailslide_sidecar.proxy.sources import Source, SourceKind

MAX_TIMEOUT_MS = 3_600_000
MAX_IDLE_MS = 86_400_000
ANONYMOUS_COOKIE = "tailslide_id"

METHODS = frozenset(
    {
        *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
        *("COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "UNLOCK"),  # RFC 4918
        *("ACL", "BIND", "CHECKOUT", "LINK", "M-SEARCH", "MERGE", "MKACTIVITY", "MKCALENDAR", "NOTIFY", "PURGE"),
        *("REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "UNBIND", "UNLINK", "UNSUBSCRIBE"),
    }
)
"""What llhttp knows, but for CONNECT and TRACE, which no route ever sees."""

HOST_NAME = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
_HOST = re.compile(rf"\*|(?:\*\.)?{HOST_NAME}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"(?:[!-~](?:[ -~\t]*[!-~])?)?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SET_BY_THE_PROXY = frozenset(
    {
        *("connection", "content-length", "date", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "x-tailslide"),
    }
)
_WITHOUT_BODY = frozenset({204, 205, 304})


def is_ipv6(text: str) -> bool:
    """Whether a text is an address of IPv6, without brackets and without a zone."""
    try:
        return IPv6Address(text).scope_id is None
    except ValueError:
        return False


def _flag_key(text: str) -> str:
    try:
        return check_flag_key("key", text)
    except ContractError as error:
        raise ValueError(error.problem) from None


def read_address(value: object) -> Address:
    """Read the address of a server; raise `ValueError`."""
    expected = f"expected http://host:port or https://host:port without a path, got {shown(value, 80)}"
    if not isinstance(value, str):
        raise ValueError(expected)  # noqa: TRY004 # pydantic collects ValueError
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(expected) from None
    extra = parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc
    known = is_ipv6(host) or re.fullmatch(rf"{HOST_NAME}\.?", host)
    if parts.scheme not in _DEFAULT_PORTS or not known or port == 0 or extra or re.search(r"[\s?#]", value):
        raise ValueError(expected)
    return Address(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme])


def _addresses(found: list[Address]) -> list[Address]:
    if not found:
        raise ValueError("expected at least one URL, got none")
    twice = [address for index, address in enumerate(found) if address in found[:index]]
    if twice:
        raise ValueError(f"expected each server once, got {twice[0]} twice")
    return found


def _host(value: str) -> str:
    host = value.lower()
    if _HOST.fullmatch(host) is None and not is_ipv6(host):
        raise ValueError(f"expected a host name without a port, *.suffix or *, got {shown(value, 80)}")
    return host


def _path(value: str) -> str:
    if not value.startswith("/") or not re.fullmatch(r"[!-~]+", value) or re.search(r"[?#]", value):
        raise ValueError(f"expected a path like /checkout, got {shown(value, 80)}")
    return value


def _new_prefix(value: str) -> str:
    if "//" in _path(value):
        raise ValueError(f"expected a path without //, got {shown(value, 80)}")
    return value


def _method(value: object) -> str:
    if not isinstance(value, str) or value.upper() not in METHODS:
        raise ValueError(f"expected a method like GET or POST that routes can take, got {shown(value, 40)}")
    return value.upper()


def _at_least_one(methods: list[str]) -> list[str]:
    if not methods:
        raise ValueError("expected at least one method, got none; leave the field out for all")
    return methods


def _name(value: str) -> str:
    if re.fullmatch(r"[^\s;=,]+", value) is None:
        raise ValueError(f"expected a name without spaces, got {shown(value, 40)}")
    return value


def _token(value: str) -> str:
    if _TOKEN.fullmatch(value) is None:
        raise ValueError(f"expected a name of letters, digits and - _ . without spaces, got {shown(value, 40)}")
    return value


def _field_value(value: object) -> str:
    if not isinstance(value, str) or _FIELD_VALUE.fullmatch(value) is None:
        raise ValueError(f"expected text in printable ASCII without spaces around it, got {shown(value, 40)}")
    return value


def _header_condition(value: object) -> str | None:
    if value is True:
        return None
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected the header's value as text, or true for any value, got {shown(value, 40)}")
    return _field_value(value)


def _once(headers: dict[str, str]) -> dict[str, str]:
    names = [name.lower() for name in headers]
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise ValueError(f"expected each header once, got {twice[0]} twice")
    return headers


def _left_to_headers(headers: dict[str, str]) -> dict[str, str]:
    refused = [name for name in headers if name.lower() in _SET_BY_THE_PROXY]
    if refused:
        raise ValueError(f"expected headers that the proxy does not set itself, got {refused[0]}")
    return headers


FlagKey = Annotated[str, AfterValidator(_flag_key)]
Name = Annotated[str, AfterValidator(_name)]
Token = Annotated[str, AfterValidator(_token)]
Url = Annotated[Address, PlainValidator(read_address)]
Urls = Annotated[list[Url], AfterValidator(_addresses)]
Path = Annotated[str, AfterValidator(_path)]
TimeoutMs = Annotated[int, Field(ge=1, le=MAX_TIMEOUT_MS)]
IdleMs = Annotated[int, Field(ge=1, le=MAX_IDLE_MS)]


class Strict(Closed):
    """A part of the file; values keep the type that they are written with."""

    model_config = ConfigDict(strict=True)


class MatchPart(Strict):
    """The requests that a route takes; without fields, all."""

    host: Annotated[str, AfterValidator(_host)] = "*"
    """The host that the call is for; `*.suffix` takes all names below it, `*` all hosts."""
    path_prefix: Path = "/"
    """What the path begins with, up to the border of a segment: `/a` takes `/a` and `/a/b`, not `/ab`."""
    path: Path | None = None
    """What the path is exactly; instead of `path_prefix`."""
    methods: Annotated[list[Annotated[str, PlainValidator(_method)]], AfterValidator(_at_least_one)] | None = None
    """The methods that it takes; else all."""
    headers: Annotated[dict[Token, Annotated[str | None, PlainValidator(_header_condition)]], AfterValidator(_once)] = (
        Field(default_factory=dict)
    )
    """Headers that have to be there, each with its value, or `true` for any value."""

    @model_validator(mode="after")
    def _one_path(self) -> "MatchPart":
        if self.path is not None and "path_prefix" in self.model_fields_set:
            raise ValueError("expected either path or path_prefix, got both")
        return self

    def read(self) -> Match:
        """Return what the proxy works with."""
        return Match(
            self.host,
            self.path_prefix,
            self.path,
            None if self.methods is None else frozenset(self.methods),
            tuple(HeaderMatch(name.lower(), value) for name, value in self.headers.items()),
        )


class SourcePart(Strict):
    """Where a value comes from: a header, a cookie, a query parameter, or a claim of a token.

    One of the three, or `jwt_claim` alone, or with a header or a cookie. `split` makes a list of the text.
    """

    header: Token | None = None
    """The first header of that name; with `jwt_claim`, the header that holds the token."""
    cookie: Token | None = None
    """The first cookie of that name; with `jwt_claim`, the cookie that holds the token."""
    query: Name | None = None
    """The first query parameter of that name."""
    jwt_claim: Annotated[str, Field(min_length=1)] | None = None
    """A claim of a token, which is read and not verified: that of `Authorization: Bearer` unless said otherwise."""
    split: Annotated[str, Field(min_length=1)] | None = None
    """For attributes only: what separates the parts of the text, which makes a list of it."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "SourcePart":
        written = self.model_fields_set - {"split"}
        given = {name for name in written if getattr(self, name) is not None}
        places = given - {"jwt_claim"}
        if given != written or not given or len(places) > 1:
            raise ValueError("expected exactly one of header, cookie, query and jwt_claim, with a name")
        if "jwt_claim" in given and "query" in given:
            raise ValueError("expected jwt_claim alone, or with the header or cookie that holds the token, got query")
        return self

    def read(self) -> Source:
        """Return what the proxy works with."""
        place = self._place()
        if self.jwt_claim is not None:
            return Source(SourceKind.JWT_CLAIM, self.jwt_claim, place, self.split)
        assert place is not None
        return place if self.split is None else replace(place, split=self.split)

    def _place(self) -> Source | None:
        if self.header is not None:
            return Source(SourceKind.HEADER, self.header.lower())
        if self.cookie is not None:
            return Source(SourceKind.COOKIE, self.cookie)
        return None if self.query is None else Source(SourceKind.QUERY, self.query)


def _one_text(source: SourcePart) -> SourcePart:
    if source.split is not None:
        raise ValueError("expected no split: a targeting key is one text")
    return source


class AnswerPart(Strict):
    """An answer without an upstream; `{status: 503, body: "…", headers: {retry-after: "5"}}`."""

    status: Annotated[int, Field(ge=200, le=599)]
    """Its status."""
    body: str = ""
    """Its body, sent as UTF-8."""
    headers: Annotated[
        dict[Token, Annotated[str, PlainValidator(_field_value)]],
        AfterValidator(_once),
        AfterValidator(_left_to_headers),
    ] = Field(default_factory=dict)
    """Its headers, but for those that the proxy sets itself."""

    @model_validator(mode="after")
    def _may_have_a_body(self) -> "AnswerPart":
        if self.body and self.status in _WITHOUT_BODY:
            raise ValueError(f"expected no body with status {self.status}, got one")
        return self

    def read(self) -> FixedAnswer:
        """Return what the proxy works with."""
        return FixedAnswer(self.status, self.body, tuple(self.headers.items()))


class TimeoutsPart(Strict):
    """How long the parts of a call may take; null for no limit, where there may be none."""

    connect_ms: TimeoutMs = Timeouts().connect_ms
    """For a connection to the server to be made."""
    first_byte_ms: TimeoutMs = Timeouts().first_byte_ms
    """From the request on its way to the first byte of the answer."""
    idle_ms: IdleMs | None = Timeouts().idle_ms
    """How long the answer, or an upgraded connection such as a WebSocket, may stand still; null for ever."""
    total_ms: IdleMs | None = Timeouts().total_ms
    """For the whole call; starts over when the call is made again to the fallback."""

    @model_validator(mode="after")
    def _fit(self) -> "TimeoutsPart":
        if self.total_ms is None:
            return self
        for name in ("connect_ms", "first_byte_ms"):
            part_ms = getattr(self, name)
            if name in self.model_fields_set and part_ms > self.total_ms:
                raise ValueError(f"expected a {name} of at most total_ms ({self.total_ms}), got {part_ms}")
        return self


def _one_or_many(value: object) -> str:
    return "<urls>" if isinstance(value, list) else "<url>"


def _kind_of_fallback(value: object) -> str:
    return "<answer>" if isinstance(value, Mapping | AnswerPart) else _one_or_many(value)


Servers = Annotated[
    Annotated[Url, Tag("<url>")] | Annotated[Urls, Tag("<urls>")],
    Discriminator(_one_or_many),
]
Fallback = Annotated[
    Annotated[Url, Tag("<url>")] | Annotated[Urls, Tag("<urls>")] | Annotated[AnswerPart, Tag("<answer>")],
    Discriminator(_kind_of_fallback),
]

_FLAGGED = ("flag", "feature", "fallback")
_ONLY_FLAGGED = (
    *(*_FLAGGED, "variants", "targeting_key", "attributes", "anonymous", "anonymous_cookie"),
    *("retry_on_fallback", "outcomes"),
)
_ONLY_TO_SERVERS = ("rewrite_prefix", "timeout_ms", "timeouts", "max_calls")
_KINDS = "expected either upstream, or answer, or flag with feature and fallback"


class RoutePart(Strict):
    """One route: `upstream`, or `answer`, or `flag` with `feature` and `fallback`."""

    match: MatchPart = MatchPart()
    """Which calls the route takes; all that is given has to hold."""
    upstream: Servers | None = None
    """Where calls go, without a flag: one server, or several that do the same."""
    answer: AnswerPart | None = None
    """What is answered without a server."""
    flag: FlagKey | None = None
    """The flag that decides between the next two."""
    feature: Servers | None = None
    """Where calls go when the flag is on for the user."""
    fallback: Fallback | None = None
    """Where calls go when it is not, or what is answered then."""
    variants: dict[FlagKey, Servers] = Field(default_factory=dict)
    """Servers of their own for variants of the flag; the others go to `feature`, the off variant to `fallback`."""
    targeting_key: Annotated[SourcePart, AfterValidator(_one_text)] | None = None
    """Where in the request the user's key is."""
    attributes: dict[str, SourcePart] = Field(default_factory=dict)
    """Where in the request attributes of the user are."""
    anonymous: Literal["cookie"] | None = None
    """Gives users without a key a random one, in a cookie."""
    anonymous_cookie: Token = ANONYMOUS_COOKIE
    """The name of that cookie."""
    retry_on_fallback: Literal["never", "idempotent"] = "never"
    """Whether the fallback answers for a failed call whose method may be repeated."""
    outcomes: Literal["observed", "reported"] = "observed"
    """Whether the proxy sees how calls to the feature end, or the application reports it."""
    rewrite_prefix: Annotated[str, AfterValidator(_new_prefix)] | None = None
    """Takes the place of `match.path_prefix` in the path that is sent on."""
    timeout_ms: TimeoutMs | None = None
    """Short for `timeouts.first_byte_ms`; one of the two."""
    timeouts: TimeoutsPart = TimeoutsPart()
    """How long the parts of a call may take."""
    max_body_bytes: Annotated[int, Field(ge=0)] | None = None
    """The largest body of a request; more is answered 413."""
    max_calls: Annotated[int, Field(ge=1)] | None = None
    """How many calls of the route may run at a time; one more is answered 503."""

    @model_validator(mode="after")
    def _one_kind(self) -> "RoutePart":
        given = self._given
        kinds = [name for name in ("upstream", "answer") if given(name)]
        flagged = [name for name in _ONLY_FLAGGED if given(name)]
        if kinds and (len(kinds) > 1 or flagged):
            raise ValueError(f"{_KINDS}, got {' and '.join((kinds + flagged)[:2])}")
        if not kinds:
            missing = [name for name in _FLAGGED if not given(name)]
            if len(missing) == 3:
                raise ValueError(f"{_KINDS}, but there is no upstream, no answer and no flag")
            if missing:
                raise ValueError(f"{_KINDS}, but there is no {' and no '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _nothing_in_vain(self) -> "RoutePart":
        given = self._given
        vain = [name for name in _ONLY_TO_SERVERS if given(name)]
        if given("answer") and vain:
            raise ValueError(f"expected no {vain[0]} with answer, which no server gives")
        if given("rewrite_prefix") and "path_prefix" not in self.match.model_fields_set:
            raise ValueError("expected rewrite_prefix only with match.path_prefix, whose place it takes")
        if given("anonymous_cookie") and self.anonymous is None:
            raise ValueError("expected anonymous_cookie only with anonymous: cookie")
        if given("timeout_ms") and "first_byte_ms" in self.timeouts.model_fields_set:
            raise ValueError("expected either timeout_ms or timeouts.first_byte_ms, which mean the same, got both")
        total_ms = self.timeouts.total_ms
        if self.timeout_ms is not None and total_ms is not None and self.timeout_ms > total_ms:
            raise ValueError(f"expected a timeout_ms of at most timeouts.total_ms ({total_ms}), got {self.timeout_ms}")
        return self

    def _given(self, name: str) -> bool:
        """Whether a field is in the file with a value."""
        return name in self.model_fields_set and getattr(self, name) is not None

    def read(self) -> Route:
        """Return what the proxy works with."""
        upstream: Side | FixedAnswer
        if self.answer is not None:
            upstream = self.answer.read()
        else:
            servers = self.upstream if self.upstream is not None else self.feature
            assert servers is not None
            upstream = _side(servers)
        part = self.timeouts
        return Route(
            self.match.read(),
            upstream,
            self._switch(),
            Timeouts(part.connect_ms, self.timeout_ms or part.first_byte_ms, part.idle_ms, part.total_ms),
            self.rewrite_prefix,
            self.max_body_bytes,
            self.max_calls,
        )

    def _switch(self) -> Switch | None:
        if self.flag is None or self.fallback is None:
            return None
        return Switch(
            self.flag,
            self.fallback.read() if isinstance(self.fallback, AnswerPart) else _side(self.fallback),
            None if self.targeting_key is None else self.targeting_key.read(),
            tuple((name, source.read()) for name, source in self.attributes.items()),
            self.retry_on_fallback == "idempotent",
            None if self.anonymous is None else self.anonymous_cookie,
            tuple((variant, _side(servers)) for variant, servers in self.variants.items()),
            self.outcomes == "reported",
        )


def _side(servers: Address | list[Address]) -> Side:
    return Side(tuple(servers) if isinstance(servers, list) else (servers,))
