"""Segments in the store, and that a flag is prepared again when a segment or a flag that it needs changes."""

import time
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.contracts import Mark, encode_circuit, encode_mark
from tailslide_core.decisions import Reason
from tailslide_core.evaluation import decide
from tailslide_core.flag_contracts import encode_ruleset, encode_segment, ruleset_json
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, SegmentId, mark_key
from tailslide_core.ruleset import CircuitSettings, Requirement, Rule, Ruleset
from tailslide_core.segment import Segment
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_sidecar.flag_store import FlagStore, HeldFlag

APP = "clinic"
OPEN = Circuit(State.OPEN, 0.0, trips=1)
VIP = Segment(APP, "Vip.users", 1, frozenset({"u1"}))


def ruleset(key: str, *requires: str, segment: str | None = None) -> Ruleset:
    rules = () if segment is None else (Rule((Condition("targetingKey", Operator.IN_SEGMENT, (segment,)),)),)
    needs = tuple(Requirement(other) for other in requires)
    rollout = 100.0 if segment is None else 0.0
    return Ruleset(
        APP, key, 1, active=True, rollout=rollout, salt=key, circuit=CircuitSettings(), requires=needs, rules=rules
    )


def flag(value: Ruleset) -> Entry:
    return Entry(str(value.flag_id), encode_ruleset(value), 1)


def segment(value: Segment, revision: int = 1) -> Entry:
    return Entry(str(value.segment_id), encode_segment(value), revision)


def mark(at_ms: int, keys: int) -> Entry:
    return Entry(mark_key(APP), encode_mark(Mark(at_ms, keys)), 99)


def listing(*entries: Entry) -> Listing:
    return Listing({each.key: each for each in entries})


def store_with(*entries: Entry) -> FlagStore:
    store = FlagStore(APP)
    store.apply(RULESETS_BUCKET, listing(*entries))
    return store


def held(store: FlagStore, key: str) -> HeldFlag:
    found = store.held(key)
    assert found is not None
    return found


def reason(store: FlagStore, key: str, user: str = "u1") -> Reason:
    return decide(held(store, key).prepared, user, {}).reason


def test_segments_come_change_and_go() -> None:
    store = store_with(segment(VIP))
    assert store.segments() == {"Vip.users": VIP}
    larger = replace(VIP, version=2, include=frozenset({"u1", "u2"}))
    assert store.apply(RULESETS_BUCKET, segment(larger, 2)).changed
    assert store.segments() == {"Vip.users": larger}
    assert not store.apply(RULESETS_BUCKET, segment(larger, 3)).changed
    assert store.apply(RULESETS_BUCKET, Entry(str(VIP.segment_id), None, 4)).changed
    assert store.segments() == {}
    assert store.flags() == []


@pytest.mark.parametrize(
    "value",
    [
        b"{",
        b"{}",
        encode_segment(replace(VIP, key="other")),
        encode_segment(replace(VIP, app="other")),
        encode_segment(VIP).replace(b'"schema":1', b'"schema":2'),
        encode_segment(VIP).replace(b'["u1"]', b"[1]"),
    ],
)
def test_a_bad_segment_is_refused_and_the_last_good_one_stays(value: bytes) -> None:
    store = store_with(segment(VIP), flag(ruleset("f")))
    bad = Entry(str(VIP.segment_id), value, 7)
    for item in (bad, listing(bad, flag(ruleset("f")))):
        applied = store.apply(RULESETS_BUCKET, item)
        assert not applied.changed
        assert len(applied.refused) == (1 if item is bad else 0), "once for each revision"
        assert applied.kept == ()
    assert store.segments() == {"Vip.users": VIP}


def test_segments_that_a_listing_lacks_stay_until_the_app_is_published_anew_without_them() -> None:
    store = store_with(segment(VIP), flag(ruleset("f")), mark(100, 1))
    applied = store.apply(RULESETS_BUCKET, listing())
    assert applied.kept == ("_segments.Vip.users", "f")
    assert (store.kept(), store.kept_segments()) == (["f"], ["Vip.users"])
    store.apply(RULESETS_BUCKET, flag(ruleset("f")))
    assert (store.kept(), store.kept_segments()) == ([], ["Vip.users"])
    applied = store.apply(RULESETS_BUCKET, mark(200, 1))
    assert (applied.dropped, applied.changed) == (("_segments.Vip.users",), True)
    assert (store.segments(), store.kept_segments()) == ({}, [])


def test_a_segment_that_is_written_again_is_kept_no_longer() -> None:
    store = store_with(segment(VIP), flag(ruleset("f")), mark(100, 1))
    store.apply(RULESETS_BUCKET, listing())
    store.apply(RULESETS_BUCKET, segment(VIP, 2))
    assert store.kept_segments() == []
    store.apply(RULESETS_BUCKET, flag(ruleset("f")))
    assert store.apply(RULESETS_BUCKET, mark(200, 1)).dropped == ()
    assert store.segments() == {"Vip.users": VIP}


def test_a_mark_counts_flags_and_no_segments() -> None:
    store = store_with(flag(ruleset("f")), flag(ruleset("g")), mark(100, 2))
    store.apply(RULESETS_BUCKET, listing(flag(ruleset("g")), segment(VIP), mark(200, 2)))
    assert store.kept() == ["f"], "the segment is not the second flag"
    assert store.apply(RULESETS_BUCKET, mark(300, 1)).dropped == ("f",)


some = st.sets(st.sampled_from(["a", "b", "A.b"]))


@given(some, some, some, some)
def test_after_a_loss_and_a_publication_it_has_the_segments_of_the_bucket(
    flags: set[str], groups: set[str], flags_after: set[str], groups_after: set[str]
) -> None:
    def written(some_flags: set[str], some_groups: set[str], at_ms: int) -> list[Entry]:
        return [
            *(segment(replace(VIP, key=key)) for key in sorted(some_groups)),
            *(flag(ruleset(key)) for key in sorted(some_flags)),
            mark(at_ms, len(some_flags)),
        ]

    store = store_with(*written(flags, groups, 100))
    store.apply(RULESETS_BUCKET, listing())
    for entry in written(flags_after, groups_after, 200):
        assert set(store.segments()) >= groups & groups_after
        store.apply(RULESETS_BUCKET, entry)
    assert (set(store.flags()), set(store.segments())) == (flags_after, groups_after)
    assert store.kept() == store.kept_segments() == []


def test_a_change_of_a_circuit_makes_all_that_depends_on_it_anew() -> None:
    store = store_with(*map(flag, (ruleset("f", "g"), ruleset("g", "h"), ruleset("h"), ruleset("other"))))
    before = {key: held(store, key) for key in store.flags()}
    for each in before.values():
        each.answers["asker", decide(each.prepared, "u1", {})] = "kept"
    revision = store.revision
    store.apply(CIRCUITS_BUCKET, Entry(f"{APP}.h", encode_circuit(OPEN), 2))
    assert [reason(store, key) for key in ("h", "g", "f", "other")] == [
        Reason.CIRCUIT_OPEN,
        Reason.PREREQUISITE_FAILED,
        Reason.PREREQUISITE_FAILED,
        Reason.STATIC,
    ]
    assert held(store, "other") is before["other"]
    for key in "fgh":
        assert held(store, key) is not before[key]
        assert held(store, key).answers == {}
    assert store.revision > revision
    # A circuit of its own has opened for the one only.
    assert [held(store, key).openings for key in "fgh"] == [0, 0, 1]


def test_a_change_of_a_segment_makes_all_that_depends_on_it_anew() -> None:
    store = store_with(*map(flag, (ruleset("f", "g"), ruleset("g", segment="Vip.users"), ruleset("other"))))
    assert store.unknown_segments() == {"Vip.users": ["g"]}
    before = {key: held(store, key) for key in store.flags()}
    revision = store.revision
    assert store.apply(RULESETS_BUCKET, segment(VIP)).changed
    assert store.revision > revision
    assert (reason(store, "g"), reason(store, "f")) == (Reason.TARGETING_MATCH, Reason.STATIC)
    assert (reason(store, "g", "u2"), reason(store, "f", "u2")) == (Reason.STATIC, Reason.PREREQUISITE_FAILED)
    assert [held(store, key) is before[key] for key in ("f", "g", "other")] == [False, False, True]
    assert store.unknown_segments() == {}


def test_a_segment_that_no_flag_asks_for_is_a_change_all_the_same() -> None:
    store = store_with(flag(ruleset("f")))
    before, revision = held(store, "f"), store.revision
    assert store.apply(RULESETS_BUCKET, segment(VIP)).changed
    assert store.revision > revision
    assert held(store, "f") is before


def test_a_prerequisite_that_comes_or_goes_is_a_change_of_what_requires_it() -> None:
    store = store_with(flag(ruleset("f", "g")))
    assert store.unknown_prerequisites() == {"g": ["f"]}
    assert reason(store, "f") is Reason.PREREQUISITE_FAILED
    store.apply(RULESETS_BUCKET, flag(ruleset("g")))
    assert (store.unknown_prerequisites(), reason(store, "f")) == ({}, Reason.STATIC)
    store.apply(RULESETS_BUCKET, Entry(f"{APP}.g", None, 3))
    assert (store.unknown_prerequisites(), reason(store, "f")) == ({"g": ["f"]}, Reason.PREREQUISITE_FAILED)


def test_a_flag_that_a_newer_tailslide_turns_off_is_off_and_else_as_it_was() -> None:
    store = store_with(flag(ruleset("f", "g")), flag(ruleset("g")))
    newer = ruleset_json(replace(ruleset("g"), version=9)) | {"schema": 99, "rollout": "other"}
    on, off = (Entry(f"{APP}.g", orjson.dumps(newer | {"active": active}), 7) for active in (True, False))

    applied = store.apply(RULESETS_BUCKET, on)
    assert (len(applied.refused), applied.changed, reason(store, "g")) == (1, False, Reason.STATIC)

    applied = store.apply(RULESETS_BUCKET, replace(off, revision=8))
    assert (len(applied.refused), applied.changed) == (1, True)
    assert store.ruleset("g") == replace(ruleset("g"), active=False, version=9)
    assert (reason(store, "g"), reason(store, "f")) == (Reason.DISABLED, Reason.PREREQUISITE_FAILED)

    assert not store.apply(RULESETS_BUCKET, listing(replace(off, revision=8), flag(ruleset("f", "g")))).changed
    store.apply(RULESETS_BUCKET, flag(replace(ruleset("g"), version=10)))
    assert reason(store, "g") is Reason.STATIC


@pytest.mark.parametrize("changes", [{"app": "other"}, {"key": "g"}])
def test_a_newer_value_of_another_flag_turns_none_off(changes: dict[str, str]) -> None:
    store = store_with(flag(ruleset("f")), flag(ruleset("g")))
    newer = ruleset_json(ruleset("f")) | {"schema": 99, "active": False} | changes
    store.apply(RULESETS_BUCKET, Entry(f"{APP}.f", orjson.dumps(newer), 7))
    assert [reason(store, key) for key in "fg"] == [Reason.STATIC, Reason.STATIC]
    store.apply(RULESETS_BUCKET, Entry(f"{APP}.unknown", orjson.dumps(newer | {"app": APP, "key": "unknown"}), 7))
    assert store.flags() == ["f", "g"]


def test_flags_whose_keys_begin_alike_are_flags_of_their_own() -> None:
    store = store_with(*map(flag, (ruleset("a"), ruleset("a.b"), ruleset("A"))))
    store.apply(RULESETS_BUCKET, Entry(f"{APP}.a", None, 2))
    assert store.flags() == ["A", "a.b"]


def test_all_flags_are_held_in_the_order_of_their_keys() -> None:
    store = store_with(*map(flag, (ruleset("b"), ruleset("a.b", "c"), ruleset("B"))))
    assert list(store.all_held()) == ["B", "a.b", "b"]
    # As many as before: one that comes, and one that goes.
    store.apply(RULESETS_BUCKET, listing(Entry(f"{APP}.b", None, 2), flag(ruleset("Z")), flag(ruleset("c"))))
    store.apply(RULESETS_BUCKET, listing(Entry(f"{APP}.c", None, 3), flag(ruleset("A"))))
    assert list(store.all_held()) == ["A", "B", "Z", "a.b"]


def test_segments_are_part_of_what_a_snapshot_begins_with() -> None:
    store = FlagStore(APP)
    store.restore(store_with(segment(VIP), flag(ruleset("f", segment="Vip.users")), mark(100, 1)).content())
    assert store.segments() == {"Vip.users": VIP}
    assert reason(store, "f") is Reason.TARGETING_MATCH
    assert str(SegmentId(APP, "Vip.users")) == f"{APP}._segments.Vip.users"
    assert store.apply(RULESETS_BUCKET, listing(flag(ruleset("f")), mark(100, 1))).kept == ("_segments.Vip.users",)


def test_flags_that_require_hundreds_of_others_cost_no_more_than_there_are_flags() -> None:
    layers, width = 20, 60
    keys = [[f"f{layer}-{place}" for place in range(width)] for layer in range(layers)]
    rulesets = [
        ruleset(key, *(keys[layer - 1][(place + step) % width] for step in range(20) if layer))
        for layer in range(layers)
        for place, key in enumerate(keys[layer])
    ]
    store = store_with(*map(flag, rulesets))

    began_s = time.process_time()
    store.apply(RULESETS_BUCKET, flag(replace(rulesets[0], active=False, version=2)))
    took_s = time.process_time() - began_s

    assert took_s < 0.5  # 40 ms of work; what each flag's prerequisites ask, worked out at once, took 1.8 s


def test_what_a_question_asks_of_prerequisites_follows_their_segments() -> None:
    store = store_with(flag(ruleset("a", "b")), flag(ruleset("b", segment=VIP.key)))
    assert "groups" not in store.demands_of_question(held(store, "a")).by_attribute
    asks = replace(VIP, when=(Condition("groups", Operator.CONTAINS, ("x",)),))
    store.apply(RULESETS_BUCKET, segment(asks))
    assert "groups" in store.demands_of_question(held(store, "a")).by_attribute
