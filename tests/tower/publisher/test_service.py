import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

import pytest
import structlog
from memory_rulesets import MemoryRulesets, ruleset

from tailslide_core.contracts import Claim, Mark, decode_mark, encode_claim, encode_mark
from tailslide_core.fields import MAX_INTEGER
from tailslide_core.naming import CLAIM_KEY, FlagId, is_reserved, mark_key
from tailslide_runtime.bucket_watch import Entry
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.publisher import trouble
from tailslide_tower.publisher.bucket import BucketError, MemoryBucket, RevisionConflictError
from tailslide_tower.publisher.claims import Identity, claim_in
from tailslide_tower.publisher.service import Publisher
from tailslide_tower.publisher.wanted import Wanted

ONE, TWO = FlagId("shop", "one"), FlagId("shop", "two")


class Scene:
    """A publisher between a database and a bucket in memory. Only `look_every_s` passes in real time."""

    def __init__(self, **values: bytes) -> None:
        self.rulesets = MemoryRulesets({f"shop.{key}": value for key, value in values.items()})
        self.bucket = MemoryBucket()
        self.metrics = TowerMetrics()
        self.publisher = Publisher(self.rulesets, self.metrics, look_every_s=0.001)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.publisher.serve(self.bucket))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def values(self) -> dict[str, bytes | None]:
        """Return what the bucket holds of flags, and of whatever else is not Tailslide's own."""
        entries = self.bucket.entries or {}
        return {key: entry.value for key, entry in entries.items() if not is_reserved(key)}

    def mark(self, app: str = "shop") -> Mark | None:
        entry = (self.bucket.entries or {}).get(mark_key(app))
        return None if entry is None or entry.value is None else decode_mark(entry.value)

    def live(self) -> dict[str, bytes | None]:
        return {key: value for key, value in self.values().items() if value is not None}

    async def settled(self) -> None:
        await until(lambda: self.publisher.published and self.live() == self.rulesets.values)

    def refused(self, cause: str) -> float | None:
        return self.metrics.registry.get_sample_value("tailslide_tower_not_publishing", {"cause": cause})

    def counted(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"tailslide_tower_{name}") or 0.0


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "FIRST_BACKOFF_S", 0.001)
    monkeypatch.setattr(trouble, "MAX_BACKOFF_S", 0.001)


async def test_a_bucket_that_is_not_there_is_made_and_filled() -> None:
    scene = Scene(one=b"1", two=b"2")
    async with scene.serving():
        await scene.settled()
    assert scene.values() == {"shop.one": b"1", "shop.two": b"2"}
    assert scene.counted("last_full_comparison_timestamp_seconds") > 0


async def test_only_what_differs_is_written() -> None:
    scene = Scene(one=b"1", two=b"2")
    await scene.bucket.ensure()
    await scene.bucket.put("shop.one", b"1", 0)
    await scene.bucket.put("shop.two", b"old", 0)
    async with scene.serving():
        await scene.settled()
    assert {key for key, entry in (scene.bucket.entries or {}).items() if entry.revision > 2} == {
        "shop.two",
        mark_key("shop"),
        CLAIM_KEY,
    }


async def test_what_the_database_remembers_as_deleted_is_deleted_and_nothing_else() -> None:
    scene = Scene(one=b"1")
    async with scene.serving():
        await scene.settled()
    scene.rulesets.deleted["shop.gone"] = 1
    others = ("shop.unknown", "nonsense", "shop._later.vip", "_future", "shop.No Flag")
    scene.rulesets.deleted["shop._segments.gone"] = 1
    for key in ("shop.gone", "shop._segments.gone", "shop._segments.vip", *others):
        await scene.bucket.put(key, b"x", 0)
    async with scene.serving():
        await until(lambda: scene.publisher.published)
    entries = scene.bucket.entries or {}
    assert entries["shop.gone"].value is None
    assert entries["shop._segments.gone"].value is None
    assert entries["shop._segments.vip"].value == b"x"
    assert {key: entries[key].value for key in others} == dict.fromkeys(others, b"x")
    assert scene.metrics.registry.get_sample_value("tailslide_tower_publishes_total", {"operation": "delete"}) == 2
    assert scene.publisher.unknown == ["shop._segments.vip", "shop.unknown"]


async def test_a_change_a_deletion_and_a_new_flag_over_a_deleted_one_arrive() -> None:
    scene = Scene(one=b"1")
    async with scene.serving():
        await scene.settled()
        for value in (b"2", None, b"3"):
            if value is None:
                scene.rulesets.delete("shop.one")
            else:
                scene.rulesets.values["shop.one"] = value
            scene.publisher.changed(ONE)
            assert not scene.publisher.published
            await scene.settled()
            assert scene.values() == {"shop.one": value}


async def test_changes_while_there_is_no_connection_wait_and_are_told() -> None:
    scene = Scene(one=b"1")
    scene.publisher.changed(ONE)
    scene.publisher.changed(TWO)
    assert (scene.publisher.pending, scene.publisher.published) == (2, False)
    async with scene.serving():
        await scene.settled()
    assert (scene.publisher.pending, scene.publisher.published) == (0, False)


async def test_an_older_value_never_replaces_a_newer_one_that_came_between_reading_and_writing() -> None:
    scene = Scene(one=b"1")
    async with scene.serving():
        await scene.settled()
        read = scene.rulesets.of
        reads = 0

        async def of(keys: Collection[str]) -> Wanted:
            nonlocal reads
            reads += 1
            wanted = await read(keys)
            if reads == 1:  # another Tower changes the flag and publishes it, before we have written what we read
                scene.rulesets.values["shop.one"] = b"3"
                entry = await scene.bucket.get("shop.one")
                assert entry is not None
                await scene.bucket.put("shop.one", b"3", entry.revision)
            return wanted

        scene.rulesets.of = of  # type: ignore[method-assign] # the other Tower comes in exactly here
        scene.rulesets.values["shop.one"] = b"2"
        scene.publisher.changed(ONE)
        await scene.settled()
    assert scene.values() == {"shop.one": b"3"}
    assert reads == 2


@pytest.mark.parametrize("lose", ["bucket", "keys"])
async def test_a_bucket_that_is_lost_while_connected_is_filled_again(lose: str) -> None:
    scene = Scene(one=b"1", two=b"2")
    async with scene.serving():
        await scene.settled()
        scene.bucket.entries = None if lose == "bucket" else {}
        await until(lambda: scene.live() == scene.rulesets.values)
        await scene.settled()


async def test_a_change_that_finds_no_bucket_makes_it_again() -> None:
    scene = Scene(one=b"1", two=b"2")

    async def silent() -> int:
        raise BucketError("no answer in time")

    scene.bucket.count = silent  # type: ignore[method-assign] # so that only the change can find out
    async with scene.serving():
        await scene.settled()
        scene.bucket.entries = None
        scene.publisher.changed(ONE)
        await scene.settled()
    assert scene.counted("publish_failures_total") > 0


async def test_a_database_that_is_away_empties_no_bucket() -> None:
    scene = Scene(one=b"1")
    scene.rulesets.deleted["shop.gone"] = 0
    await scene.bucket.ensure()
    await scene.bucket.put("shop.one", b"0", 0)
    await scene.bucket.put("shop.gone", b"0", 0)
    scene.rulesets.is_away = True
    async with scene.serving():
        await until(lambda: scene.counted("publish_failures_total") >= 3)
        assert scene.values() == {"shop.one": b"0", "shop.gone": b"0"}
        assert not scene.publisher.published
        scene.rulesets.is_away = False
        await scene.settled()


async def test_a_value_that_is_refused_spoils_nothing_else_and_is_tried_again() -> None:
    scene = Scene(one=b"1", two=b"2")
    put = scene.bucket.put
    refusing = True

    async def put_unless_refused(key: str, value: bytes | None, revision: int) -> None:
        if key == "shop.one" and refusing:
            raise BucketError("maximum payload exceeded")
        await put(key, value, revision)

    scene.bucket.put = put_unless_refused  # type: ignore[method-assign] # what a server with a small limit does
    async with scene.serving():
        await until(lambda: scene.counted("publish_failures_total") >= 3)
        assert scene.live() == {"shop.two": b"2"}
        assert (scene.publisher.pending, scene.publisher.published) == (1, False)
        refusing = False
        await scene.settled()


async def test_what_is_published_of_a_row_that_is_not_valid_stays() -> None:
    scene = Scene(one=b"broken", two=b"2")
    scene.rulesets.invalid = frozenset({"shop.one"})
    await scene.bucket.ensure()
    await scene.bucket.put("shop.one", b"last good", 0)
    scene.publisher.changed(ONE)
    async with scene.serving():
        await until(lambda: scene.publisher.published)
    assert scene.values() == {"shop.one": b"last good", "shop.two": b"2"}


async def test_a_lost_connection_forgets_no_change() -> None:
    scene = Scene(one=b"1")
    hanging = asyncio.Event()

    async def hang(key: str) -> Entry | None:
        hanging.set()
        await asyncio.Event().wait()
        return None

    async with scene.serving():
        await scene.settled()
        scene.bucket.get = hang  # type: ignore[method-assign] # the server does not answer any more
        scene.rulesets.values["shop.one"] = b"2"
        scene.publisher.changed(ONE)
        await hanging.wait()
    assert (scene.publisher.pending, scene.live()) == (1, {"shop.one": b"1"})
    scene.bucket = MemoryBucket()
    async with scene.serving():
        await scene.settled()


async def test_a_defect_comes_out() -> None:
    scene = Scene(one=b"1")

    async def broken(key: str, value: bytes | None, revision: int) -> None:
        raise ZeroDivisionError

    scene.bucket.put = broken  # type: ignore[method-assign] # a defect in the adapter
    with pytest.raises(ExceptionGroup) as caught:
        await scene.publisher.serve(scene.bucket)
    assert caught.group_contains(ZeroDivisionError)


async def test_an_app_is_marked_after_all_of_its_flags() -> None:
    scene = Scene(one=b"1", two=b"2")
    scene.rulesets.values["clinic.f"] = b"3"
    scene.rulesets.gone_apps = frozenset({"closed"})
    async with scene.serving():
        await scene.settled()
    entries = scene.bucket.entries or {}
    flags = [entry.revision for key, entry in entries.items() if key.startswith("shop.") and key != mark_key("shop")]
    assert entries[mark_key("shop")].revision > max(flags)
    assert scene.mark() == Mark(1_001, 2)
    assert scene.mark("clinic") == Mark(1_001, 1)
    assert scene.mark("closed") == Mark(1_001, 0), "sidecars may have flags of an app that is gone"
    assert scene.metrics.registry.get_sample_value("tailslide_tower_publishes_total", {"operation": "mark"}) == 3


async def test_deletions_in_the_bucket_count_as_keys_of_the_app() -> None:
    scene = Scene(one=b"1")
    await scene.bucket.ensure()
    scene.rulesets.deleted["shop.left"] = 1
    await scene.bucket.put("shop.gone", None, 0)
    await scene.bucket.put("shop.left", b"x", 0)
    await scene.bucket.put("shop.No Flag", None, 0)
    async with scene.serving():
        await scene.settled()
    assert scene.mark() == Mark(1_001, 3)


async def test_a_mark_is_written_once_a_connection() -> None:
    scene = Scene(one=b"1")
    async with scene.serving():
        await scene.settled()
        first = scene.mark()
        scene.publisher._compare_now.set()
        await until(lambda: scene.rulesets.now_ms == 1_002)
        await scene.settled()
        assert scene.mark() == first
    async with scene.serving():
        await scene.settled()
        assert scene.mark() == Mark(1_003, 1)


async def test_a_mark_is_later_than_the_one_before_whatever_the_clock_says() -> None:
    scene = Scene(one=b"1")
    await scene.bucket.ensure()
    await scene.bucket.put(mark_key("shop"), encode_mark(Mark(5_000, 0)), 0)
    async with scene.serving():
        await scene.settled()
    assert scene.mark() == Mark(5_001, 1)


@pytest.mark.parametrize("value", [b"{", None])
async def test_a_mark_that_is_broken_or_deleted_is_made_anew(value: bytes | None) -> None:
    scene = Scene(one=b"1")
    await scene.bucket.ensure()
    await scene.bucket.put(mark_key("shop"), value, 0)
    async with scene.serving():
        await scene.settled()
        assert scene.mark() == Mark(1_001, 1)
        entry = await scene.bucket.get(mark_key("shop"))
        assert entry is not None
        await scene.bucket.put(mark_key("shop"), None, entry.revision)
        scene.publisher._compare_now.set()
        await until(lambda: scene.mark() == Mark(1_002, 1))


async def test_a_loss_is_followed_by_a_new_mark_also_where_nothing_is_to_be_written() -> None:
    scene = Scene(one=b"1", two=b"2")
    async with scene.serving():
        await scene.settled()
        scene.rulesets.delete("shop.two")  # while its key is lost, so that no deletion is left of it
        assert scene.bucket.entries is not None
        del scene.bucket.entries["shop.two"]
        await until(lambda: scene.mark() not in (None, Mark(1_001, 2)))
        await scene.settled()
    mark = scene.mark()
    assert mark is not None
    assert (mark.at_ms > 1_001, mark.keys) == (True, 1)


async def test_a_mark_from_a_future_that_no_tower_has_written_is_replaced_by_one_of_now() -> None:
    scene = Scene(one=b"1")
    await scene.bucket.ensure()
    await scene.bucket.put(mark_key("shop"), encode_mark(Mark(MAX_INTEGER, 5)), 0)
    async with scene.serving():
        await until(lambda: scene.mark() not in (None, Mark(MAX_INTEGER, 5)))
    mark = scene.mark()
    assert mark is not None
    assert mark.at_ms < 10_000


async def test_no_mark_before_what_could_not_be_written_is_there() -> None:
    scene = Scene(one=b"1", two=b"2")
    scene.rulesets.values["clinic.f"] = b"3"
    put = scene.bucket.put
    others = 0

    async def put_behind_another(key: str, value: bytes | None, revision: int) -> None:
        nonlocal others
        if key == "shop.one" and not others:
            others += 1
            raise RevisionConflictError("someone else has written the key")
        if key == mark_key("shop"):
            assert scene.live() == scene.rulesets.values
        await put(key, value, revision)

    scene.bucket.put = put_behind_another  # type: ignore[method-assign] # another Tower comes first
    async with scene.serving():
        await until(lambda: scene.mark() is not None)
    assert scene.mark("clinic") == Mark(1_001, 1)
    mark = scene.mark()
    assert mark is not None
    assert (mark.at_ms > 1_001, mark.keys) == (True, 2)


async def test_no_mark_while_a_row_that_is_not_valid_is_missing_from_the_bucket() -> None:
    scene = Scene(one=b"broken", two=b"2")
    scene.rulesets.invalid = frozenset({"shop.one"})
    async with scene.serving():
        await until(lambda: scene.rulesets.now_ms > 1_003)
        assert scene.live() == {"shop.two": b"2"}
        assert scene.mark() is None
        scene.rulesets.invalid = frozenset()
        await until(lambda: scene.mark() is not None)
        assert scene.live() == {"shop.one": b"broken", "shop.two": b"2"}


def claimed(scene: Scene) -> Claim | None:
    return claim_in(scene.bucket.entries or {})


async def write_claim(scene: Scene, claim: Claim) -> None:
    entry = await scene.bucket.get(CLAIM_KEY)
    await scene.bucket.put(CLAIM_KEY, encode_claim(claim), 0 if entry is None else entry.revision)


async def test_a_database_without_apps_claims_no_bucket_and_its_first_flag_does() -> None:
    scene = Scene()
    async with scene.serving():
        await until(lambda: scene.publisher.judged.is_set())
        assert (scene.publisher.refusal, claimed(scene)) == (None, None)
        scene.rulesets.values["shop.one"] = b"1"
        scene.publisher.changed(ONE)
        await scene.settled()
    claim = claimed(scene)
    assert claim is not None
    assert claim.database == "ours"


async def test_a_bucket_of_another_database_is_left_alone_until_it_is_adopted() -> None:
    scene = Scene(one=b"1")
    await scene.bucket.ensure()
    await scene.bucket.put("shop.one", b"theirs", 0)
    await write_claim(scene, Claim("theirs", 3))
    writes = scene.bucket.writes
    with structlog.testing.capture_logs() as logs:
        async with scene.serving():
            await until(lambda: scene.publisher.refusal is not None)
            scene.publisher.changed(ONE)
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert scene.bucket.writes == writes
            assert (scene.publisher.published, scene.publisher.pending) == (False, 1)
            assert scene.refused("another_database") == 1
            await write_claim(scene, Claim("ours", 0))
            await scene.settled()
    assert (scene.publisher.refusal, scene.refused("another_database")) == (None, 0)
    errors = [entry for entry in logs if entry["log_level"] == "error"]
    assert [(entry["event"], entry["cause"]) for entry in errors] == [("not_publishing", "another_database")]
    assert "tailslide tower adopt" in errors[0]["remedy"]
    assert "publishing_goes_on" in [entry["event"] for entry in logs]


async def test_a_bucket_that_is_adopted_in_the_middle_of_a_change_is_not_written_to() -> None:
    scene = Scene(one=b"1")
    async with scene.serving():
        await scene.settled()
        read = scene.rulesets.identity

        async def identity_of_an_adopted_database() -> Identity:
            return Identity("theirs", 0)

        scene.rulesets.identity = identity_of_an_adopted_database  # type: ignore[method-assign] # as after a restore
        scene.rulesets.values["shop.one"] = b"2"
        scene.publisher.changed(ONE)
        await until(lambda: scene.publisher.refusal is not None)
        assert (scene.values(), scene.publisher.pending) == ({"shop.one": b"1"}, 1)
        scene.rulesets.identity = read  # type: ignore[method-assign] # back again
        scene.publisher._compare_now.set()
        await scene.settled()


async def test_a_comparison_stops_where_the_bucket_is_adopted_on_the_way() -> None:
    scene = Scene(one=b"1", two=b"2")
    read = scene.rulesets.all

    async def all_with_an_adoption() -> AsyncIterator[Wanted]:
        async for wanted in read():
            yield wanted
            if scene.publisher._in_charge:
                await write_claim(scene, Claim("theirs", 0))
                await until(lambda: not scene.publisher._in_charge)  # it looks every second

    scene.rulesets.all = all_with_an_adoption  # type: ignore[method-assign] # between two pages of flags
    async with scene.serving():
        await until(lambda: scene.publisher.refusal is not None)
    assert scene.values() == {"shop.one": b"1"}


async def test_a_flag_that_is_newer_in_the_bucket_is_left_alone_and_the_others_are_published() -> None:
    scene = Scene(one=ruleset(3, "ours"), two=ruleset(1))
    await scene.bucket.ensure()
    await write_claim(scene, Claim("ours", 0))
    await scene.bucket.put("shop.one", ruleset(4, "lost"), 0)
    await scene.bucket.put("shop.stray", ruleset(1), 0)
    with structlog.testing.capture_logs() as logs:
        async with scene.serving():
            await until(lambda: scene.publisher.newer == ["shop.one"])
            await until(lambda: scene.mark() is not None)
            assert (scene.publisher.published, scene.publisher.unknown) == (False, ["shop.stray"])
            assert scene.values()["shop.two"] == ruleset(1)
            assert scene.values()["shop.one"] == ruleset(4, "lost")
            assert [scene.publisher.is_left_alone(flag_id) for flag_id in (ONE, TWO)] == [True, False]
            assert scene.publisher.is_left_alone(FlagId("shop", "stray"))
            scene.rulesets.values["shop.one"] = ruleset(5, "ours")
            scene.rulesets.deleted["shop.stray"] = 1
            scene.publisher.changed(ONE)
            scene.publisher.changed(FlagId("shop", "stray"))
            await scene.settled()
    assert (scene.publisher.newer, scene.publisher.unknown) == ([], [])
    told = next(entry for entry in logs if entry["event"] == "flags_left_alone")
    assert told["flags"] == "shop.one, shop.stray"


async def test_comparisons_are_counted_in_the_database_and_the_one_before_is_recorded() -> None:
    scene = Scene(one=b"1")
    async with scene.serving():
        await scene.settled()
        for count in range(1, 4):
            await until(lambda count=count: scene.rulesets.comparisons == count)  # type: ignore[misc] # a default for the loop
            claim = claimed(scene)
            assert claim is not None
            assert claim.comparisons == count - 1
            scene.publisher._compare_now.set()


def test_what_only_a_person_can_mend_is_told_at_once_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    reminder = trouble.Reminder("wrong", "right")
    with structlog.testing.capture_logs() as logs:
        for at, what in ((0, "a"), (1, "a"), (30, "b"), (89, "b"), (90, "b"), (91, "b")):
            now = float(at)
            reminder.tell(what, named=what, at=at)
        reminder.over()
        reminder.over()
    assert [(entry["event"], entry.get("named")) for entry in logs] == [
        ("wrong", "a"),
        ("wrong", "b"),
        ("wrong", "b"),
        ("right", None),
    ]


async def test_changes_do_not_wait_for_a_bucket_that_does_not_answer() -> None:
    scene = Scene(one=b"1")

    async def silent() -> None:
        raise BucketError("no answer in time")

    scene.bucket.ensure = silent  # type: ignore[method-assign] # a server without JetStream
    async with scene.serving():
        await until(scene.publisher.judged.is_set)
        assert scene.publisher.refusal is None
    assert not scene.publisher.judged.is_set()


async def test_an_end_that_an_answer_of_nats_has_swallowed_does_not_wait_for_the_next_comparison() -> None:
    class Forgetful(MemoryBucket):
        asked = asyncio.Event()

        async def ensure(self) -> None:
            await super().ensure()
            self.asked.set()
            with suppress(asyncio.CancelledError):  # as `wait_for` in the client, before Python 3.12
                await asyncio.Event().wait()

    bucket = Forgetful()
    task = asyncio.create_task(Scene(one=b"1").publisher.serve(bucket))
    await bucket.asked.wait()
    task.cancel()
    # Not `timeout`, which would cancel once more.
    ended, _ = await asyncio.wait({task}, timeout=5)
    assert ended == {task}
    assert task.cancelled()
