"""Which route a request takes, and what of the request speaks for its user. Pure; the proxy carries it out.

How routes are written in a file is `settings`; whether the flag is on is `tailslide_core.evaluation`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl

from tailslide_core.evaluation import Context


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server to send requests to; `scheme` is http or https, `host` a name or an address without brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class FixedAnswer:
    """An answer that the sidecar gives by itself, as text."""

    status: int
    body: str = ""


class SourceKind(StrEnum):
    """Where in a request a value is looked for."""

    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Source:
    """A value of the request: a header (any case), a cookie or a query parameter; of several, the first."""

    kind: SourceKind
    name: str


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What of a request decides: `path` and `query` as sent, without decoding; `headers` ignores case."""

    method: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Match:
    """The requests that a route takes.

    `host` is a name, `*.suffix` for all names below it, or `*`, without a port. `path_prefix` ends at a segment's
    border: `/a` takes `/a` and `/a/b`, not `/ab`. It is compared with the path as sent. `methods` None means all.
    """

    host: str = "*"
    path_prefix: str = "/"
    methods: frozenset[str] | None = None

    def takes(self, method: str, host: str, path: str) -> bool:
        """Whether a request is taken; `host` in lower case without its port."""
        return (
            (self.methods is None or method in self.methods)
            and self._takes_host(host)
            and _is_below(path, self.path_prefix)
        )

    def _takes_host(self, host: str) -> bool:
        if self.host == "*":
            return True
        if self.host.startswith("*."):
            return host.endswith(self.host[1:]) and len(host) > len(self.host) - 1
        return host == self.host

    def __str__(self) -> str:
        methods = "" if self.methods is None else f"{','.join(sorted(self.methods))} "
        return f"{methods}{self.host} {self.path_prefix}"


def _is_below(path: str, prefix: str) -> bool:
    trimmed = prefix.rstrip("/")
    return not trimmed or (path.startswith(trimmed) and path[len(trimmed) : len(trimmed) + 1] in {"", "/"})


@dataclass(frozen=True, slots=True)
class Switch:
    """What a flagged route has beside the feature: the flag that decides, for whom, and the way for all others."""

    flag: str
    fallback: Upstream | FixedAnswer
    targeting_key: Source | None = None
    attributes: tuple[tuple[str, Source], ...] = ()
    retries_on_fallback: bool = False
    """Whether a failed call is answered by the fallback, where the request can be made twice (RFC 9110 §9.2.2)."""


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the list of routes. With a `switch`, `upstream` is the feature.

    `timeout_ms` is how long the upstream may be silent before the first byte of its answer.
    """

    match: Match
    upstream: Upstream
    switch: Switch | None = None
    timeout_ms: int = 30_000


def find_route(routes: Sequence[Route], head: RequestHead) -> Route | None:
    """Return the first route that takes the request."""
    host = host_name(head.host)
    for route in routes:
        if route.match.takes(head.method, host, head.path):
            return route
    return None


def host_name(authority: str) -> str:
    """Return the host of `host:port` or `[v6]:port`, in lower case and without brackets."""
    host = authority.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def context_of(switch: Switch, head: RequestHead) -> Context:
    """Return the user whom a request speaks for; what the request does not say is left out."""
    values = _Values(head)
    attributes: dict[str, object] = {}
    for name, source in switch.attributes:
        value = values.get(source)
        if value is not None:
            attributes[name] = value
    return Context(None if switch.targeting_key is None else values.get(switch.targeting_key), attributes)


class _Values:
    """Values of one request; cookies and the query are taken apart once, and only when asked for."""

    def __init__(self, head: RequestHead) -> None:
        self._head = head
        self._cookies: dict[str, str] | None = None
        self._query: dict[str, str] | None = None

    def get(self, source: Source) -> str | None:
        if source.kind is SourceKind.HEADER:
            return self._head.headers.get(source.name)
        if source.kind is SourceKind.COOKIE:
            if self._cookies is None:
                self._cookies = _first_of_each(_cookies(self._head.headers.get("Cookie", "")))
            return self._cookies.get(source.name)
        if self._query is None:
            self._query = _first_of_each(iter(parse_qsl(self._head.query, keep_blank_values=True, errors="replace")))
        return self._query.get(source.name)


def _first_of_each(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _cookies(header: str) -> Iterator[tuple[str, str]]:
    """Take a Cookie header apart as RFC 6265 §4.2.1 writes it; what is no pair is skipped, as browsers' servers do."""
    for part in header.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            yield name.strip(), value


def flags_of(routes: Sequence[Route]) -> dict[str, list[int]]:
    """Return the flags that routes name, each with the places of its routes in the list."""
    found: dict[str, list[int]] = {}
    for index, route in enumerate(routes):
        if route.switch is not None:
            found.setdefault(route.switch.flag, []).append(index)
    return found
