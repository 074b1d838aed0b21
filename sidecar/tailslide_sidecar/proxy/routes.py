"""Which route a request takes, and how its target is rewritten. Pure; the proxy carries it out.

How routes are written in a file is `tailslide_sidecar.route_file`; whom a request speaks for is `sources`; whether the
flag is on is `tailslide_core.evaluation`. Routes are no access control: paths are compared as they were sent, and an
upstream may well read `/a/../b` or `/%61` as another path.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from tailslide_core.ruleset import Ruleset
from tailslide_sidecar.proxy.sources import Source


@dataclass(frozen=True, slots=True)
class Address:
    """A server to send requests to; `scheme` is http or https, `host` a name or an address without brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Side:
    """Where a call may go: one or more servers that do the same."""

    addresses: tuple[Address, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.addresses))


@dataclass(frozen=True, slots=True)
class FixedAnswer:
    """An answer that the sidecar gives by itself, as text in UTF-8; `headers` are sent as they are written here."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the parts of a call may take, in milliseconds.

    `connect_ms` is for a connection to be made, `first_byte_ms` from the request on its way to the first byte of its
    answer, `idle_ms` for the rest of the answer, or an upgraded connection, to stand still: all without the time in
    which only the client is waited for. `total_ms` is for all of a call, whoever takes it; an upgraded one has none.
    """

    connect_ms: int = 5_000
    first_byte_ms: int = 30_000
    idle_ms: int | None = 300_000
    total_ms: int | None = None


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """A header, its name in lower case, that has to be there; with a `value`, one of that name must be just that."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class Match:
    """The requests that a route takes.

    `host` is a name, `*.suffix` for all names below it, or `*`, in lower case and without a port. `path_prefix` ends at
    a segment's border: `/a` takes `/a` and `/a/b`, not `/ab`. With `path`, only that very path is taken, whatever the
    prefix. Both are compared with the path as sent. `methods` None means all; they are compared as sent.
    """

    host: str = "*"
    path_prefix: str = "/"
    path: str | None = None
    methods: frozenset[str] | None = None
    headers: tuple[HeaderMatch, ...] = ()

    def __str__(self) -> str:
        methods = "" if self.methods is None else f"{','.join(sorted(self.methods))} "
        path = self.path_prefix if self.path is None else f"={self.path}"
        headers = "".join(f" {header}" for header in self.headers)
        return f"{methods}{self.host} {path}{headers}"


@dataclass(frozen=True, slots=True)
class Switch:
    """What a flagged route has beside the feature: the flag that decides, for whom, and the way for all others.

    With `anonymous_cookie`, who comes without a targeting key is given one in a cookie of this name. `variants` has
    upstreams for variants of the flag; the feature is for the others, and never for the off variant.
    """

    flag: str
    fallback: Side | FixedAnswer
    targeting_key: Source | None = None
    attributes: tuple[tuple[str, Source], ...] = ()
    retries_on_fallback: bool = False
    """Whether a failed call is answered by the fallback, where the request can be made twice (RFC 9110 §9.2.2)."""
    anonymous_cookie: str | None = None
    variants: tuple[tuple[str, Side], ...] = ()
    is_reported: bool = False
    """Whether the application reports how calls to the feature ended; only calls that it never saw are counted here."""


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the list of routes. With a `switch`, `upstream` is the feature, and always a `Side`.

    `rewrite_prefix` takes the place of the match's prefix. `max_body_bytes` is for one request's body, `max_calls` for
    the calls that run at a time; None is no limit. `label` names the route in metrics and logs.
    """

    match: Match
    upstream: Side | FixedAnswer
    switch: Switch | None = None
    timeouts: Timeouts = Timeouts()
    rewrite_prefix: str | None = None
    max_body_bytes: int | None = None
    max_calls: int | None = None
    label: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        # Written out once here: a label is asked for with every call.
        object.__setattr__(self, "label", self.label or str(self.match))


@dataclass(frozen=True, slots=True)
class ForwardHost:
    """A host that requests in absolute form may go to without a route: a name or `*.suffix`, and one port."""

    host: str
    port: int = 80

    def takes(self, host: str, port: int) -> bool:
        """Whether a host is this one, or below it."""
        return port == self.port and _names(self.host, host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"


class Request(Protocol):
    """What of a request decides where it goes."""

    @property
    def method(self) -> str:
        """The method as sent."""

    @property
    def host(self) -> str:
        """The host of its authority, in lower case, without port and brackets; empty when there is none."""

    @property
    def port(self) -> int | None:
        """The port of its authority; None when it names none."""

    @property
    def path(self) -> str:
        """The path as sent, its bytes read as Latin-1, without decoding of percent signs."""

    @property
    def query(self) -> str:
        """What follows the question mark, read likewise; empty when there is none."""

    @property
    def absolute(self) -> bool:
        """Whether the target is in absolute form, as it is sent to a forward proxy."""

    def get(self, name: str) -> str | None:
        """Return the first field of a name (in lower case) without white space around it, or None."""

    def get_all(self, name: str) -> list[str]:
        """Return all fields of a name (in lower case), in their order."""


class NoRoute(Enum):
    """Why a request goes nowhere."""

    NO_ROUTE = "no_route"
    """Routes take its host, but none its method, path and headers: 404."""
    UNKNOWN_HOST = "unknown_host"
    """No route takes its host: 421."""
    NOT_ALLOWED = "not_allowed"
    """In absolute form, for a host that no route names and `forward_allow` does not list: 403."""


class _Candidate(NamedTuple):
    """What is left to ask of a request whose host a route takes."""

    methods: frozenset[str] | None
    path: str | None
    prefix: str
    """Without the slash at its end, so empty for all paths."""
    below: str
    """The prefix with a slash at its end."""
    headers: tuple[HeaderMatch, ...]
    route: Route


_MANY_FORWARDED = 1_024


class RouteTable:
    """The routes in their order, made ready for being asked with every request."""

    def __init__(self, routes: Sequence[Route], forward_allow: Sequence[ForwardHost] = ()) -> None:
        self._forward_allow = tuple(forward_allow)
        self._forwarded: dict[tuple[str, int], Route] = {}
        hosts = {route.match.host for route in routes}
        # Each kind of host with the routes that take it: in origin form, and in absolute form, where `*` takes none.
        self._exact = {host: _candidates(routes, host) for host in hosts if not host.startswith("*")}
        suffixes = sorted((host[1:] for host in hosts if host.startswith("*.")), key=len, reverse=True)
        # `?` is in no host that a route names, so that this stands for all that are below the suffix.
        self._suffixes = [(suffix, _candidates(routes, f"?{suffix}")) for suffix in suffixes]
        self._any = _candidates(routes, "")

    def find(self, request: Request) -> Route | NoRoute:
        """Return the first route that takes the request.

        A request in absolute form is taken by routes that name its host alone, also by `*.suffix`: a route for `*`
        is about calls to this service, and must not swallow those that its own application makes to others.
        """
        host, absolute = request.host, request.absolute
        origin_form, absolute_form = self._exact.get(host) or self._of_unnamed(host)
        candidates = absolute_form if absolute else origin_form
        if candidates:
            method, path = request.method, request.path
            for methods, exact, prefix, below, headers, route in candidates:
                if methods is not None and method not in methods:
                    continue
                if exact is not None:
                    if path != exact:
                        continue
                elif prefix and path != prefix and not path.startswith(below):
                    continue
                if headers and not _has(request, headers):
                    continue
                return route
        if absolute:
            return self._forward(request) or (NoRoute.NO_ROUTE if candidates else NoRoute.NOT_ALLOWED)
        return NoRoute.NO_ROUTE if candidates else NoRoute.UNKNOWN_HOST

    def _of_unnamed(self, host: str) -> tuple[tuple[_Candidate, ...], tuple[_Candidate, ...]]:
        # Whatever a host is below, it is below all that its longest suffix is below.
        for suffix, candidates in self._suffixes:
            if host.endswith(suffix) and len(host) > len(suffix):
                return candidates
        return self._any

    def _forward(self, request: Request) -> Route | None:
        host = request.host
        # Port 0 is nobody's, and not the same as none.
        port = 80 if request.port is None else request.port
        route = self._forwarded.get((host, port))
        if route is not None:
            return route
        allowed = next((allowed for allowed in self._forward_allow if allowed.takes(host, port)), None)
        if allowed is None:
            return None
        if len(self._forwarded) >= _MANY_FORWARDED:
            del self._forwarded[next(iter(self._forwarded))]
        route = Route(Match(host), Side((Address("http", host, port),)), label=f"forward {allowed}")
        self._forwarded[host, port] = route
        return route


def _candidates(routes: Iterable[Route], host: str) -> tuple[tuple[_Candidate, ...], tuple[_Candidate, ...]]:
    """Return what takes requests to a host, in origin form and in absolute form."""
    taking = [route for route in routes if _names(route.match.host, host) or route.match.host == "*"]
    return (
        tuple(_candidate(route) for route in taking),
        tuple(_candidate(route) for route in taking if route.match.host != "*"),
    )


def _candidate(route: Route) -> _Candidate:
    match = route.match
    prefix = match.path_prefix.rstrip("/")
    return _Candidate(match.methods, match.path, prefix, f"{prefix}/", match.headers, route)


def _names(pattern: str, host: str) -> bool:
    """Whether a name or `*.suffix` is about a host; `*` is about none."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return pattern == host


def _has(request: Request, headers: tuple[HeaderMatch, ...]) -> bool:
    return all(
        request.get(header.name) is not None if header.value is None else header.value in request.get_all(header.name)
        for header in headers
    )


def rewritten(route: Route, target: str) -> str:
    """Return a target in origin form with the route's prefix replaced; the query stays as it is.

    What follows the prefix stays as well, but for slashes right behind it, of which one is left: `//` at the beginning
    of a target would name a host.
    """
    if route.rewrite_prefix is None or not target.startswith("/"):
        return target
    path, mark, query = target.partition("?")
    rest = path[len(route.match.path_prefix.rstrip("/")) :]
    if rest:
        rest = f"/{rest.lstrip('/')}"
    return f"{route.rewrite_prefix.rstrip('/')}{rest}{mark}{query}" if rest else f"{route.rewrite_prefix}{mark}{query}"


def problem_with_variants(switch: Switch, ruleset: Ruleset) -> str | None:
    """Return why some of a route's upstreams for variants are never called; None if all of them can be."""
    known = {variant.key for variant in ruleset.variants}
    unknown = sorted(variant for variant, _ in switch.variants if variant not in known)
    problems = []
    if unknown:
        problems.append(
            f"the flag {switch.flag} has no variant {', '.join(unknown)} (it has {', '.join(sorted(known))}), "
            "so nothing goes there"
        )
    if any(variant == ruleset.off_variant for variant, _ in switch.variants):
        problems.append(
            f"{ruleset.off_variant} is the off variant of the flag {switch.flag}, so its calls go to the fallback"
        )
    return "; ".join(problems) or None


def flags_of(routes: Sequence[Route]) -> dict[str, list[int]]:
    """Return the flags that routes name, each with the places of its routes in the list."""
    found: dict[str, list[int]] = {}
    for index, route in enumerate(routes):
        if route.switch is not None:
            found.setdefault(route.switch.flag, []).append(index)
    return found
