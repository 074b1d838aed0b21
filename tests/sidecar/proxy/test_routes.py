"""Which route takes a request, and what becomes of its target."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proxy_requests import PlainRequest

from tailslide_core.ruleset import Ruleset
from tailslide_core.variants import Share, ValueType, Variant
from tailslide_sidecar.proxy.routes import (
    Address,
    FixedAnswer,
    ForwardHost,
    HeaderMatch,
    Match,
    NoRoute,
    Route,
    RouteTable,
    Side,
    Switch,
    flags_of,
    problem_with_variants,
    rewritten,
)

HERE = Side((Address("http", "127.0.0.1", 9001),))
segments = st.text("abc-.%2f", max_size=8)
paths = st.text("ab/.%2f", max_size=12).map(lambda text: f"/{text}")
labels = st.text("abc0-", min_size=1, max_size=4)
hosts = st.lists(labels, min_size=1, max_size=4).map(".".join)
patterns = st.one_of(st.just("*"), hosts, hosts.map(lambda host: f"*.{host}"))


def takes(match: Match, request: PlainRequest) -> bool:
    route = Route(match, HERE)
    return RouteTable([route]).find(request) is route


def names(pattern: str, host: str) -> bool:
    """What it means that a pattern is about a host, said once more."""
    if pattern.startswith("*."):
        return host.partition(".")[0] != "" and f".{host}".endswith(pattern[1:]) and host != pattern[2:]
    return pattern in {"*", host}


@pytest.mark.parametrize(
    ("pattern", "host", "taken"),
    [
        ("*", "anything", True),
        ("*", "", True),
        ("shop.example", "shop.example", True),
        ("shop.example", "www.shop.example", False),
        ("shop.example", "", False),
        ("*.example", "shop.example", True),
        ("*.example", "a.b.example", True),
        ("*.example", "example", False),
        ("*.example", ".example", False),
        ("*.example", "notexample", False),
        ("::1", "::1", True),
    ],
)
def test_host(pattern: str, host: str, taken: bool) -> None:
    found = RouteTable([Route(Match(host=pattern), HERE)]).find(PlainRequest(host=host))
    assert isinstance(found, Route) if taken else found is NoRoute.UNKNOWN_HOST


@pytest.mark.parametrize(
    ("prefix", "path", "taken"),
    [
        ("/", "/x", True),
        ("/", "*", True),
        ("/a", "/a", True),
        ("/a", "/a/b", True),
        ("/a", "/ab", False),
        ("/a", "/", False),
        ("/a", "*", False),
        ("/a/", "/a/b", True),
        ("/a/", "/a", True),
        ("/a", "/%61", False),
        ("/a", "/A", False),
    ],
)
def test_path_prefix_ends_at_a_segment(prefix: str, path: str, taken: bool) -> None:
    assert takes(Match(path_prefix=prefix), PlainRequest(path)) is taken


@given(segments, segments)
def test_what_is_below_a_prefix_is_taken_and_what_only_begins_with_it_is_not(prefix: str, rest: str) -> None:
    match = Match(path_prefix=f"/x{prefix}")
    assert takes(match, PlainRequest(match.path_prefix))
    assert takes(match, PlainRequest(f"{match.path_prefix}/{rest}"))
    assert not takes(match, PlainRequest(f"{match.path_prefix}z{rest}"))


def test_an_exact_path_is_that_path_alone() -> None:
    match = Match(path="/a/")
    assert takes(match, PlainRequest("/a/"))
    assert not any(takes(match, PlainRequest(path)) for path in ("/a", "/a/b", "/a//", "/"))


def test_methods_are_compared_as_sent() -> None:
    match = Match(methods=frozenset({"POST", "PUT"}))
    assert takes(match, PlainRequest(method="PUT"))
    assert not any(takes(match, PlainRequest(method=method)) for method in ("GET", "post"))


def test_headers_are_there_or_have_a_value() -> None:
    match = Match(headers=(HeaderMatch("x-beta"), HeaderMatch("x-plan", "pro")))
    assert takes(match, PlainRequest(fields=[("x-beta", ""), ("x-plan", "free"), ("x-plan", "pro")]))
    assert not takes(match, PlainRequest(fields=[("x-plan", "pro")]))
    assert not takes(match, PlainRequest(fields=[("x-beta", "1"), ("x-plan", "Pro")]))
    assert not takes(match, PlainRequest(fields=[("x-beta", "1")]))


def test_the_first_route_that_takes_it_decides() -> None:
    posts, all_of_a, rest = (
        Route(Match(path_prefix="/a", methods=frozenset({"POST"})), HERE),
        Route(Match(path_prefix="/a"), HERE),
        Route(Match(), HERE),
    )
    table = RouteTable([posts, all_of_a, rest])
    assert table.find(PlainRequest("/a", "POST")) is posts
    assert table.find(PlainRequest("/a", "GET")) is all_of_a
    assert table.find(PlainRequest("/b")) is rest
    assert RouteTable([posts, all_of_a]).find(PlainRequest("/b")) is NoRoute.NO_ROUTE
    assert RouteTable([]).find(PlainRequest()) is NoRoute.UNKNOWN_HOST


@given(st.lists(st.tuples(patterns, st.sampled_from(["/", "/a"])), max_size=6), hosts, st.booleans())
def test_the_table_finds_what_looking_at_each_route_in_turn_finds(
    rows: list[tuple[str, str]], host: str, absolute: bool
) -> None:
    routes = [Route(Match(pattern, prefix), HERE) for pattern, prefix in rows]
    known = [route for route in routes if names(route.match.host, host) and not (absolute and route.match.host == "*")]
    expected = next((route for route in known if route.match.path_prefix == "/"), None)
    found = RouteTable(routes).find(PlainRequest("/b", host=host, absolute=absolute))
    if expected is not None:
        assert found is expected
    elif known:
        assert found is NoRoute.NO_ROUTE
    else:
        assert found is (NoRoute.NOT_ALLOWED if absolute else NoRoute.UNKNOWN_HOST)


def test_a_route_for_all_hosts_does_not_swallow_calls_to_others() -> None:
    everything, named, below = (
        Route(Match(), HERE),
        Route(Match("pay.example", "/v1"), HERE),
        Route(Match("*.inner"), HERE),
    )
    table = RouteTable([everything, named, below])
    assert table.find(PlainRequest("/v1", host="pay.example", absolute=True)) is named
    assert table.find(PlainRequest(host="a.inner", absolute=True, port=8080)) is below
    assert table.find(PlainRequest("/v2", host="pay.example", absolute=True)) is NoRoute.NO_ROUTE
    assert table.find(PlainRequest("/v2", host="pay.example")) is everything
    for host in ("other.example", "inner", ""):
        assert table.find(PlainRequest(host=host, absolute=True)) is NoRoute.NOT_ALLOWED
        assert table.find(PlainRequest(host=host)) is everything


@pytest.mark.parametrize(
    ("allowed", "host", "port", "taken"),
    [
        (ForwardHost("a.example"), "a.example", None, True),
        (ForwardHost("a.example"), "a.example", 80, True),
        (ForwardHost("a.example"), "a.example", 8080, False),
        (ForwardHost("a.example"), "a.example", 0, False),
        (ForwardHost("a.example", 8080), "a.example", 8080, True),
        (ForwardHost("a.example", 8080), "a.example", None, False),
        (ForwardHost("*.example"), "a.b.example", None, True),
        (ForwardHost("*.example"), "example", None, False),
        (ForwardHost("*.example"), "", None, False),
        (ForwardHost("::1", 81), "::1", 81, True),
    ],
)
def test_hosts_that_may_be_called_without_a_route(
    allowed: ForwardHost, host: str, port: int | None, taken: bool
) -> None:
    table = RouteTable([Route(Match(), HERE)], [allowed])
    request = PlainRequest("/x", host=host, port=port, absolute=True)
    found = table.find(request)
    if not taken:
        assert found is NoRoute.NOT_ALLOWED
        return
    assert isinstance(found, Route)
    assert found.upstream == Side((Address("http", host, port or 80),))
    assert found.label == f"forward {allowed}"
    assert table.find(request) is found


def test_what_routes_leave_of_a_named_host_may_be_allowed() -> None:
    named = Route(Match("a.example", "/v1"), HERE)
    table = RouteTable([named], [ForwardHost("a.example")])
    assert table.find(PlainRequest("/v1", host="a.example", absolute=True)) is named
    rest = table.find(PlainRequest("/v2", host="a.example", absolute=True))
    assert isinstance(rest, Route)
    assert rest.label == "forward a.example"
    assert table.find(PlainRequest("/v2", host="a.example")) is NoRoute.NO_ROUTE


def test_routes_made_for_allowed_hosts_are_bounded() -> None:
    table = RouteTable([], [ForwardHost("*.example")])
    first = table.find(PlainRequest(host="h0.example", absolute=True))
    for number in range(1, 3_000):
        table.find(PlainRequest(host=f"h{number}.example", absolute=True))
    assert len(table._forwarded) <= 1_024
    again = table.find(PlainRequest(host="h0.example", absolute=True))
    assert again == first
    assert again is not first


@pytest.mark.parametrize(
    ("prefix", "new", "target", "expected"),
    [
        ("/api", "/v2", "/api/x?q=/api", "/v2/x?q=/api"),
        ("/api", "/v2", "/api", "/v2"),
        ("/api", "/v2", "/api?", "/v2?"),
        ("/api", "/v2", "/api/", "/v2/"),
        ("/api", "/", "/api", "/"),
        ("/api", "/", "/api?q", "/?q"),
        ("/api", "/", "/api/x", "/x"),
        ("/api", "/", "/api//evil.example/x", "/evil.example/x"),
        ("/api", "/v2/", "/api", "/v2/"),
        ("/api/", "/v2/", "/api/x", "/v2/x"),
        ("/", "/v2", "/", "/v2/"),
        ("/", "/v2", "/x//y", "/v2/x//y"),
        ("/", "/v2", "*", "*"),
        ("/api", None, "/api//x", "/api//x"),
    ],
)
def test_rewriting(prefix: str, new: str | None, target: str, expected: str) -> None:
    assert rewritten(Route(Match(path_prefix=prefix), HERE, rewrite_prefix=new), target) == expected


@given(
    paths.filter(lambda path: path.strip("/")),
    segments.map(lambda text: f"/{text}"),
    paths,
    st.one_of(st.just(""), st.text("a?/%=&", max_size=8).map(lambda text: f"?{text}")),
)
def test_rewriting_keeps_the_rest(prefix: str, new: str, rest: str, query: str) -> None:
    prefix = prefix.rstrip("/")
    result = rewritten(Route(Match(path_prefix=prefix), HERE, rewrite_prefix=new), f"{prefix}{rest}{query}")
    assert result.endswith(f"{rest.lstrip('/')}{query}")
    assert result == f"{new.rstrip('/')}/{rest.lstrip('/')}{query}"
    assert not result.startswith("//")


def test_flags_of_routes() -> None:
    flagged = Route(Match(), HERE, Switch("f", FixedAnswer(503)))
    assert flags_of([Route(Match(), HERE), flagged, flagged]) == {"f": [1, 2]}


def test_texts() -> None:
    assert str(Address("https", "::1", 443)) == "https://[::1]:443"
    assert str(Side((Address("http", "a", 1), Address("http", "b", 2)))) == "http://a:1, http://b:2"
    assert str(ForwardHost("::1", 81)) == "[::1]:81"
    match = Match("*.example", "/a", None, frozenset({"POST", "GET"}), (HeaderMatch("x-a", "1"), HeaderMatch("x-b")))
    assert Route(match, HERE).label == str(match) == "GET,POST *.example /a x-a=1 x-b"
    assert str(Match(path="/a")) == "* =/a"


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ((), None),
        (("green",), None),
        (("green", "gray"), "gray is the off variant of the flag f, so its calls go to the fallback"),
        (
            ("red", "green", "Green"),
            "the flag f has no variant Green, red (it has blue, gray, green), so nothing goes there",
        ),
        (
            ("gray", "red"),
            "the flag f has no variant red (it has blue, gray, green), so nothing goes there; "
            "gray is the off variant of the flag f, so its calls go to the fallback",
        ),
    ],
)
def test_upstreams_that_are_never_called_are_named(named: tuple[str, ...], problem: str | None) -> None:
    flag = Ruleset(
        "clinic",
        "f",
        1,
        active=True,
        rollout=100.0,
        salt="f",
        type=ValueType.STRING,
        variants=(Variant("gray", "a"), Variant("blue", "b"), Variant("green", "c")),
        off_variant="gray",
        split=(Share("blue", 1), Share("green", 1)),
    )
    side = Side((Address("http", "a", 1),))
    switch = Switch("f", side, variants=tuple((variant, side) for variant in named))
    assert problem_with_variants(switch, flag) == problem
