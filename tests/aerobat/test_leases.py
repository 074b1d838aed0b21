"""Holding a lease, on the twin in memory and a clock that moves only when the loop would wait."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from tailslide_aerobat.holders import LIFETIME_S, Holders
from tailslide_aerobat.leases import LOOK_EVERY_S, RENEW_EVERY_S, InMemoryLeaseStore, LeaseError, Leaseholder
from tailslide_aerobat.metrics import Metrics
from tailslide_core.contracts import Lease, decode_lease, encode_lease
from tailslide_core.naming import lease_key
from tailslide_runtime.bucket_watch import Entry, Listing

STARTED_MS = 1_795_363_190_302
_REAL_SLEEP = asyncio.sleep


class World:
    """One Aerobat's lease. `steps` are what happens at each pause of the loop; after the last the loop is cancelled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        self.store = InMemoryLeaseStore()
        self.metrics = Metrics()
        self.holders = Holders("a", lambda: self.now)
        self.holders.take(Listing({}))
        self.leaseholder = Leaseholder(self.holders, self.metrics, STARTED_MS)
        self.able = True
        self.pauses: list[float] = []
        self._steps: list[Callable[[], None]] = []
        monkeypatch.setattr(asyncio, "sleep", self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        if not self._steps:
            raise asyncio.CancelledError
        self._steps.pop(0)()
        await _REAL_SLEEP(0)

    async def hold(self, *steps: Callable[[], None]) -> None:
        self._steps = list(steps)
        with pytest.raises(asyncio.CancelledError):
            await self.leaseholder.hold(self.store, lambda: self.able)

    def metric(self, name: str) -> float:
        lines = self.metrics.text().decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"tailslide_aerobat_{name} "))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def nothing() -> None:
    """Let time pass."""


async def test_it_is_written_at_once_renewed_and_deleted_in_the_end(world: World) -> None:
    held: list[bool] = []
    await world.hold(*[lambda: held.append(world.holders.holds)] * 3)
    assert held == [True] * 3
    assert world.pauses == [RENEW_EVERY_S] * 4
    *renewals, deletion = world.store.entries
    assert [decode_lease(entry.value or b"") for entry in renewals] == [Lease("a", STARTED_MS)] * 4
    assert (deletion.key, deletion.value) == (lease_key("a"), None)
    assert not world.holders.holds


async def test_a_renewal_that_fails_is_tried_again_and_we_step_down_in_time(world: World) -> None:
    held: list[bool] = []

    def fail() -> None:
        world.store.error = "no quorum"

    def note() -> None:
        held.append(world.holders.holds)

    def mend() -> None:
        note()
        world.store.error = None

    await world.hold(fail, note, note, note, mend, note)
    assert held == [True, True, True, False, True]
    assert 4 * RENEW_EVERY_S == LIFETIME_S
    assert world.metric("lease_errors_total") == 4


async def test_a_deletion_that_fails_leaves_it_to_lapse(world: World) -> None:
    def fail() -> None:
        world.store.error = "no answer"

    await world.hold(fail)
    assert len(world.store.entries) == 1
    assert not world.holders.holds


async def test_who_cannot_judge_for_long_lets_go_and_comes_back(world: World) -> None:
    seen: list[tuple[bool, int]] = []

    def note() -> None:
        seen.append((world.holders.holds, len(world.store.entries)))

    def lame() -> None:
        world.able = False

    def well() -> None:
        note()
        world.able = True

    await world.hold(lame, *[note] * 4, note, well, note)
    assert seen == [(True, 2), (True, 3), (True, 4), (True, 5), (False, 6), (False, 6), (True, 7)]
    assert world.store.entries[5].value is None


async def test_a_slow_answer_shortens_the_pause_and_the_lease(world: World) -> None:
    class Slow(InMemoryLeaseStore):
        async def renew(self, lease: Lease) -> None:
            world.now += 0.75
            await super().renew(lease)

    world.store = Slow()
    await world.hold(nothing)
    assert world.pauses == [0.0, 0.0]


async def test_who_cannot_judge_yet_takes_nothing_and_is_quick_once_it_can(world: World) -> None:
    def well() -> None:
        world.able = True

    world.able = False
    await world.hold(*[nothing] * 9, well)
    assert world.pauses == pytest.approx([LOOK_EVERY_S] * 10 + [RENEW_EVERY_S])
    assert [entry.value is None for entry in world.store.entries] == [False, True]


async def test_without_a_lease_nothing_is_deleted(world: World) -> None:
    world.able = False
    await world.hold(*[nothing] * 10)
    assert world.store.entries == []


async def test_the_others_are_followed_and_values_that_cannot_be_read_counted_once(world: World) -> None:
    world.holders.renewed()
    listing = Listing({lease_key("b"): Entry(lease_key("b"), b"{", 1)})
    items: list[Listing | Entry] = [
        listing,
        Entry(lease_key("b"), b"{", 2),
        Entry(lease_key("c"), encode_lease(Lease("c", 1)), 3),
        Entry(lease_key("b"), None, 4),
        Entry(lease_key("b"), b"{", 5),
    ]
    living = []

    async def watch() -> AsyncIterator[Listing | Entry]:
        for item in items:
            yield item
            living.append("".join(world.holders.living))

    await world.leaseholder.follow(watch())
    assert living == ["ab", "ab", "abc", "ac", "abc"]
    assert world.metric('refused_values_total{bucket="leases"}') == 2


async def test_the_twin_fails_when_told() -> None:
    store = InMemoryLeaseStore()
    store.error = "gone"
    with pytest.raises(LeaseError, match="gone"):
        await store.renew(Lease("a", 1))
    with pytest.raises(LeaseError, match="gone"):
        await store.release("a")
