"""Which route takes a request, and what a request says of its user."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from tailslide_core.evaluation import Context
from tailslide_sidecar.routes import (
    FixedAnswer,
    Match,
    RequestHead,
    Route,
    Source,
    SourceKind,
    Switch,
    Upstream,
    context_of,
    find_route,
    flags_of,
)

HERE = Upstream("http", "127.0.0.1", 9001)
segments = st.text("abc/-.%2f", max_size=8)


def head(method: str = "GET", host: str = "h", path: str = "/", query: str = "", **headers: str) -> RequestHead:
    return RequestHead(
        method, host, path, query, CIMultiDict({name.replace("_", "-"): text for name, text in headers.items()})
    )


@pytest.mark.parametrize(
    ("pattern", "host", "taken"),
    [
        ("*", "anything:80", True),
        ("*", "", True),
        ("shop.example", "Shop.Example:8080", True),
        ("shop.example", "www.shop.example", False),
        ("*.example", "shop.example", True),
        ("*.example", "a.b.example", True),
        ("*.example", "example", False),
        ("*.example", ".example", False),
        ("*.example", "notexample", False),
        ("::1", "[::1]:80", True),
    ],
)
def test_host(pattern: str, host: str, taken: bool) -> None:
    route = Route(Match(host=pattern), HERE)
    assert (find_route([route], head(host=host)) is route) == taken


@pytest.mark.parametrize(
    ("prefix", "path", "taken"),
    [
        ("/", "/x", True),
        ("/", "*", True),
        ("/a", "/a", True),
        ("/a", "/a/b", True),
        ("/a", "/ab", False),
        ("/a", "/", False),
        ("/a/", "/a/b", True),
        ("/a/", "/a", True),
        ("/a", "/%61", False),
    ],
)
def test_path_prefix_ends_at_a_segment(prefix: str, path: str, taken: bool) -> None:
    route = Route(Match(path_prefix=prefix), HERE)
    assert (find_route([route], head(path=path)) is route) == taken


@given(segments, segments)
def test_what_is_below_a_prefix_is_taken_and_what_only_begins_with_it_is_not(prefix: str, rest: str) -> None:
    match = Match(path_prefix=f"/x{prefix}")
    assert match.takes("GET", "h", f"{match.path_prefix.rstrip('/')}/{rest}")
    assert not match.takes("GET", "h", f"{match.path_prefix.rstrip('/')}z{rest}")


def test_the_first_route_that_takes_it_decides() -> None:
    posts, all_of_a, rest = (
        Route(Match(path_prefix="/a", methods=frozenset({"POST"})), HERE),
        Route(Match(path_prefix="/a"), HERE),
        Route(Match(), HERE),
    )
    routes = [posts, all_of_a, rest]
    assert find_route(routes, head("POST", path="/a")) is posts
    assert find_route(routes, head("GET", path="/a")) is all_of_a
    assert find_route(routes, head(path="/b")) is rest
    assert find_route(routes[:2], head(path="/b")) is None


def switch(targeting_key: Source | None, **attributes: Source) -> Switch:
    return Switch("f", FixedAnswer(503), targeting_key, tuple(attributes.items()))


def test_the_user_is_taken_from_headers_cookies_and_query() -> None:
    asked = switch(
        Source(SourceKind.COOKIE, "uid"),
        country=Source(SourceKind.HEADER, "X-Country"),
        plan=Source(SourceKind.QUERY, "plan"),
        missing=Source(SourceKind.QUERY, "other"),
    )
    request = head(
        query="x=1&plan=pro%20max&plan=second&empty=", Cookie='a=b; uid="u 1"; uid=second; junk', x_country="DE"
    )
    assert context_of(asked, request) == Context("u 1", {"country": "DE", "plan": "pro max"})


def test_what_is_not_there_is_left_out() -> None:
    assert context_of(switch(Source(SourceKind.HEADER, "x-user-id")), head()) == Context(None, {})
    assert context_of(switch(None), head(x_user_id="u")) == Context(None, {})
    assert context_of(switch(Source(SourceKind.QUERY, "u")), head(query="u=")) == Context("", {})


@given(st.text(), st.text())
def test_no_request_breaks_the_reading_of_it(cookie: str, query: str) -> None:
    asked = switch(Source(SourceKind.COOKIE, "u"), q=Source(SourceKind.QUERY, "q"))
    context_of(asked, head(query=query, Cookie=cookie))


@given(st.dictionaries(st.text("abcxyz_-", min_size=1), st.text("abc123=%", min_size=1), min_size=1))
def test_a_cookie_comes_back_as_it_was_written(cookies: dict[str, str]) -> None:
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    for name, value in cookies.items():
        assert context_of(switch(Source(SourceKind.COOKIE, name)), head(Cookie=header)).targeting_key == value


def test_flags_of_routes() -> None:
    flagged = Route(Match(), HERE, switch(None))
    assert flags_of([Route(Match(), HERE), flagged, flagged]) == {"f": [1, 2]}


def test_texts() -> None:
    assert str(Upstream("https", "::1", 443)) == "https://[::1]:443"
    assert str(Match("*.example", "/a", frozenset({"POST", "GET"}))) == "GET,POST *.example /a"
