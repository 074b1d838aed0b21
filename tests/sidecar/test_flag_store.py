"""What the store holds after what it has seen of the buckets."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import encode_circuit, encode_ruleset
from tailslide_core.evaluation import Context, Reason
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_sidecar.flag_store import FlagStore, Origin

APP = "clinic"
OPEN = Circuit(State.OPEN, 0.0, trips=1)
bad_values = st.one_of(
    st.binary(max_size=30).filter(lambda data: not data.startswith(b"{")), st.sampled_from([b"{}", b'{"schema": 2}'])
)


def ruleset(key: str = "f", version: int = 1) -> Ruleset:
    return Ruleset(APP, key, version, active=True, rollout=100.0, salt=key, circuit=CircuitSettings())


def entry(flag: str, value: bytes | None, revision: int = 1) -> Entry:
    return Entry(f"{APP}.{flag}", value, revision)


def listing(*entries: Entry) -> Listing:
    return Listing({each.key: each for each in entries})


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


def test_it_answers_from_both_buckets() -> None:
    store = filled()
    assert store.evaluate("f", Context("u")).active
    assert store.apply(CIRCUITS_BUCKET, entry("f", encode_circuit(OPEN))).changed
    assert store.evaluate("f", Context("u")).reason is Reason.CIRCUIT_OPEN
    assert (store.trips("f"), store.trips("g")) == (1, 0)
    assert store.evaluate("g", Context("u")).reason is Reason.FLAG_NOT_FOUND
    assert store.effective("g") is None


def test_the_same_value_again_changes_nothing() -> None:
    assert not filled().apply(RULESETS_BUCKET, entry("f", encode_ruleset(ruleset()), 2)).changed


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
