import pytest

from tailslide_core.circuit import Circuit, State
from tailslide_core.windows import WindowCounts
from tailslide_tower.flag_states.counting import LONG_MS, SHORT_MS, judged_windows

NOW_MS = 1_795_363_190_302
WINDOWS = (WindowCounts(SHORT_MS, 0, 0, 0), WindowCounts(LONG_MS, 15, 15, 0))


def closed(ago_ms: int) -> Circuit:
    return Circuit(State.CLOSED, 100.0, trips=1, generation=3, reset_generation=1, since_ms=NOW_MS - ago_ms)


@pytest.mark.parametrize(
    ("circuit", "changed_ago_ms", "expected"),
    [
        (None, 0, [SHORT_MS, LONG_MS]),
        (closed(LONG_MS), 0, [SHORT_MS, LONG_MS]),
        (closed(LONG_MS - 1), 0, [SHORT_MS]),
        (closed(5_000), 86_400_000, []),
        (Circuit(State.OPEN, 0.0, since_ms=NOW_MS - LONG_MS), 1_000, []),
        (Circuit(State.OPEN, 0.0, since_ms=NOW_MS - LONG_MS), SHORT_MS, [SHORT_MS]),
    ],
    ids=["never tripped", "closed for long", "closed for a while", "closed just now", "reset just now", "reset"],
)
def test_calls_from_before_the_circuit_closed_are_not_told(
    circuit: Circuit | None, changed_ago_ms: int, expected: list[int]
) -> None:
    windows = judged_windows(WINDOWS, circuit, changed_ms=NOW_MS - changed_ago_ms, now_ms=NOW_MS)
    assert [counts.window_ms for counts in windows] == expected
