"""Who lives by its lease, and what is ours by that."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import wire_keys

from tailslide_aerobat.holders import FORGOTTEN_AFTER_S, LIFETIME_S, Holders, worker_id
from tailslide_core.contracts import Lease, encode_lease
from tailslide_core.naming import is_app_key, lease_key
from tailslide_runtime.bucket_watch import Entry, Listing

APPS = [f"app-{number}" for number in range(100)]
SINCE_MS = 1_795_363_190_302


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def holders(clock: Clock) -> Holders:
    """Ours is "a"; its lease is written, and nobody else's is there."""
    holders = Holders("a", clock)
    holders.take(Listing({}))
    holders.renewed()
    holders.refresh()
    return holders


def lease(worker: str, revision: int) -> Entry:
    return Entry(lease_key(worker), encode_lease(Lease(worker, SINCE_MS)), revision)


def listing(*entries: Entry) -> Listing:
    return Listing({entry.key: entry for entry in entries})


def living(holders: Holders) -> str:
    holders.refresh()
    return "".join(holders.living)


def ours(holders: Holders) -> list[str]:
    return [app for app in APPS if holders.owns(app)]


def test_one_alone_owns_everything(holders: Holders) -> None:
    assert holders.living == ("a",)
    assert holders.holds
    assert ours(holders) == APPS


def test_nothing_is_ours_without_a_lease_of_our_own(clock: Clock) -> None:
    holders = Holders("a", clock)
    holders.take(listing(lease("b", 1)))
    assert holders.refresh()
    assert (holders.living, holders.holds) == (("b",), False)
    assert ours(holders) == []
    assert {holders.owner(app) for app in APPS} == {"b"}


def test_nothing_is_ours_before_the_others_are_known(clock: Clock) -> None:
    holders = Holders("a", clock)
    holders.renewed()
    assert not holders.refresh()
    assert ours(holders) == []
    assert holders.owner("app-1") is None
    holders.take(listing(lease("b", 1)))
    assert holders.refresh()
    assert holders.living == ("a", "b")


def test_two_divide_the_apps_and_agree(holders: Holders, clock: Clock) -> None:
    other = Holders("b", clock)
    other.take(listing(lease("a", 1)))
    other.renewed()
    other.refresh()
    holders.take(lease("b", 2))
    assert holders.refresh()
    assert sorted(ours(holders) + ours(other)) == sorted(APPS)
    assert all(holders.owner(app) == other.owner(app) for app in APPS)
    assert 25 < len(ours(holders)) < 75


def test_one_that_does_not_renew_is_gone_after_its_time(holders: Holders, clock: Clock) -> None:
    holders.take(lease("b", 2))
    holders.refresh()
    clock.now += LIFETIME_S - 0.01
    holders.renewed()
    assert not holders.refresh()
    clock.now += 0.01
    assert holders.refresh()
    assert ours(holders) == APPS


def test_one_that_renews_stays(holders: Holders, clock: Clock) -> None:
    for revision in range(2, 50):
        holders.take(lease("b", revision))
        holders.renewed()
        holders.refresh()
        assert holders.living == ("a", "b")
        clock.now += 0.5
    assert holders.divisions == 2


def test_one_that_stops_is_gone_at_once(holders: Holders) -> None:
    holders.take(lease("b", 2))
    holders.refresh()
    holders.take(Entry(lease_key("b"), None, 3))
    assert holders.refresh()
    assert ours(holders) == APPS


def test_we_step_down_when_our_own_lease_lapses(holders: Holders, clock: Clock) -> None:
    clock.now += LIFETIME_S
    assert holders.refresh()
    assert not holders.holds
    assert ours(holders) == []
    holders.renewed()
    assert holders.refresh()
    assert ours(holders) == APPS


def test_our_lease_counts_from_when_its_writing_began(holders: Holders, clock: Clock) -> None:
    """The others cannot have heard of it before; an answer that comes late must not make ours last longer."""
    clock.now += 10
    holders.renewed(began_at=clock.now - LIFETIME_S)
    holders.refresh()
    assert not holders.holds


@given(st.lists(st.tuples(st.floats(0.0, 1.5), st.floats(0.0, 1.5)), min_size=1, max_size=20), st.floats(0.0, 5.0))
def test_we_never_hold_on_longer_than_the_others_wait(renewals: list[tuple[float, float]], then: float) -> None:
    """However long each renewal takes to write and to be heard of, and whenever they end."""
    clock = Clock()
    a, b = Holders("a", clock), Holders("b", clock)
    for holders in (a, b):
        holders.take(Listing({}))
    for revision, (on_the_way, answer) in enumerate(renewals, 1):
        began = clock.now
        clock.now += on_the_way
        b.take(lease("a", revision))
        clock.now += answer
        a.renewed(began)
    b.renewed()
    clock.now += then
    b.renewed()
    a.refresh()
    b.refresh()
    if "a" not in b.living:
        assert not a.holds


def test_a_listing_again_revives_nobody(holders: Holders, clock: Clock) -> None:
    """After a gap in the watch the bucket is listed again, and has the leases of the dead for a minute."""
    holders.take(lease("b", 2))
    clock.now += LIFETIME_S
    holders.renewed()
    holders.refresh()
    holders.take(listing(lease("a", 1), lease("b", 2)))
    assert not holders.refresh()
    assert living(holders) == "a"
    clock.now += FORGOTTEN_AFTER_S
    holders.renewed()
    holders.refresh()
    holders.take(listing(lease("b", 2)))
    assert living(holders) == "ab"


def test_who_is_missing_from_a_listing_has_its_time_to_renew(holders: Holders, clock: Clock) -> None:
    """The bucket was created again; had it stopped, its deletion would be listed."""
    holders.take(lease("b", 7))
    holders.take(listing())
    assert living(holders) == "ab"
    holders.take(lease("b", 1))
    clock.now += LIFETIME_S - 0.1
    holders.renewed()
    assert living(holders) == "ab"
    holders.take(listing(Entry(lease_key("b"), None, 2)))
    assert living(holders) == "a"


def test_nothing_is_known_while_disconnected(holders: Holders) -> None:
    holders.take(lease("b", 2))
    holders.refresh()
    holders.disconnected()
    assert (holders.living, holders.held()) == ((), [])
    assert ours(holders) == []
    holders.renewed()
    assert not holders.refresh()


def test_our_own_lease_in_the_bucket_is_old_news(holders: Holders) -> None:
    holders.take(Entry(lease_key("a"), None, 2))
    holders.take(lease("a", 3))
    assert not holders.refresh()
    assert holders.living == ("a",)


def test_other_keys_are_nobody(holders: Holders) -> None:
    holders.take(Entry("tower.x", b"{}", 2))
    holders.take(listing(Entry("aerobat.No Key", b"{}", 3)))
    assert not holders.refresh()


def test_a_value_that_cannot_be_read_hides_only_since_when(holders: Holders, clock: Clock) -> None:
    holders.take(Entry(lease_key("b"), b'{"schema": 2}', 2))
    holders.take(lease("c", 3))
    holders.renewed(since_ms=5)
    holders.refresh()
    clock.now += 0.25
    held = {holder.worker: (holder.since_ms, holders.renewed_ms_ago(holder)) for holder in holders.held()}
    assert held == {"a": (5, 250), "b": (None, 250), "c": (SINCE_MS, 250)}


async def test_whoever_waits_for_the_next_division_hears_of_it(holders: Holders) -> None:
    waiting = asyncio.ensure_future(holders.changed_since(holders.divisions))
    await asyncio.sleep(0)
    holders.refresh()
    await asyncio.sleep(0)
    assert not waiting.done()
    seen = holders.divisions
    holders.take(lease("b", 2))
    holders.refresh()
    await waiting
    await holders.changed_since(seen)
    assert holders.divisions == seen + 1


@given(st.lists(st.sampled_from("bcd"), max_size=30))
def test_a_division_changes_only_with_who_lives(workers: list[str]) -> None:
    holders = Holders("a", Clock())
    holders.take(Listing({}))
    holders.renewed()
    holders.refresh()
    seen = [holders.living]
    alive: set[str] = set()
    for revision, worker in enumerate(workers, 1):
        entry = Entry(lease_key(worker), None, revision) if worker in alive else lease(worker, revision)
        alive ^= {worker}
        holders.take(entry)
        assert holders.refresh()
        seen.append(holders.living)
        assert set(holders.living) == {"a", *alive}
    assert all(one != following for one, following in pairwise(seen))


@given(st.text(max_size=300), wire_keys.filter(lambda key: len(key) <= 20))
def test_an_id_may_be_a_key_whatever_the_host_is_called(host: str, start: str) -> None:
    assert is_app_key(worker_id(host, start))
    assert worker_id(host, start).endswith(f"-{start}")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("aerobat-7d9f-x2", "aerobat-7d9f-x2-1a2b3c"),
        ("Host.Example.COM", "host-example-com-1a2b3c"),
        ("", "aerobat-1a2b3c"),
        ("___", "aerobat-1a2b3c"),
        ("h" * 100, "h" * 40 + "-1a2b3c"),
    ],
)
def test_an_id_shows_the_host(host: str, expected: str) -> None:
    assert worker_id(host, "1a2b3c") == expected
