import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import status_sets

from tailslide_core.errors import ContractError
from tailslide_core.outcomes import (
    LATENCY_BOUNDS_MS,
    CallEnd,
    Outcome,
    StatusSet,
    classify,
    is_slow,
    latency_metric,
)


@pytest.mark.parametrize(
    ("patterns", "codes"),
    [
        ([], set()),
        (["429"], {429}),
        ([429], {429}),
        (["500-504"], {500, 501, 502, 503, 504}),
        (["503-503"], {503}),
        (["599-599", 100], {100, 599}),
        (["4xx"], set(range(400, 500))),
        (["5xx", 429, "5xx", "429"], {429, *range(500, 600)}),
        (["100-599"], set(range(100, 600))),
    ],
)
def test_statuses_are_codes_ranges_and_classes(patterns: list[object], codes: set[int]) -> None:
    statuses = StatusSet.parse(patterns)
    assert statuses.codes == codes
    assert {code for code in range(1000) if code in statuses} == codes
    assert statuses.patterns == tuple(str(pattern) for pattern in patterns)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "5",
        "50",
        "5000",
        "099",
        "600",
        "6xx",
        "0xx",
        "xxx",
        "5XX",
        "5x",
        "504-500",
        "500-",
        "-500",
        "500 - 504",
        "500\u2013504",
        "4xx-5xx",
        " 500",
        "500\n",
        "\u0665\u0660\u0660",
        99,
        600,
        -500,
        10**30,
        500.0,
        True,
        None,
        ["500"],
        {},
    ],
)
def test_any_other_pattern_is_refused_by_its_index(pattern: object) -> None:
    with pytest.raises(ContractError, match=r"^\[1\]: expected a status \(429\), a range") as caught:
        StatusSet.parse(["5xx", pattern])
    assert caught.value.field == "[1]"
    assert len(str(caught.value)) < 160


@given(status_sets)
def test_a_set_of_statuses_is_read_back_from_its_patterns(statuses: StatusSet) -> None:
    again = StatusSet.parse(statuses.patterns)
    assert again == statuses
    assert again.codes == statuses.codes


FAILURES = StatusSet.parse(["5xx", "429"])


@pytest.mark.parametrize(
    ("end", "status", "outcome"),
    [
        (CallEnd.ANSWERED, 200, Outcome.SUCCESS),
        (CallEnd.ANSWERED, 404, Outcome.SUCCESS),
        (CallEnd.ANSWERED, 428, Outcome.SUCCESS),
        (CallEnd.ANSWERED, 429, Outcome.FAILURE),
        (CallEnd.ANSWERED, 500, Outcome.FAILURE),
        (CallEnd.ANSWERED, 599, Outcome.FAILURE),
        (CallEnd.ANSWERED, 600, Outcome.SUCCESS),
        (CallEnd.REFUSED, None, Outcome.FAILURE),
        (CallEnd.TIMED_OUT, None, Outcome.FAILURE),
        (CallEnd.BROKEN, None, Outcome.FAILURE),
        (CallEnd.BROKEN, 200, Outcome.FAILURE),
        (CallEnd.CLIENT_GONE, None, None),
        (CallEnd.CLIENT_GONE, 200, None),
        (CallEnd.CLIENT_GONE, 500, None),
    ],
)
def test_a_call_is_judged_by_how_it_ended(end: CallEnd, status: int | None, outcome: Outcome | None) -> None:
    assert classify(end, status, FAILURES) is outcome


@pytest.mark.parametrize("end", [CallEnd.REFUSED, CallEnd.TIMED_OUT, CallEnd.BROKEN])
def test_a_call_without_a_whole_answer_fails_whatever_the_statuses(end: CallEnd) -> None:
    assert classify(end, None, StatusSet.parse([])) is Outcome.FAILURE


@pytest.mark.parametrize(
    ("latency_ms", "metric"),
    [
        (0, "latency_le_1"),
        (0.4, "latency_le_1"),
        (1, "latency_le_1"),
        (1.0001, "latency_le_2"),
        (20, "latency_le_20"),
        (20.5, "latency_le_50"),
        (50, "latency_le_50"),
        (60_000, "latency_le_60000"),
        (60_000.1, "latency_le_inf"),
        (1e12, "latency_le_inf"),
        (float("inf"), "latency_le_inf"),
    ],
)
def test_a_latency_is_in_the_bucket_of_the_next_bound(latency_ms: float, metric: str) -> None:
    assert latency_metric(latency_ms) == metric


@given(st.floats(0, 100_000))
def test_a_latency_is_in_exactly_one_bucket(latency_ms: float) -> None:
    lower = [0, *LATENCY_BOUNDS_MS]
    upper = [*LATENCY_BOUNDS_MS, float("inf")]
    fitting = [high for low, high in zip(lower, upper, strict=True) if low < latency_ms <= high] or [1]
    assert [latency_metric(latency_ms)] == [f"latency_le_{high}" for high in fitting]


@pytest.mark.parametrize(
    ("latency_ms", "slow_call_ms", "slow"),
    [(499.9, 500, False), (500, 500, False), (500.1, 500, True), (10**9, None, False), (0, None, False)],
)
def test_a_slow_call_took_longer_than_its_limit(latency_ms: float, slow_call_ms: int | None, slow: bool) -> None:
    assert is_slow(latency_ms, slow_call_ms) is slow
