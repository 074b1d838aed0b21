"""Segments are written before the flags that ask for them, and deleted after them, whatever else happens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_rulesets import MemoryRulesets, ruleset

from tailslide_core.contracts import Mark, decode_mark
from tailslide_core.naming import CLAIM_KEY, FlagId, SegmentId, mark_key
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.publisher import trouble
from tailslide_tower.publisher.bucket import BucketError, MemoryBucket, RevisionConflictError
from tailslide_tower.publisher.order import in_turns, next_batch
from tailslide_tower.publisher.service import BATCH, Publisher
from tailslide_tower.publisher.wanted import Wanted

FLAG, VIP = FlagId("shop", "one"), SegmentId("shop", "vip")
ONE, SEGMENT = str(FLAG), str(VIP)


class RecordingBucket(MemoryBucket):
    """Keeps the keys in the order in which they were written, and refuses some."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[str, bool]] = []
        """Each key, and whether it was a deletion."""
        self.refused: set[str] = set()
        self.error: type[BucketError] = BucketError

    async def put(self, key: str, value: bytes | None, revision: int) -> None:
        """Write, and remember it."""
        if key in self.refused:
            raise self.error("no answer in time")
        await super().put(key, value, revision)
        if key not in {CLAIM_KEY, mark_key("shop"), mark_key("desk")}:
            self.written.append((key, value is None))

    def live(self) -> set[str]:
        entries = self.entries or {}
        marks = {CLAIM_KEY, mark_key("shop"), mark_key("desk")}
        return {key for key, entry in entries.items() if entry.value is not None} - marks


class Scene:
    """A publisher between a database and a bucket in memory."""

    def __init__(self, *keys: str) -> None:
        self.rulesets = MemoryRulesets({})
        self.bucket = RecordingBucket()
        self.metrics = TowerMetrics()
        self.publisher = Publisher(self.rulesets, self.metrics, look_every_s=0.001)
        for key in keys:
            self.rulesets.set(key, 1.0)

    def uses(self, *flags: str, segment: str = SEGMENT) -> None:
        self.rulesets.uses |= {flag: frozenset({segment}) for flag in flags}

    def changed(self, *keys: str) -> None:
        for key in keys:
            app, _, rest = key.partition(".")
            segment = rest.removeprefix("_segments.")
            self.publisher.changed(FlagId(app, rest) if segment == rest else SegmentId(app, segment))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.publisher.serve(self.bucket))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def settled(self) -> None:
        await until(lambda: self.publisher.published and self.bucket.live() == self.rulesets.values.keys())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "FIRST_BACKOFF_S", 0.001)
    monkeypatch.setattr(trouble, "MAX_BACKOFF_S", 0.001)


async def test_a_comparison_writes_segments_first_and_deletes_them_last() -> None:
    scene = Scene(ONE, "shop.a", SEGMENT, "shop._segments.a.b", "desk.one")
    async with scene.serving():
        await scene.settled()
    assert {key for key, _ in scene.bucket.written[:2]} == {SEGMENT, "shop._segments.a.b"}
    assert len(scene.bucket.written) == 5

    for key in (ONE, SEGMENT):
        scene.rulesets.delete(key)
    scene.rulesets.set("shop.a", 2.0)
    async with scene.serving():
        await scene.settled()
    assert scene.bucket.written[5:] == [("shop.a", False), (ONE, True), (SEGMENT, True)]


async def test_changes_that_are_published_together_are_written_in_order() -> None:
    scene = Scene("desk.one")
    async with scene.serving():
        await scene.settled()
        scene.rulesets.set(ONE, 1.0)
        scene.rulesets.set(SEGMENT, 1.0)
        scene.changed(ONE, SEGMENT)
        await scene.settled()
        scene.rulesets.set(ONE, 2.0)
        scene.rulesets.delete(SEGMENT)
        scene.changed(SEGMENT, ONE)
        await scene.settled()
    assert scene.bucket.written[1:] == [(SEGMENT, False), (ONE, False), (ONE, False), (SEGMENT, True)]


async def test_a_segment_is_deleted_after_all_changes_of_flags_that_were_made_before() -> None:
    flags = [f"shop.flag-{n}" for n in range(BATCH + 5)]
    segments = [f"shop._segments.s{n}" for n in range(BATCH + 5)]
    scene = Scene(*flags, *segments)
    async with scene.serving():
        await scene.settled()
        before = len(scene.bucket.written)
        for flag in flags:
            scene.rulesets.set(flag, 2.0)
        for segment in segments:
            scene.rulesets.delete(segment)
        scene.changed(*segments, *flags)
        await scene.settled()
    written = scene.bucket.written[before:]
    assert {key for key, _ in written[: len(flags)]} == set(flags)
    assert {key for key, deleted in written[len(flags) :] if deleted} == set(segments)


async def test_a_segment_is_deleted_after_a_change_that_is_made_while_its_row_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(ONE, SEGMENT)
    of, is_filled = scene.rulesets.of, False

    async def meanwhile(keys: Collection[str]) -> Wanted:
        if is_filled and SEGMENT in keys and ONE in scene.rulesets.values:
            for key in (ONE, SEGMENT):  # so that the row which is read now says that it is gone
                scene.rulesets.delete(key)
                scene.changed(key)
        return await of(keys)

    monkeypatch.setattr(scene.rulesets, "of", meanwhile)
    async with scene.serving():
        await scene.settled()
        before, is_filled = len(scene.bucket.written), True
        scene.rulesets.set(SEGMENT, 2.0)
        scene.changed(SEGMENT)
        await until(lambda: not scene.bucket.live())
    assert scene.bucket.written[before:] == [(ONE, True), (SEGMENT, True)]


async def test_a_segment_is_not_deleted_before_the_bucket_was_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(ONE, SEGMENT, "shop.other")
    async with scene.serving():
        await scene.settled()
        before = len(scene.bucket.written)
    scene.rulesets.set(ONE, 2.0)  # of which this Tower has not heard, or has forgotten with a restart
    scene.rulesets.delete(SEGMENT)
    of = scene.rulesets.of

    async def slow(keys: Collection[str]) -> Wanted:
        if list(keys) == [ONE]:
            for _ in range(100):
                await asyncio.sleep(0)
        return await of(keys)

    monkeypatch.setattr(scene.rulesets, "of", slow)
    async with scene.serving():
        scene.changed(SEGMENT, "shop.other")
        await scene.settled()
    assert scene.bucket.written[before:] == [(ONE, False), (SEGMENT, True)]


@pytest.mark.parametrize("error", [BucketError, RevisionConflictError])
async def test_flags_wait_for_a_segment_that_cannot_be_written_and_other_apps_do_not(error: type[BucketError]) -> None:
    scene = Scene(ONE, SEGMENT, "desk.one", "desk._segments.vip")
    scene.bucket.refused = {SEGMENT}
    scene.bucket.error = error
    async with scene.serving():
        await until(lambda: scene.bucket.live() == {"desk.one", "desk._segments.vip"})
        await until(lambda: scene.publisher.pending == 2)
        assert not scene.publisher.published
        scene.bucket.refused = set()
        await scene.settled()
    assert [key for key, _ in scene.bucket.written[-2:]] == [SEGMENT, ONE]


async def test_a_flag_waits_for_a_segment_that_another_tower_is_about_to_write() -> None:
    scene = Scene("desk.one")
    async with scene.serving():
        await scene.settled()
        scene.rulesets.set(ONE, 1.0)
        scene.rulesets.set(SEGMENT, 1.0)
        scene.uses(ONE)
        scene.changed(ONE)  # and of the segment only the other Tower knows
        await scene.settled()
        assert scene.bucket.written[1:] == [(SEGMENT, False), (ONE, False)]
        # Now that it is there, it is not read for each change of the flag.
        read: list[str] = []
        of = scene.rulesets.of

        async def noted(keys: Collection[str]) -> Wanted:
            read.extend(keys)
            return await of(keys)

        scene.rulesets.of = noted  # type: ignore[method-assign] # to see what is asked for
        scene.rulesets.set(ONE, 2.0)
        scene.changed(ONE)
        await scene.settled()
    assert read == [ONE]


async def test_a_flag_and_its_segment_that_are_made_during_a_comparison_are_written_in_order() -> None:
    scene = Scene("shop.a", "shop.b", SEGMENT)
    of = scene.rulesets.of
    made = False

    async def make_more(keys: Collection[str]) -> Wanted:
        nonlocal made
        if list(keys) == ["shop.a"] and not made:  # the segments have been compared by now
            made = True
            scene.rulesets.set("shop._segments.new", 1.0)
            scene.rulesets.set("shop.b", 2.0)
            scene.uses("shop.b", segment="shop._segments.new")
        return await of(keys)

    scene.rulesets.of = make_more  # type: ignore[method-assign] # the other Tower comes in exactly here
    async with scene.serving():
        await scene.settled()
    order = [key for key, _ in scene.bucket.written]
    assert order.index("shop._segments.new") < order.index("shop.b")


async def test_a_flag_whose_segment_is_not_valid_in_the_database_waits_for_nothing() -> None:
    scene = Scene(ONE)
    scene.rulesets.invalid = frozenset({SEGMENT})
    scene.uses(ONE)
    async with scene.serving():
        await until(lambda: scene.bucket.live() == {ONE})
        await until(lambda: scene.publisher.published)


async def test_a_flag_that_asks_for_a_segment_which_there_never_was_is_published_all_the_same() -> None:
    scene = Scene(ONE)
    scene.uses(ONE)
    async with scene.serving():
        await scene.settled()


async def test_a_mark_counts_flags_and_comes_after_segments_too() -> None:
    scene = Scene(ONE, SEGMENT)
    async with scene.serving():
        await scene.settled()
        entries = scene.bucket.entries or {}
        mark = entries[mark_key("shop")]
        assert mark.value is not None
        assert decode_mark(mark.value) == Mark(1_001 + 2, 1)
        assert mark.revision > max(entries[ONE].revision, entries[SEGMENT].revision)


async def test_an_app_is_not_marked_while_a_segment_of_it_is_missing() -> None:
    scene = Scene(ONE, SEGMENT)
    scene.bucket.refused = {SEGMENT}
    async with scene.serving():
        await until(lambda: scene.publisher.pending == 2 and scene.metrics.last_comparison._value.get() > 0)
        assert mark_key("shop") not in (scene.bucket.entries or {})


async def test_a_bucket_that_has_lost_a_segment_is_filled_again() -> None:
    scene = Scene(ONE, SEGMENT)
    async with scene.serving():
        await scene.settled()
        assert scene.bucket.entries is not None
        del scene.bucket.entries[SEGMENT]
        await until(lambda: SEGMENT in scene.bucket.live())
        await scene.settled()


async def test_a_segment_that_is_newer_in_the_bucket_is_left_alone() -> None:
    scene = Scene(ONE, SEGMENT)
    async with scene.serving():
        await scene.settled()
    entry = (scene.bucket.entries or {})[SEGMENT]
    await scene.bucket.put(SEGMENT, ruleset(9, "later"), entry.revision)
    async with scene.serving():
        await until(lambda: scene.publisher.newer == [SEGMENT])
        assert scene.publisher.is_left_alone(VIP)
        assert not scene.publisher.is_left_alone(FLAG)


keys = st.sampled_from(["a.x", "a._segments.x", "a._segments.y", "b.x", "b._segments.x", "a._published"])


@given(st.dictionaries(keys, st.none() | st.just(b"x")))
def test_turns_hold_every_key_once_and_in_order(values: dict[str, bytes | None]) -> None:
    order = [(key, value) for turn in in_turns(values) for key, value in turn.items()]
    assert dict(order) == values
    assert len(order) == len(values)
    kinds = [(0 if value is not None else 2) if "_segments." in key else 1 for key, value in order]
    assert kinds == sorted(kinds)


@given(st.sets(keys), st.sets(keys), st.integers(1, 4))
def test_a_batch_takes_segments_first_and_what_is_postponed_last(
    pending: set[str], postponed: set[str], limit: int
) -> None:
    batch = next_batch(pending, postponed, limit)
    assert batch <= pending
    assert len(batch) == min(limit, len(pending))
    left = pending - batch
    if batch - postponed and left - postponed and any("_segments." in key for key in left - postponed):
        assert all("_segments." in key for key in batch)
    if batch & postponed:
        assert left <= postponed
