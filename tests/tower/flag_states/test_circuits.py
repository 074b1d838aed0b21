"""What is known of circuits, and of their openings."""

from dataclasses import replace

import pytest

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import encode_circuit
from tailslide_core.naming import FlagId
from tailslide_core.sentences.facts import Opening
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_tower.flag_states.circuits import KnownCircuits

ONE = FlagId("shop", "one")
WHY = TripReason(TripRule.ERROR_RATE, 62.0, 53.1, 50.0, 141, 10_000)
OPEN = Circuit(State.OPEN, 0.0, 1, 4, 0, 1000, 31_000, WHY)
RECOVERING = Circuit(State.RECOVERING, 10.0, 1, 5, 0, 31_000, 36_000, WHY)
CLOSED = Circuit(State.CLOSED, 100.0, 1, 14, 0, 80_000, 110_000, WHY)


@pytest.fixture
def told() -> list[FlagId]:
    return []


@pytest.fixture
def circuits(told: list[FlagId]) -> KnownCircuits:
    return KnownCircuits(told.append)


def entry(circuit: Circuit | None, flag_id: FlagId = ONE) -> Entry:
    return Entry(str(flag_id), None if circuit is None else encode_circuit(circuit), 1)


def test_last_opening_stays_known_after_the_circuit_has_closed(circuits: KnownCircuits, told: list[FlagId]) -> None:
    circuits.take(Listing({str(ONE): entry(OPEN)}))
    assert circuits.last_opening(ONE) == Opening(1000, WHY)
    circuits.take(entry(RECOVERING))
    circuits.take(entry(CLOSED))
    circuits.take(entry(replace(CLOSED, trips=0, reason=None, generation=15)))
    assert circuits.get(ONE) == replace(CLOSED, trips=0, reason=None, generation=15)
    assert circuits.last_opening(ONE) == Opening(1000, WHY, 80_000)
    assert told == [ONE] * 4


def test_opening_that_nobody_saw_is_not_made_up(circuits: KnownCircuits) -> None:
    circuits.take(Listing({str(ONE): entry(RECOVERING)}))
    circuits.take(entry(CLOSED))
    assert circuits.last_opening(ONE) is None


def test_circuit_that_is_gone_is_none(circuits: KnownCircuits, told: list[FlagId]) -> None:
    circuits.take(Listing({str(ONE): entry(OPEN)}))
    circuits.take(Listing({}))
    assert (circuits.get(ONE), circuits.last_opening(ONE)) == (None, None)
    circuits.take(entry(OPEN))
    circuits.take(entry(None))
    assert circuits.get(ONE) is None
    assert told == [ONE] * 4


def test_listing_that_repeats_tells_nobody(circuits: KnownCircuits, told: list[FlagId]) -> None:
    for _ in range(3):
        circuits.take(Listing({str(ONE): entry(OPEN)}))
    assert told == [ONE]


@pytest.mark.parametrize(("key", "value"), [("one", b"{}"), (str(ONE), b"{}"), (str(ONE), b'{"schema": 99}')])
def test_value_that_cannot_be_read_leaves_the_last_one(circuits: KnownCircuits, key: str, value: bytes) -> None:
    circuits.take(entry(OPEN))
    circuits.take(Entry(key, value, 2))
    assert circuits.get(ONE) == OPEN
