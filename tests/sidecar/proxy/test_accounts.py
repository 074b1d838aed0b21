"""What has become of calls, by route."""

from tailslide_core.outcomes import CallEnd
from tailslide_sidecar.proxy.accounts import Accounts, Side
from tailslide_sidecar.proxy.routes import NoRoute


def latencies(accounts: Accounts) -> dict[str, float]:
    """Return how many calls have taken a time, by side."""
    (histogram,) = accounts.latency.collect()
    return {sample.labels["side"]: sample.value for sample in histogram.samples if sample.name.endswith("_count")}


def test_ends_are_counted_by_side_and_result() -> None:
    account = Accounts().route("/a")
    account.count(Side.FEATURE, CallEnd.ANSWERED, 1.0)
    account.count(Side.FEATURE, CallEnd.ANSWERED, 2.0)
    account.count(Side.FALLBACK, CallEnd.TIMED_OUT, 3.0)
    assert set(account.ends()) == {
        (Side.FEATURE, CallEnd.ANSWERED, 2),
        (Side.FALLBACK, CallEnd.TIMED_OUT, 1),
    }


def test_a_call_that_no_server_had_a_part_in_takes_no_time() -> None:
    accounts = Accounts()
    account = accounts.route("/a")
    account.count(Side.UPSTREAM, CallEnd.ANSWERED, 5.0)
    account.count(Side.UPSTREAM, CallEnd.ANSWERED, 0.0)
    account.count(Side.NONE, CallEnd.CLIENT_GONE, 0.0)
    assert {side: count for side, count in latencies(accounts).items() if count} == {"upstream": 1}


def test_an_account_stays_when_routes_change() -> None:
    accounts = Accounts()
    first = accounts.route("/a")
    assert accounts.route("/a") is first
    assert accounts.route("/b") is not first
    assert [account.label for account in accounts.routes] == ["/a", "/b"]


def test_requests_that_go_nowhere_are_counted_by_why() -> None:
    accounts = Accounts()
    accounts.no_route(NoRoute.UNKNOWN_HOST)
    accounts.no_route(NoRoute.UNKNOWN_HOST)
    assert accounts.unrouted == {NoRoute.NO_ROUTE: 0, NoRoute.UNKNOWN_HOST: 2, NoRoute.NOT_ALLOWED: 0}
