from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aerobat_court import FLAG, RULESET, SETTINGS

from tailslide_aerobat.flags import Broken, BucketMemory, Flags
from tailslide_aerobat.metrics import Metrics
from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import Claim, Mark, encode_circuit, encode_claim, encode_mark
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import CLAIM_KEY, FlagId, mark_key
from tailslide_runtime.bucket_watch import Entry, Listing

KEY = str(FLAG)
OPEN = Circuit(State.OPEN, 0.0, 1, 1, 0, 1_000, 2_000)
NOTHING = Listing({})


def listing(*entries: Entry) -> Listing:
    return Listing({entry.key: entry for entry in entries})


def ruleset(revision: int = 1, **changes: object) -> Entry:
    return Entry(KEY, encode_ruleset(replace(RULESET, **changes)), revision)  # type: ignore[arg-type] # any field


def circuit(revision: int, value: Circuit = OPEN) -> Entry:
    return Entry(KEY, encode_circuit(value), revision)


def refused(metrics: Metrics, bucket: str) -> float:
    return float(metrics.refused_values.labels(bucket)._value.get())


def known(flags: Flags) -> list[tuple[State, int | None]]:
    return [(flag.circuit.state, flag.revision) for flag in flags.judged()]


def begun() -> tuple[Flags, Metrics]:
    metrics = Metrics()
    flags = Flags(metrics)
    flags.rulesets.take(listing(ruleset()))
    flags.circuits.take(NOTHING)
    return flags, metrics


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (mark_key(FLAG.app), encode_mark(Mark(5, 1))),
        (CLAIM_KEY, encode_claim(Claim("3f2a", 1))),
        (f"{FLAG.app}._segments.vip", b"{}"),
        ("_of_another_version", b"?"),
    ],
)
def test_what_is_tailslide_s_own_is_no_flag_and_no_bad_value(key: str, value: bytes) -> None:
    flags, metrics = begun()
    own = Entry(key, value, 9)
    for item in (own, listing(ruleset(), own)):
        flags.rulesets.take(item)
    assert [flag_id for flag_id, _ in flags.rulesets.items()] == [FLAG]
    assert refused(metrics, "rulesets") == 0


def test_listed_means_both_buckets_and_only_for_this_connection() -> None:
    flags = Flags(Metrics())
    steps: list[tuple[Callable[[], None], bool]] = [
        (lambda: flags.rulesets.take(NOTHING), False),
        (lambda: flags.circuits.take(NOTHING), True),
        (flags.disconnected, False),
    ]
    for step, listed in steps:
        step()
        assert flags.listed == listed


def test_a_flag_without_a_value_starts_closed_with_the_reset_of_its_ruleset() -> None:
    flags = Flags(Metrics())
    flags.rulesets.take(listing(ruleset(circuit=replace(SETTINGS, reset_generation=7))))
    (flag,) = flags.judged()
    assert (flag.circuit, flag.revision) == (Circuit(reset_generation=7), None)


def test_a_flag_without_a_circuit_is_not_judged() -> None:
    flags, _ = begun()
    flags.rulesets.take(ruleset(2, circuit=None))
    assert known(flags) == []


def test_our_own_write_counts_at_once_and_its_echo_does_not_undo_the_next() -> None:
    flags, _ = begun()
    flags.circuits.wrote(FLAG, OPEN, 4)
    flags.circuits.wrote(FLAG, replace(OPEN, state=State.RECOVERING), 5)
    flags.circuits.take(circuit(4))
    assert known(flags) == [(State.RECOVERING, 5)]


def test_what_another_wrote_comes_by_the_watch() -> None:
    flags, _ = begun()
    flags.circuits.take(circuit(9))
    assert known(flags) == [(State.OPEN, 9)]


def test_a_circuit_that_a_bucket_has_lost_is_kept_to_be_written_again() -> None:
    flags, _ = begun()
    flags.circuits.take(circuit(9))
    flags.circuits.take(NOTHING)
    assert known(flags) == [(State.OPEN, None)]
    assert flags.circuits.lost() == {FLAG: OPEN}

    flags.circuits.wrote(FLAG, OPEN, 1)
    assert known(flags) == [(State.OPEN, 1)]
    assert flags.circuits.lost() == {}


def reconnected(flags: Flags, made: datetime, found: Listing) -> None:
    flags.disconnected()
    flags.circuits.made = made
    flags.circuits.take(found)


EARLIER, LATER = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)
TRIPPED_AGAIN = replace(OPEN, trips=2, generation=5)


@pytest.mark.parametrize(
    ("made", "found", "kept"),
    [
        (LATER, NOTHING, TRIPPED_AGAIN),
        (EARLIER, NOTHING, OPEN),
        (EARLIER, listing(circuit(9)), None),
        (EARLIER, listing(circuit(10, TRIPPED_AGAIN)), None),
        (LATER, listing(circuit(1)), None),
    ],
)
def test_what_was_written_without_an_answer_is_lost_with_its_bucket_alone(
    made: datetime, found: Listing, kept: Circuit | None
) -> None:
    flags, _ = begun()
    reconnected(flags, EARLIER, listing(circuit(9)))
    flags.circuits.writes(FLAG, TRIPPED_AGAIN)
    flags.circuits.take(listing(circuit(9)))  # a watch may start again before the answer comes
    reconnected(flags, made, found)
    assert flags.circuits.lost() == ({} if kept is None else {FLAG: kept})


def test_what_was_written_without_an_answer_is_remembered_for_one_connection() -> None:
    flags, _ = begun()
    flags.circuits.writes(FLAG, OPEN)
    reconnected(flags, EARLIER, listing(circuit(9, TRIPPED_AGAIN)))
    reconnected(flags, LATER, NOTHING)
    assert flags.circuits.lost() == {FLAG: TRIPPED_AGAIN}


def test_a_listing_of_a_bucket_made_anew_counts_though_its_revisions_are_lower() -> None:
    flags, _ = begun()
    flags.circuits.take(circuit(9))
    flags.circuits.take(listing(circuit(2, replace(OPEN, state=State.RECOVERING))))
    assert known(flags) == [(State.RECOVERING, 2)]


def test_a_deleted_circuit_is_made_again_without_a_revision() -> None:
    flags, _ = begun()
    flags.circuits.take(circuit(9))
    flags.circuits.take(Entry(KEY, None, 10))
    assert known(flags) == [(State.CLOSED, None)]


def test_a_flag_that_was_made_again_has_a_reset_before_it() -> None:
    flags, _ = begun()
    flags.circuits.take(circuit(9))
    flags.circuits.take(Entry(KEY, None, 10))
    flags.rulesets.take(ruleset(2, circuit=replace(SETTINGS, reset_generation=3)))
    (flag,) = flags.restless()
    assert (flag.circuit, flag.revision) == (Circuit(reset_generation=2), None)


def test_only_a_deleted_ruleset_makes_an_orphan() -> None:
    flags, _ = begun()
    flags.circuits.take(circuit(9))
    flags.rulesets.take(NOTHING)
    assert (known(flags), flags.orphans()) == ([], [])
    flags.rulesets.take(listing(Entry(KEY, None, 2)))
    assert flags.orphans() == [(FLAG, 9)]
    flags.circuits.wrote(FLAG, None, 10)
    assert flags.orphans() == []


def test_a_value_that_does_not_parse_is_counted_and_leaves_the_last_good_one() -> None:
    flags, metrics = begun()
    flags.circuits.take(circuit(3))
    flags.rulesets.take(Entry(KEY, b'{"schema": 1}', 2))
    flags.circuits.take(Entry(KEY, b"{", 4))
    assert (known(flags), flags.broken()) == ([], [Broken(FLAG, 4, OPEN, 0)])
    assert (refused(metrics, "rulesets"), refused(metrics, "circuits")) == (1, 1)


def test_a_refused_value_seen_again_in_a_listing_is_counted_once_and_keeps_the_last_good_one() -> None:
    flags, metrics = begun()
    broken = Entry(KEY, b"[]", 2)
    flags.rulesets.take(broken)
    flags.rulesets.take(listing(broken))
    assert refused(metrics, "rulesets") == 1
    assert known(flags) == [(State.CLOSED, None)]


def test_a_broken_circuit_is_not_judged_until_a_good_one_is_in_its_place() -> None:
    flags, _ = begun()
    flags.rulesets.take(ruleset(2, circuit=replace(SETTINGS, reset_generation=3)))
    for broken in (b"[]", b"", b"\xff", b'{"schema": 18446744073709551615}', b'{"schema": 9007199254740993}'):
        flags.circuits.take(listing(Entry(KEY, broken, 4)))
        assert (known(flags), flags.broken()) == ([], [Broken(FLAG, 4, None, 3)])
    flags.circuits.wrote(FLAG, OPEN, 5)
    assert (known(flags), flags.broken()) == ([(State.OPEN, 5)], [])


def test_a_broken_circuit_without_a_ruleset_that_judges_it_is_left_alone() -> None:
    flags, _ = begun()
    flags.circuits.take(listing(Entry(KEY, b"[]", 4)))
    for without in (ruleset(2, circuit=None), Entry(KEY, None, 3)):
        flags.rulesets.take(without)
        assert flags.broken() == []
    assert flags.orphans() == [(FLAG, 4)]


def test_what_no_reader_foresaw_is_a_refused_value(capsys: pytest.CaptureFixture[str]) -> None:
    def read(flag_id: FlagId, data: bytes) -> bytes:
        if data == b"bad":
            raise RecursionError("too deep")
        return data

    metrics = Metrics()
    memory = BucketMemory("circuits", read, metrics, lambda _: None)
    memory.take(listing(Entry(KEY, b"bad", 1), Entry("clinic.other", b"good", 2)))
    assert {flag_id.flag: held.value for flag_id, held in memory.items()} == {FLAG.flag: None, "other": b"good"}
    assert refused(metrics, "circuits") == 1
    assert "RecursionError: too deep" in capsys.readouterr().out


def test_a_circuit_of_a_newer_schema_is_not_ours_to_move() -> None:
    flags, metrics = begun()
    flags.circuits.take(Entry(KEY, b'{"schema": 2}', 4))
    assert (known(flags), flags.broken()) == ([], [])
    assert refused(metrics, "circuits") == 1


def test_a_ruleset_of_a_newer_schema_leaves_the_last_good_one() -> None:
    flags, _ = begun()
    flags.rulesets.take(Entry(KEY, b'{"schema": 2}', 4))
    assert known(flags) == [(State.CLOSED, None)]


def test_a_ruleset_under_the_key_of_another_is_refused() -> None:
    flags, metrics = begun()
    flags.rulesets.take(Entry("clinic.invoices", ruleset().value, 2))
    flags.rulesets.take(Entry("clinic", ruleset().value, 3))
    assert [flag.flag_id for flag in flags.judged()] == [FLAG]
    assert refused(metrics, "rulesets") == 2


def test_the_apps_are_those_that_have_flags_to_judge() -> None:
    flags, _ = begun()
    assert list(flags.apps()) == ["clinic"]
    flags.rulesets.take(ruleset(2, circuit=None))
    assert list(flags.apps()) == []
    flags.rulesets.take(ruleset(3))
    flags.rulesets.take(NOTHING)
    assert list(flags.apps()) == []


def test_a_flag_is_restless_until_it_is_closed_and_calm_and_no_reset_is_pending() -> None:
    flags, _ = begun()
    for revision, (value, restless) in enumerate(
        [
            (OPEN, True),
            (replace(OPEN, state=State.RECOVERING), True),
            (Circuit(trips=1), True),
            (Circuit(), False),
        ],
        start=3,
    ):
        flags.circuits.take(circuit(revision, value))
        assert ([flag.circuit for flag in flags.restless()] == [value]) == restless
    flags.rulesets.take(ruleset(2, circuit=replace(SETTINGS, reset_generation=1)))
    assert [flag.flag_id for flag in flags.restless()] == [FLAG]
    flags.rulesets.take(Entry(KEY, None, 3))
    assert flags.restless() == []


def test_a_memory_lists_deleted_keys_too() -> None:
    changed: list[FlagId] = []
    memory = BucketMemory("circuits", lambda _, data: data, Metrics(), changed.append)
    memory.take(listing(Entry(KEY, None, 3)))
    assert changed == [FLAG]
    ((flag_id, held),) = memory.items()
    assert (flag_id, held.value, held.revision, held.deleted) == (FLAG, None, 3, True)
