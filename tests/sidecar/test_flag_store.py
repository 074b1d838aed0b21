"""What the store holds after what it has seen of the buckets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.contracts import Mark, encode_circuit, encode_mark
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, mark_key
from tailslide_core.ruleset import CircuitSettings, Rule, Ruleset
from tailslide_core.work import Demand
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_sidecar import flag_store
from tailslide_sidecar.flag_store import Content, FlagStore, Origin

APP = "clinic"
OPEN = Circuit(State.OPEN, 0.0, trips=1)
RECOVERING = Circuit(State.RECOVERING, 10.0, trips=1)
bad_values = st.one_of(
    st.binary(max_size=30).filter(lambda data: not data.startswith(b"{")),
    st.sampled_from([b"{}", b'{"schema": 3}', b'{"schema": 2}']),
)


def ruleset(key: str = "f", version: int = 1) -> Ruleset:
    return Ruleset(APP, key, version, active=True, rollout=100.0, salt=key, circuit=CircuitSettings())


def entry(flag: str, value: bytes | None, revision: int = 1) -> Entry:
    return Entry(f"{APP}.{flag}", value, revision)


def listing(*entries: Entry) -> Listing:
    return Listing({each.key: each for each in entries})


def value(flag: str) -> Entry:
    return entry(flag, encode_ruleset(ruleset(flag)))


def mark(at_ms: int, keys: int) -> Entry:
    return Entry(mark_key(APP), encode_mark(Mark(at_ms, keys)), 99)


def marked(*flags: str, at_ms: int = 100) -> FlagStore:
    """Return a store that has seen a bucket with these flags, published in full."""
    store = FlagStore(APP)
    store.apply(RULESETS_BUCKET, listing(*(value(flag) for flag in flags), mark(at_ms, len(flags))))
    return store


def filled() -> FlagStore:
    store = FlagStore(APP)
    store.apply(RULESETS_BUCKET, listing(entry("f", encode_ruleset(ruleset()))))
    return store


def test_nothing_is_loaded_at_first_and_an_empty_listing_is_something() -> None:
    store = FlagStore(APP)
    assert store.origin is None
    store.apply(CIRCUITS_BUCKET, listing())
    assert store.origin is None
    store.apply(RULESETS_BUCKET, listing())
    assert store.origin is Origin.JETSTREAM


def test_an_app_that_tower_has_never_published_is_told_from_one_without_flags() -> None:
    store = FlagStore(APP)
    told = [store.is_published]
    store.restore(Content({}, {}))
    told.append(store.is_published)  # a snapshot says nothing of what Tower has done since
    store.apply(RULESETS_BUCKET, listing())
    told += [store.is_published, filled().is_published, marked().is_published]
    assert told == [None, None, False, True, True]


def state_of(store: FlagStore, flag: str) -> State | None:
    effective = store.effective(flag)
    return None if effective is None else effective.state


def test_a_flag_is_held_from_both_buckets() -> None:
    store = filled()
    assert state_of(store, "f") is State.CLOSED
    assert store.apply(CIRCUITS_BUCKET, entry("f", encode_circuit(OPEN))).changed
    assert state_of(store, "f") is State.OPEN
    assert store.held("g") is None
    assert store.effective("g") is None


@pytest.mark.parametrize(
    ("circuits", "openings"),
    [
        ([], 0),
        ([Circuit(generation=5)], 0),
        ([OPEN], 1),
        ([OPEN, OPEN], 1),
        ([OPEN, None], 1),
        # Back to what it was, by a person's reset: it has opened all the same.
        ([OPEN, Circuit(generation=2, reset_generation=1)], 1),
        (
            [
                OPEN,
                Circuit(State.RECOVERING, 10.0, trips=1),
                Circuit(State.RECOVERING, 20.0, trips=1),
                Circuit(trips=1),
            ],
            1,
        ),
        ([OPEN, Circuit(State.RECOVERING, 10.0, trips=1), Circuit(State.OPEN, 0.0, trips=2)], 2),
        ([OPEN, Circuit(trips=1), Circuit(), OPEN], 2),
        # What was not seen, as during an outage of NATS.
        ([RECOVERING], 1),
        ([Circuit(trips=1)], 1),
        ([OPEN, Circuit(State.OPEN, 0.0, trips=2)], 2),
        ([OPEN, Circuit(State.RECOVERING, 10.0, trips=2)], 2),
    ],
)
def test_openings_are_counted_and_never_taken_back(circuits: list[Circuit | None], openings: int) -> None:
    store = filled()
    for revision, circuit in enumerate(circuits, start=2):
        store.apply(CIRCUITS_BUCKET, entry("f", None if circuit is None else encode_circuit(circuit), revision))
    held = store.held("f")
    assert held is not None
    assert held.openings == openings


def opened_ms(store: FlagStore) -> int | None:
    held = store.held("f")
    assert held is not None
    return held.opened_ms


def test_the_time_of_the_last_opening_is_kept() -> None:
    now_s = 1_000.0
    store = FlagStore(APP, clock=lambda: now_s)
    store.apply(RULESETS_BUCKET, value("f"))
    assert opened_ms(store) is None
    for circuit, expected_ms in [
        (OPEN, 1_001_000),
        (RECOVERING, 1_001_000),
        (Circuit(trips=1), 1_001_000),
        (Circuit(State.RECOVERING, 10.0, trips=2), 1_004_000),
        (Circuit(reset_generation=1), 1_004_000),
    ]:
        now_s += 1.0
        store.apply(CIRCUITS_BUCKET, entry("f", encode_circuit(circuit)))
        assert opened_ms(store) == expected_ms


@pytest.mark.parametrize(
    ("circuit", "settings", "expected_ms"),
    [
        (replace(OPEN, since_ms=7), CircuitSettings(), 7),
        (replace(RECOVERING, since_ms=7), CircuitSettings(), 7),
        (Circuit(since_ms=7), CircuitSettings(), None),
        (replace(OPEN, since_ms=7), CircuitSettings(reset_generation=1), None),
        (Circuit(since_ms=7), CircuitSettings(forced_open=True), 1_000_000),
        (None, CircuitSettings(forced_open=True), 1_000_000),
        (None, CircuitSettings(), None),
    ],
)
def test_what_is_open_at_first_sight_has_been_so_since_it_says(
    circuit: Circuit | None, settings: CircuitSettings, expected_ms: int | None
) -> None:
    store = FlagStore(APP, clock=lambda: 1_000.0)
    circuits = {} if circuit is None else {"f": circuit}
    store.restore(Content({"f": replace(ruleset(), circuit=settings)}, circuits))
    assert opened_ms(store) == expected_ms


def test_forced_open_is_an_opening_and_other_changes_are_none() -> None:
    store = filled()
    for revision, forced_open in enumerate([True, True, False, True], start=2):
        circuit = CircuitSettings(forced_open=forced_open)
        store.apply(RULESETS_BUCKET, entry("f", encode_ruleset(replace(ruleset(), circuit=circuit)), revision))
    held = store.held("f")
    assert held is not None
    assert held.openings == 2


def test_the_same_value_again_changes_nothing() -> None:
    assert not filled().apply(RULESETS_BUCKET, entry("f", encode_ruleset(ruleset()), 2)).changed


def test_demands_are_those_of_the_flags_that_are_held() -> None:
    def asks(flag: str, attribute: str) -> Entry:
        rules = (Rule((Condition(attribute, Operator.IN, ("DE", "FR")),), 50.0),)
        return entry(flag, encode_ruleset(replace(ruleset(flag), rules=rules)))

    store = FlagStore(APP)
    store.apply(RULESETS_BUCKET, listing(asks("a", "country"), asks("b", "country"), value("c")))
    assert store.demands.by_attribute == {"country": Demand(lookups=2, values=4, per_wide_part=4)}
    store.apply(CIRCUITS_BUCKET, entry("a", encode_circuit(OPEN)))
    assert store.demands.by_attribute == {"country": Demand(lookups=2, values=4, per_wide_part=4)}
    store.apply(RULESETS_BUCKET, asks("a", "plan"))
    assert store.demands.by_attribute == {
        "country": Demand(lookups=1, values=2, per_wide_part=2),
        "plan": Demand(lookups=1, values=2, per_wide_part=2),
    }
    store.apply(RULESETS_BUCKET, entry("b", None))
    store.apply(RULESETS_BUCKET, value("a"))
    assert store.demands.by_attribute == {}


def test_a_deletion_takes_a_flag_away() -> None:
    store = filled()
    assert store.apply(RULESETS_BUCKET, entry("f", None, 2)).changed
    assert store.flags() == []
    assert not store.apply(RULESETS_BUCKET, listing(entry("f", None, 2))).changed


def test_a_circuit_that_a_listing_lacks_is_closed() -> None:
    store = filled()
    store.apply(CIRCUITS_BUCKET, listing(entry("f", encode_circuit(OPEN))))
    effective = store.effective("f")
    assert effective is not None
    assert effective.state is State.OPEN

    assert store.apply(CIRCUITS_BUCKET, listing()).changed

    effective = store.effective("f")
    assert effective is not None
    assert effective.state is State.CLOSED


def test_what_a_listing_lacks_without_a_deletion_stays_and_is_reported() -> None:
    store = filled()
    applied = store.apply(RULESETS_BUCKET, listing(entry("g", encode_ruleset(ruleset("g")))))
    assert applied.kept == ("f",)
    assert (store.flags(), store.kept()) == (["f", "g"], ["f"])
    assert store.apply(RULESETS_BUCKET, entry("f", encode_ruleset(ruleset(version=2)), 9)).changed
    assert store.kept() == []


@given(bad_values, st.sampled_from([RULESETS_BUCKET, CIRCUITS_BUCKET]))
def test_what_cannot_be_understood_leaves_the_last_good_value(value: bytes, bucket: str) -> None:
    store = filled()
    store.apply(CIRCUITS_BUCKET, entry("f", encode_circuit(OPEN)))
    before = store.content()
    for item in (entry("f", value, 5), listing(entry("f", value, 5))):
        assert not store.apply(bucket, item).changed
    assert store.content() == before


def test_a_bad_value_is_refused_once_a_revision() -> None:
    store = filled()
    (refusal,) = store.apply(RULESETS_BUCKET, entry("f", b"{", 5)).refused
    assert (refusal.bucket, refusal.key, refusal.revision) == (RULESETS_BUCKET, "clinic.f", 5)
    assert store.apply(RULESETS_BUCKET, listing(entry("f", b"{", 5))).refused == ()
    assert len(store.apply(RULESETS_BUCKET, entry("f", b"{", 6)).refused) == 1


def test_a_value_under_another_name_is_refused() -> None:
    store = FlagStore(APP)
    for wrong in (
        entry("g", encode_ruleset(ruleset("f"))),
        entry("f", encode_ruleset(replace(ruleset(), app="other"))),
        Entry("other.f", encode_ruleset(replace(ruleset(), app="other")), 1),
        Entry("clinic.f.x", encode_ruleset(ruleset()), 1),
        Entry("clinic.f..x", encode_ruleset(ruleset()), 1),
        Entry("clinic", encode_ruleset(ruleset()), 1),
    ):
        assert len(store.apply(RULESETS_BUCKET, wrong).refused) == 1
    assert store.flags() == []


def test_a_snapshot_is_a_beginning_and_jetstream_goes_over_it() -> None:
    store = FlagStore(APP)
    store.restore(filled().content())
    assert (store.origin, store.flags()) == (Origin.SNAPSHOT, ["f"])
    store.apply(RULESETS_BUCKET, listing(entry("f", None, 3)))
    assert (store.origin, store.flags()) == (Origin.JETSTREAM, [])


def test_a_mark_is_no_flag_and_changes_none() -> None:
    store = marked("f", "g")
    applied = store.apply(RULESETS_BUCKET, mark(200, 2))
    assert (applied.refused, applied.dropped, applied.changed) == ((), (), False)
    assert store.flags() == ["f", "g"]
    assert store.content().mark == Mark(200, 2)


def test_what_was_lost_is_dropped_once_the_app_is_published_anew_without_it() -> None:
    store = marked("f", "g")
    assert store.apply(RULESETS_BUCKET, listing()).kept == ("f", "g")
    store.apply(RULESETS_BUCKET, value("g"))
    assert (store.flags(), store.kept()) == (["f", "g"], ["f"])
    applied = store.apply(RULESETS_BUCKET, mark(200, 1))
    assert (applied.dropped, applied.changed) == (("f",), True)
    assert (store.flags(), store.kept()) == (["g"], [])
    assert store.held("f") is None


def test_an_app_that_lost_all_its_flags_is_empty_once_it_is_published_as_such() -> None:
    store = marked("f", "g")
    store.apply(RULESETS_BUCKET, listing())
    assert store.apply(RULESETS_BUCKET, mark(200, 0)).dropped == ("f", "g")
    assert store.flags() == []
    assert store.origin is Origin.JETSTREAM


def test_a_listing_that_has_the_new_mark_already_is_believed_at_once() -> None:
    store = marked("f", "g")
    applied = store.apply(RULESETS_BUCKET, listing(value("g"), mark(200, 1)))
    assert (applied.kept, applied.dropped, store.flags()) == ((), ("f",), ["g"])


def test_a_mark_that_was_known_before_the_loss_says_nothing_of_it() -> None:
    store = marked("f", "g", at_ms=100)
    for item in (listing(value("g"), mark(100, 1)), mark(100, 1), listing(value("g"), mark(100, 1))):
        assert store.apply(RULESETS_BUCKET, item).dropped == ()
    assert store.kept() == ["f"]


def test_a_mark_out_of_a_backup_says_nothing() -> None:
    store = marked("f", "g", at_ms=100)
    assert store.apply(RULESETS_BUCKET, listing(value("g"), mark(50, 1))).kept == ("f",)
    assert store.content().mark == Mark(100, 2)


def test_a_bucket_that_has_lost_keys_since_its_mark_is_not_whole() -> None:
    store = marked("f", "g")
    store.apply(RULESETS_BUCKET, listing(value("g"), mark(200, 2)))
    assert store.kept() == ["f"]
    store.apply(RULESETS_BUCKET, listing(value("g"), mark(200, 2)))
    assert store.kept() == ["f"]
    store.apply(RULESETS_BUCKET, mark(300, 1))
    assert store.flags() == ["g"]


def test_a_mark_that_comes_before_the_last_of_its_flags_waits_for_it() -> None:
    store = marked("f", "g")
    assert store.apply(RULESETS_BUCKET, listing(mark(200, 1))).kept == ("f", "g")
    assert store.apply(RULESETS_BUCKET, value("g")).dropped == ("f",)


def test_deletions_and_values_that_are_refused_count_as_keys_of_the_bucket() -> None:
    store = marked("f", "g")
    assert store.apply(RULESETS_BUCKET, listing(entry("h", None), entry("g", b"{"), mark(200, 2))).dropped == ("f",)
    assert store.flags() == ["g"]


def test_without_a_mark_what_was_lost_stays() -> None:
    store = filled()
    store.apply(RULESETS_BUCKET, listing())
    store.apply(RULESETS_BUCKET, Entry(mark_key(APP), None, 7))
    assert store.kept() == ["f"]


def test_the_mark_is_part_of_a_snapshot() -> None:
    store = FlagStore(APP)
    store.restore(marked("f", "g", at_ms=100).content())
    assert store.apply(RULESETS_BUCKET, listing(value("g"), mark(100, 2))).kept == ("f",)

    store = FlagStore(APP)
    store.restore(marked("f", "g", at_ms=100).content())
    assert store.apply(RULESETS_BUCKET, listing(value("g"), mark(200, 1))).dropped == ("f",)


def test_what_only_another_version_of_tailslide_knows_is_no_bad_value() -> None:
    store = marked("f")
    applied = store.apply(RULESETS_BUCKET, Entry(f"{APP}._notes.vip", b"{}", 7))
    assert (applied.refused, applied.changed) == ((), False)
    assert store.apply(RULESETS_BUCKET, listing(Entry(f"{APP}._notes.vip", b"{}", 7))).kept == ("f",)


def test_a_mark_that_cannot_be_understood_is_refused_and_another_app_s_as_well() -> None:
    store = marked("f")
    for bad in (Entry(mark_key(APP), b"{", 7), Entry(mark_key("other"), encode_mark(Mark(900, 0)), 8)):
        assert len(store.apply(RULESETS_BUCKET, bad).refused) == 1
    assert store.content().mark == Mark(100, 1)


some_flags = st.sets(st.sampled_from("abcdef"))


@given(some_flags, some_flags, st.lists(st.integers(0, 7), max_size=4).map(sorted))
def test_after_a_loss_and_a_publication_it_knows_what_is_in_the_bucket(
    before: set[str], after: set[str], listings: list[int]
) -> None:
    """Whenever all is read again on the way: after so many of Tower's writes."""
    store = marked(*before)
    store.apply(RULESETS_BUCKET, listing())
    written = [*(value(flag) for flag in sorted(after)), mark(200, len(after))]
    for count in range(len(written) + 1):
        if count:
            store.apply(RULESETS_BUCKET, written[count - 1])
        for _ in range(listings.count(count)):
            store.apply(RULESETS_BUCKET, listing(*written[:count]))
        assert set(store.flags()) >= after & before, "what is there before and after is there all the time"
        assert set(store.flags()) <= after | before
    assert set(store.flags()) == after
    assert store.kept() == []


POISON = [
    b"[]",
    b"",
    b"\xff" * 600_000,
    b'{"schema": 1, "generation": 18446744073709551615}',
    encode_circuit(OPEN).replace(b'"generation":0', b'"generation":18446744073709551615'),
    encode_circuit(OPEN).replace(b'"since_ms":0', b'"since_ms":9000000000000000000'),
    encode_circuit(OPEN).replace(b'"percentage":0.0', b'"percentage":NaN'),
]


@pytest.mark.parametrize("poison", POISON, ids=range(len(POISON)))
def test_a_poisoned_circuit_leaves_the_last_good_one_and_the_other_flags(poison: bytes) -> None:
    store = FlagStore(APP)
    store.apply(RULESETS_BUCKET, listing(value("f"), value("g")))
    store.apply(CIRCUITS_BUCKET, listing(entry("f", encode_circuit(OPEN), 1)))
    for item in (entry("f", poison, 2), listing(entry("f", poison, 2), entry("g", encode_circuit(OPEN), 3))):
        store.apply(CIRCUITS_BUCKET, item)
        assert state_of(store, "f") is State.OPEN
    assert state_of(store, "g") is State.OPEN
    store.apply(CIRCUITS_BUCKET, entry("f", encode_circuit(RECOVERING), 4))
    assert state_of(store, "f") is State.RECOVERING


def test_an_error_that_no_reader_foresaw_costs_one_value_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(data: bytes) -> Circuit:
        raise RecursionError("too deep")

    store = filled()
    monkeypatch.setattr(flag_store, "decode_circuit", fails)
    (refusal,) = store.apply(CIRCUITS_BUCKET, entry("f", encode_circuit(OPEN))).refused
    assert isinstance(refusal.unforeseen, RecursionError)
    assert refusal.problem == "too deep"
    monkeypatch.undo()
    assert store.apply(CIRCUITS_BUCKET, entry("f", encode_circuit(OPEN), 2)).changed
