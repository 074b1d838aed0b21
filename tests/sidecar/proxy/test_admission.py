"""What is refused before anything is sent, and the key that the anonymous get."""

import re

import pytest

from tailslide_runtime.http1.requests import RequestHead, RequestReader
from tailslide_sidecar.proxy import admission
from tailslide_sidecar.proxy.accounts import Accounts
from tailslide_sidecar.proxy.active_route import ActiveRoute
from tailslide_sidecar.proxy.limits import ProxyLimits
from tailslide_sidecar.proxy.pool import Pool
from tailslide_sidecar.proxy.routes import Address, FixedAnswer, Match, NoRoute, Route, Side, Switch
from tailslide_sidecar.proxy.sources import Source, SourceKind

UPSTREAM = Side((Address("http", "127.0.0.1", 9001),))


def head_of(request: bytes) -> RequestHead:
    head = RequestReader(ProxyLimits()).feed(request)[0]
    assert isinstance(head, RequestHead)
    return head


def active(**limits: int) -> ActiveRoute:
    route = Route(Match(), UPSTREAM, **limits)  # type: ignore[arg-type] # its limits
    return ActiveRoute(route, Accounts().route(route.label), Pool())


GET = b"GET /a?b HTTP/1.1\r\nHost: shop.example\r\n\r\n"


@pytest.mark.parametrize(
    ("found", "status", "code"),
    [
        (NoRoute.NO_ROUTE, 404, "NO_ROUTE"),
        (NoRoute.UNKNOWN_HOST, 421, "UNKNOWN_HOST"),
        (NoRoute.NOT_ALLOWED, 403, "HOST_NOT_ALLOWED"),
    ],
)
def test_what_no_route_takes_is_told_why(found: NoRoute, status: int, code: str) -> None:
    refusal = admission.without_route(found, head_of(GET))
    assert (refusal.status, refusal.code, refusal.closes) == (status, code, False)
    assert "shop.example" in refusal.message
    assert "?" not in refusal.message


def test_a_body_beyond_the_limit_is_refused_by_its_length_or_by_what_has_come() -> None:
    route = active(max_body_bytes=5)
    sized = head_of(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n")
    chunked = head_of(b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    refusal = admission.beyond_limits(route, sized, 0)
    assert refusal is not None
    assert (refusal.status, refusal.closes) == (413, True)
    assert admission.beyond_limits(route, chunked, 5) is None
    assert admission.beyond_limits(route, chunked, 6) == refusal


def test_calls_beyond_the_limit_are_to_come_again() -> None:
    route = active(max_calls=2)
    route.account.running = 2  # with this one
    assert admission.beyond_limits(route, head_of(GET), 0) is None
    route.account.running = 3
    refusal = admission.beyond_limits(route, head_of(GET), 0)
    assert refusal is not None
    assert (refusal.status, refusal.code, refusal.headers) == (503, "NO_CAPACITY", ((b"Retry-After", b"1"),))


def test_options_that_may_go_no_further_is_answered_here() -> None:
    options = b"OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: %d\r\n\r\n"
    refusal = admission.beyond_limits(active(), head_of(options % 0), 0)
    assert refusal is not None
    assert refusal.status == 204
    assert admission.beyond_limits(active(), head_of(options % 1), 0) is None


def test_only_who_has_no_key_is_given_one_and_it_comes_back() -> None:
    source = Source(SourceKind.HEADER, "x-user-id")
    switch = Switch("f", FixedAnswer(503), source, anonymous_cookie="tailslide_id")
    key = admission.key_for_anonymous(switch, head_of(GET))
    assert key is not None
    assert key != admission.key_for_anonymous(switch, head_of(GET))
    line = admission.cookie_line(switch, key)
    assert re.fullmatch(
        rb"\r\nSet-Cookie: tailslide_id=[\w-]{22}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", line
    )

    cookie = line.partition(b": ")[2].partition(b";")[0]
    again = head_of(b"GET / HTTP/1.1\r\nHost: h\r\nCookie: x=y; %b\r\n\r\n" % cookie)
    named = head_of(b"GET / HTTP/1.1\r\nHost: h\r\nX-User-Id: u1\r\n\r\n")
    assert admission.key_for_anonymous(switch, again) is None
    assert admission.key_for_anonymous(switch, named) is None
    assert admission.key_for_anonymous(Switch("f", FixedAnswer(503), source), head_of(GET)) is None
