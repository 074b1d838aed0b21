"""What a route's settings come to at run time."""

from tailslide_sidecar.proxy.accounts import Accounts
from tailslide_sidecar.proxy.active_route import NEVER, ActiveRoute
from tailslide_sidecar.proxy.pool import Pool
from tailslide_sidecar.proxy.routes import Address, FixedAnswer, Match, Route, Side, Switch, Timeouts

FEATURE, FALLBACK = Address("http", "feature", 80), Address("http", "fallback", 80)


def active(route: Route, pool: Pool | None = None) -> ActiveRoute:
    return ActiveRoute(route, Accounts().route(route.label), pool or Pool())


def test_a_plain_route() -> None:
    route = active(Route(Match(path_prefix="/a"), Side((FEATURE,))))
    assert (route.label, route.account.label) == ("* /a", "* /a")
    assert (route.switch, route.fallback, route.retries) == (None, None, False)
    assert (route.connect_s, route.first_byte_s, route.idle_s, route.total_s) == (5.0, 30.0, 300.0, NEVER)
    assert (route.has_limits, route.rewrites) == (False, False)


def test_a_flagged_route_with_everything() -> None:
    route = active(
        Route(
            Match(),
            Side((FEATURE, FALLBACK)),
            Switch("f", FixedAnswer(503), retries_on_fallback=True),
            Timeouts(connect_ms=100, first_byte_ms=250, idle_ms=None, total_ms=1_500),
            rewrite_prefix="/b",
            max_body_bytes=0,
            max_calls=7,
        )
    )
    assert isinstance(route.upstream, tuple)
    assert [server.address for server in route.upstream] == [FEATURE, FALLBACK]
    assert (route.fallback, route.retries) == (FixedAnswer(503), True)
    assert (route.connect_s, route.first_byte_s, route.idle_s, route.total_s) == (0.1, 0.25, NEVER, 1.5)
    assert (route.has_limits, route.max_body_bytes, route.max_calls, route.rewrites) == (True, 0, 7, True)


def test_variants_have_servers_of_their_own() -> None:
    pool = Pool()
    switch = Switch("f", Side((FALLBACK,)), variants=(("blue", Side((FEATURE, FALLBACK))),), is_reported=True)
    route = active(Route(Match(), Side((FEATURE,)), switch), pool)
    assert route.variants == {"blue": (pool.server(FEATURE), pool.server(FALLBACK))}
    assert route.is_reported
    plain = active(Route(Match(), Side((FEATURE,)), Switch("f", Side((FALLBACK,)))), pool)
    assert (plain.variants, plain.is_reported) == ({}, False)


def test_a_server_is_the_same_for_all_routes_that_name_it() -> None:
    pool = Pool()
    one = active(Route(Match(), Side((FEATURE,)), Switch("f", Side((FALLBACK,)))), pool)
    other = active(Route(Match(), Side((FALLBACK,))), pool)
    assert isinstance(one.fallback, tuple)
    assert isinstance(other.upstream, tuple)
    assert one.fallback[0] is other.upstream[0]
    assert one.fallback[0] is not pool.server(FEATURE)
