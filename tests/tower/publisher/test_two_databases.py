"""Whatever several databases do to one bucket in any order, the one that it is claimed by loses nothing."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_rulesets import MemoryRulesets

from tailslide_core.contracts import Claim, encode_claim
from tailslide_core.naming import CLAIM_KEY, FlagId, segment_of
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.publisher.bucket import MemoryBucket, RevisionConflictError
from tailslide_tower.publisher.claims import Cause, claim_in
from tailslide_tower.publisher.differences import stamp_of
from tailslide_tower.publisher.service import NotOursError, Publisher
from tailslide_tower.publisher.wanted import is_published

NAMES = ("ours", "theirs")
names = st.sampled_from(NAMES)
keys = st.sampled_from(["shop.a", "shop.b", "desk.a", "shop._segments.a", "desk._segments.a"])
actions = st.one_of(
    st.tuples(st.just("set"), names, keys),
    st.tuples(st.just("delete"), names, keys),
    st.tuples(st.just("publish"), names, keys),
    st.tuples(st.just("compare"), names, st.just("")),
    st.tuples(st.just("restart"), names, st.just("")),
    st.tuples(st.just("lose"), st.just(""), st.just("")),
)


@dataclass
class Town:
    """Databases with a Tower each, on one bucket."""

    bucket: MemoryBucket = field(default_factory=MemoryBucket)
    databases: dict[str, MemoryRulesets] = field(default_factory=dict)
    towers: dict[str, Publisher] = field(default_factory=dict)

    def add(self, name: str, database: MemoryRulesets) -> None:
        self.databases[name] = database
        self.restart(name)

    def restart(self, name: str) -> None:
        self.towers[name] = Publisher(self.databases[name], TowerMetrics())

    def change(self, what: str, name: str, key: str) -> None:
        database = self.databases[name]
        if what == "set":
            database.set(key, 50.0)
        elif key in database.values:
            database.delete(key)

    def lose(self) -> None:
        self.bucket.entries = {}

    async def compare(self, name: str) -> Cause | None:
        """Let a Tower compare; return why it may not."""
        await self.bucket.ensure()
        try:
            await self.towers[name].compare(self.bucket)
            tower = self.towers[name]
            while tower._dirty and tower._in_charge:  # what the comparison has left to it, for the sake of order
                await tower._publish_batch(self.bucket)
        except NotOursError as error:
            return error.refusal.cause
        return None

    async def publish(self, name: str, key: str) -> None:
        """Let a Tower that takes itself for the one in charge publish a change of a flag, without a comparison."""
        tower = self.towers[name]
        tower.changed(segment_of(key) or FlagId.parse(key))
        if tower._in_charge:
            await self.bucket.ensure()
            await tower._publish_batch(self.bucket)

    def flags(self) -> dict[str, bytes]:
        entries = self.bucket.entries or {}
        return {key: entry.value for key, entry in entries.items() if is_published(key) and entry.value is not None}

    def claim(self) -> Claim | None:
        return claim_in(self.bucket.entries or {})


def town() -> Town:
    made = Town()
    for name in NAMES:
        made.add(name, MemoryRulesets({}, name))
    return made


@given(st.lists(actions, max_size=40))
def test_only_the_database_of_the_claim_changes_flags_and_no_deletion_is_made_up(
    story: list[tuple[str, str, str]],
) -> None:
    async def play() -> None:
        scene = town()
        refused: set[str] = set()
        for what, name, key in story:
            if what == "lose":
                scene.lose()
            elif what == "restart":
                scene.restart(name)
                refused.discard(name)
            elif what == "compare":
                await one_comparison(scene, name, refused)
            elif what == "publish":
                await one_change(scene, name, key)
            else:
                scene.change(what, name, key)

    asyncio.run(play())


async def one_change(scene: Town, name: str, key: str) -> None:
    before, claim = scene.flags(), scene.claim()
    noted = {*scene.towers[name]._dirty, key}
    await scene.publish(name, key)
    after, database = scene.flags(), scene.databases[name]
    different = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    if claim is None or claim.database != name:
        assert not different
    assert different <= noted
    assert all(after.get(key) == database.values.get(key) for key in different)


async def one_comparison(scene: Town, name: str, refused: set[str]) -> None:
    before, claim = scene.flags(), scene.claim()
    cause = await scene.compare(name)
    after, database = scene.flags(), scene.databases[name]
    if claim is not None:
        assert (cause is None) == (claim.database == name)
    if name in refused and claim is None:
        assert cause is Cause.ANOTHER_DATABASE, "a bucket that was another's is not taken when it is lost"
    if cause is not None:
        refused.add(name)
        assert after == before
        return
    refused.discard(name)
    assert after == database.values
    owner = scene.claim()
    assert owner is None or owner.database == name
    assert (owner is None) == (not database.values and not database.deleted)
    for key, value in before.items():
        was, now = stamp_of(value), stamp_of(after.get(key))
        assert was is not None
        if now is None:
            assert database.deleted[key] >= was.version
        else:
            assert now == was or now.version > was.version


@given(st.lists(actions.filter(lambda action: action[0] in {"set", "delete", "compare"}), max_size=20), st.data())
def test_an_older_copy_of_the_database_changes_nothing(story: list[tuple[str, str, str]], data: st.DataObject) -> None:
    async def play() -> None:
        scene = Town()
        original = MemoryRulesets({}, "ours")
        original.set("shop.a", 50.0)
        scene.add("ours", original)
        assert await scene.compare("ours") is None
        at = data.draw(st.integers(0, len(story)), "when the copy is made")
        for number, (what, _, key) in enumerate([*story, ("end", "", "")]):
            if number == at:
                scene.add("copy", original.copy())
            if what == "compare":
                assert await scene.compare("ours") is None
            elif what != "end":
                scene.change(what, "ours", key)
        # Until the original has been compared twice, a copy of this moment cannot be told from it.
        for _ in range(2):
            assert await scene.compare("ours") is None
        for what, _, key in story:
            if what != "compare":
                scene.change(what, "copy", key)
        before = scene.flags()
        assert await scene.compare("copy") is Cause.OLDER_DATABASE
        assert scene.flags() == before == original.values
        assert await scene.compare("ours") is None

    asyncio.run(play())


async def test_a_failover_that_loses_the_last_comparison_goes_on() -> None:
    scene = Town()
    original = MemoryRulesets({}, "ours")
    original.set("shop.a", 50.0)
    scene.add("ours", original)
    await scene.compare("ours")
    replica = original.copy()
    await scene.compare("ours")
    scene.add("ours", replica)
    assert await scene.compare("ours") is None


async def test_a_bucket_out_of_an_older_backup_is_made_equal_again() -> None:
    scene = Town()
    database = MemoryRulesets({}, "ours")
    scene.add("ours", database)
    for key in ("shop.a", "shop.b"):
        database.set(key, 50.0)
    await scene.compare("ours")
    backup = dict(scene.bucket.entries or {})
    database.set("shop.a", 60.0)
    database.delete("shop.b")
    for _ in range(3):
        await scene.compare("ours")
    scene.bucket.entries = backup
    assert await scene.compare("ours") is None
    assert scene.flags() == database.values


async def test_a_bucket_without_a_claim_goes_to_the_database_that_knows_all_of_it() -> None:
    scene = town()
    scene.databases["ours"].set("shop.a", 50.0)
    scene.databases["ours"].set("shop.b", 50.0)
    scene.databases["theirs"].set("shop.a", 50.0)
    await scene.compare("ours")
    assert scene.bucket.entries is not None
    del scene.bucket.entries[CLAIM_KEY]  # as before there were any
    assert await scene.compare("theirs") is Cause.UNKNOWN_FLAGS
    scene.databases["ours"].delete("shop.b")
    assert await scene.compare("ours") is None
    assert scene.flags() == scene.databases["ours"].values


async def test_a_bucket_without_a_claim_does_not_go_to_a_database_with_flags_of_the_same_names() -> None:
    scene = town()
    for name in NAMES:
        scene.databases[name].set("shop.a", 50.0)
    await scene.compare("ours")
    assert scene.bucket.entries is not None
    del scene.bucket.entries[CLAIM_KEY]
    assert await scene.compare("theirs") is Cause.NEWER_FLAGS
    assert await scene.compare("ours") is None


async def test_of_two_that_find_a_bucket_empty_one_gets_it() -> None:
    scene = town()
    for name in NAMES:
        scene.databases[name].set(f"{name}.a", 50.0)
    await scene.bucket.ensure()
    claimed = asyncio.Event()
    read = scene.databases["theirs"].apps

    async def apps_after_the_others_claim() -> object:
        found = await read()
        await scene.compare("ours")
        claimed.set()
        return found

    scene.databases["theirs"].apps = apps_after_the_others_claim  # type: ignore[method-assign, assignment] # right between the listing and the claim
    with pytest.raises(RevisionConflictError):
        await scene.towers["theirs"].compare(scene.bucket)
    assert claimed.is_set()
    scene.databases["theirs"].apps = read  # type: ignore[method-assign] # as before
    assert await scene.compare("theirs") is Cause.ANOTHER_DATABASE
    assert scene.flags() == scene.databases["ours"].values


async def test_a_claim_of_garbage_is_taken_by_the_database_that_knows_all_flags() -> None:
    scene = town()
    scene.databases["ours"].set("shop.a", 50.0)
    await scene.compare("ours")
    entry = await scene.bucket.get(CLAIM_KEY)
    assert entry is not None
    await scene.bucket.put(CLAIM_KEY, b"{", entry.revision)
    assert await scene.compare("theirs") is Cause.UNKNOWN_FLAGS
    assert await scene.compare("ours") is None
    claim = scene.claim()
    assert claim is not None
    assert claim.database == "ours"


async def test_a_claim_that_counts_more_than_the_database_stops_its_towers() -> None:
    scene = town()
    scene.databases["ours"].set("shop.a", 50.0)
    await scene.compare("ours")
    entry = await scene.bucket.get(CLAIM_KEY)
    assert entry is not None
    await scene.bucket.put(CLAIM_KEY, encode_claim(Claim("ours", 99)), entry.revision)
    scene.change("set", "ours", "shop.a")
    before = scene.flags()
    assert await scene.compare("ours") is Cause.OLDER_DATABASE
    assert scene.flags() == before
