"""Outcomes that thin clients report."""

import pytest
from outcome_samples import samples_of
from structlog.testing import capture_logs

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import encode_circuit
from tailslide_core.naming import CIRCUITS_BUCKET
from tailslide_core.outcomes import Outcome
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_runtime.bucket_watch import Entry
from tailslide_runtime.http import ApiError
from tailslide_sidecar.flag_store import Content, FlagStore
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.outcome_counts import OutcomeCounts
from tailslide_sidecar.reported import MAX_COUNT, MAX_REPORTS, Report, Reports, TooManyReportsError, read_reports

SETTINGS = CircuitSettings(slow_call_ms=100, slow_threshold=50.0)


class Desk:
    def __init__(
        self,
        settings: CircuitSettings | None = SETTINGS,
        circuit: Circuit | None = None,
        *,
        accepts: bool = True,
        calls_per_s: int = 10_000,
    ) -> None:
        self.store = store = FlagStore("clinic", clock=lambda: self.wall_s)
        self.wall_s = 1_795_363_190.0
        ruleset = Ruleset("clinic", "f", 1, active=True, rollout=100.0, salt="f", circuit=settings)
        store.restore(Content({"f": ruleset}, {} if circuit is None else {"f": circuit}))
        self.buffer = OutcomeBuffer()
        self.outcomes = OutcomeCounts("clinic")
        self.stale = 0
        self.refused = 0
        self.now_s = 0.0
        self.reports = Reports(
            store,
            self.buffer,
            self.outcomes,
            self.count_stale,
            accepts=accepts,
            calls_per_s=calls_per_s,
            refused=self.count_refused,
            clock=lambda: self.now_s,
            wall_clock=lambda: self.wall_s,
        )

    @property
    def wall_ms(self) -> int:
        return round(self.wall_s * 1000)

    def put(self, circuit: Circuit) -> None:
        self.store.apply(CIRCUITS_BUCKET, Entry("clinic.f", encode_circuit(circuit), 1))

    def count_stale(self, calls: int) -> None:
        self.stale += calls

    def count_refused(self, calls: int) -> None:
        self.refused += calls


@pytest.mark.parametrize(
    ("body", "calls", "counted"),
    [
        ({"outcome": "success"}, 1, {"success": 1}),
        ({"outcome": "failure", "count": 7}, 7, {"failure": 7}),
        ({"outcome": "success", "latency_ms": 3}, 1, {"success": 1, "latency_le_5": 1}),
        ({"outcome": "success", "latency_ms": 0}, 1, {"success": 1, "latency_le_1": 1}),
        ({"outcome": "success", "latency_ms": None}, 1, {"success": 1}),
        (
            {"outcome": "failure", "latency_ms": 100.5, "count": 2},
            2,
            {"failure": 2, "latency_le_200": 2, "slow": 2},
        ),
        ([{"outcome": "success"}, {"outcome": "success", "count": 2}, {"outcome": "failure"}], 4,
         {"success": 3, "failure": 1}),
    ],
)  # fmt: skip # a table
def test_outcomes_are_counted(body: object, calls: int, counted: dict[str, int]) -> None:
    desk = Desk()
    assert desk.reports.take("f", body) == calls
    assert desk.buffer.take() == {("f", metric): count for metric, count in counted.items()}
    told = samples_of(desk.outcomes)
    assert told.get(("outcomes", "feature", "success", "reported"), 0) == counted.get("success", 0)
    assert told.get(("outcomes", "feature", "failure", "reported"), 0) == counted.get("failure", 0)
    assert told["outcomes_slow", "feature", "", ""] == counted.get("slow", 0)
    assert sum(told.values()) == sum(counted.get(each, 0) for each in ("success", "failure", "slow"))


def test_without_a_circuit_nothing_is_slow() -> None:
    desk = Desk(None)
    assert desk.reports.take("f", {"outcome": "success", "latency_ms": 9000}) == 1
    assert desk.buffer.take() == {("f", "success"): 1, ("f", "latency_le_10000"): 1}


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        ("success", "body", "expected an object"),
        (None, "body", "expected an object"),
        ([], "body", "expected 1 to 1000 outcomes, got 0"),
        ([{"outcome": "success"}] * (MAX_REPORTS + 1), "body", "expected 1 to 1000 outcomes, got 1001"),
        ({}, "outcome", "expected success or failure, got null"),
        ({"outcome": "fine"}, "outcome", 'expected success or failure, got "fine"'),
        ({"outcome": ["success"]}, "outcome", "expected success or failure"),
        ({"outcome": {"a": 1}}, "outcome", "expected success or failure"),
        ({"outcome": True}, "outcome", "expected success or failure"),
        ({"outcome": "success", "latency": 3}, "latency", "unknown field"),
        ({"outcome": "success", "latency_ms": -1}, "latency_ms", "expected milliseconds, at least 0, got -1"),
        ({"outcome": "success", "latency_ms": "3"}, "latency_ms", "expected milliseconds"),
        ({"outcome": "success", "latency_ms": True}, "latency_ms", "expected milliseconds"),
        ({"outcome": "success", "latency_ms": float("inf")}, "latency_ms", "expected milliseconds"),
        ({"outcome": "success", "count": 0}, "count", "expected an integer from 1 to 1000000, got 0"),
        ({"outcome": "success", "count": -1}, "count", "expected an integer"),
        ({"outcome": "success", "count": 1.0}, "count", "expected an integer"),
        ({"outcome": "success", "count": True}, "count", "expected an integer"),
        ({"outcome": "success", "count": None}, "count", "expected an integer"),
        ({"outcome": "success", "count": MAX_COUNT + 1}, "count", "expected an integer"),
        ({"outcome": "success", "began_ms": -1}, "began_ms", "expected Unix time in milliseconds, an integer, got -1"),
        ({"outcome": "success", "began_ms": 2**53 + 1}, "began_ms", "expected Unix time in milliseconds"),
        ({"outcome": "success", "began_ms": 1.5}, "began_ms", "expected Unix time in milliseconds"),
        ({"outcome": "success", "began_ms": True}, "began_ms", "expected Unix time in milliseconds"),
        ({"outcome": "success", "began_ms": "1"}, "began_ms", "expected Unix time in milliseconds"),
        (
            [{"outcome": "success", "began_ms": 1_795_363_250_001}],
            "[0].began_ms",
            "expected a time at most 60000 ms ahead of this machine's clock, got 1795363250001",
        ),
        ([{"outcome": "success"}, {"outcome": "no"}], "[1].outcome", "expected success or failure"),
        ([{"outcome": "success"}, 5], "[1]", "expected an object"),
        ([{"outcome": "success", "x": 1}], "[0].x", "unknown field"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_counted(body: object, field: str, problem: str) -> None:
    desk = Desk()
    with pytest.raises(ApiError) as error:
        desk.reports.take("f", body)
    assert (error.value.status, error.value.code, error.value.field) == (400, "INVALID", field)
    assert error.value.message.startswith(problem)
    assert len(error.value.message) < 200
    assert desk.buffer.take() == {}


def test_before_anything_is_loaded_nothing_is_said_of_a_flag() -> None:
    reports = Reports(FlagStore("clinic"), OutcomeBuffer(), OutcomeCounts("clinic"), lambda _: None)
    with pytest.raises(ApiError) as error:
        reports.take("f", {"outcome": "success"})
    assert (error.value.status, error.value.code) == (503, "NOT_READY")


def test_an_unknown_flag_is_named() -> None:
    desk = Desk()
    with pytest.raises(ApiError) as error:
        desk.reports.take("gone", {"outcome": "success"})
    assert (error.value.status, error.value.code, error.value.field) == (404, "FLAG_NOT_FOUND", "key")
    assert error.value.message == "the app clinic has no flag gone"


@pytest.mark.parametrize(
    ("circuit", "settings", "counts"),
    [
        (Circuit(State.OPEN, 0.0, trips=1), SETTINGS, False),
        (None, CircuitSettings(forced_open=True), False),
        (Circuit(State.RECOVERING, 10.0, trips=1), SETTINGS, True),
        (Circuit(), SETTINGS, True),
        (Circuit(State.OPEN, 0.0, trips=1), CircuitSettings(reset_generation=1), True),
    ],
)
def test_while_the_circuit_is_open_nothing_is_counted(
    circuit: Circuit | None, settings: CircuitSettings, counts: bool
) -> None:
    desk = Desk(settings, circuit)
    assert desk.reports.take("f", {"outcome": "failure", "count": 3}) == 3
    assert (desk.buffer.take() == {("f", "failure"): 3}) is counts
    assert desk.stale == (0 if counts else 3)


def test_what_began_before_the_circuit_last_opened_counts_for_nothing() -> None:
    desk = Desk()
    before_ms = desk.wall_ms
    reports = [
        {"outcome": "failure", "count": 3, "began_ms": before_ms},
        {"outcome": "success", "began_ms": before_ms + 1_000},
        {"outcome": "success", "count": 5},
    ]
    assert desk.reports.take("f", reports) == 9
    assert (desk.stale, desk.buffer.take()) == (0, {("f", "failure"): 3, ("f", "success"): 6})
    desk.wall_s += 1.0
    desk.put(Circuit(State.OPEN, 0.0, trips=1))
    desk.wall_s += 1.0
    desk.put(Circuit(State.RECOVERING, 10.0, trips=1))
    assert desk.reports.take("f", reports) == 9
    assert (desk.stale, desk.buffer.take()) == (3, {("f", "success"): 6})
    desk.put(Circuit(reset_generation=1))
    assert desk.reports.take("f", reports[0]) == 3
    assert (desk.stale, desk.buffer.take()) == (6, {})


def test_calls_may_have_begun_a_little_ahead_of_our_clock() -> None:
    desk = Desk()
    assert desk.reports.take("f", {"outcome": "success", "began_ms": desk.wall_ms + 60_000}) == 1


def test_a_circuit_that_was_open_before_we_began_says_itself_since_when() -> None:
    desk = Desk(circuit=Circuit(State.RECOVERING, 10.0, trips=1, since_ms=5_000))
    desk.reports.take("f", [{"outcome": "failure", "began_ms": at_ms} for at_ms in (4_999, 5_000)])
    assert (desk.stale, desk.buffer.take()) == (1, {("f", "failure"): 1})


def test_a_thousand_reports_are_read() -> None:
    assert read_reports([{"outcome": "failure"}] * MAX_REPORTS, 0) == [Report(Outcome.FAILURE, None, 1)] * MAX_REPORTS


def test_reports_can_be_turned_off() -> None:
    desk = Desk(accepts=False)
    with pytest.raises(ApiError) as caught:
        desk.reports.take("f", {"outcome": "failure"})
    assert (caught.value.status, caught.value.code) == (403, "REPORTS_OFF")
    assert desk.buffer.take() == {}


def test_beyond_the_limit_nothing_of_a_request_is_counted() -> None:
    desk = Desk(calls_per_s=10)
    assert desk.reports.take("f", {"outcome": "success", "count": 95}) == 95
    batch = [{"outcome": "failure", "count": 4}, {"outcome": "success", "count": 20}]
    with pytest.raises(TooManyReportsError) as caught:
        desk.reports.take("f", batch)
    assert (caught.value.status, caught.value.code, caught.value.retry_after_s) == (429, "TOO_MANY_REPORTS", 2)
    assert caught.value.message == (
        "expected outcomes of at most 10 calls a second for each flag, 100 at once; nothing of this was counted"
    )
    assert desk.refused == 24
    assert desk.buffer.take() == {("f", "success"): 95}
    desk.now_s = 2.0
    assert desk.reports.take("f", batch) == 24


def test_what_could_never_be_taken_is_no_matter_of_time() -> None:
    desk = Desk(calls_per_s=10)
    with pytest.raises(ApiError) as caught:
        desk.reports.take("f", [{"outcome": "success", "count": 60}] * 2)
    assert (caught.value.status, caught.value.field) == (400, "body")
    assert caught.value.message == "expected outcomes of at most 100 calls in one request, got 120"


def test_refused_reports_are_logged_once_a_minute() -> None:
    desk = Desk(calls_per_s=10)
    desk.reports.take("f", {"outcome": "success", "count": 100})
    with capture_logs() as log:
        for now_s in (0.0, 0.1, 0.2, 59.9, 60.0):
            desk.now_s = now_s
            if now_s == 59.9:
                desk.reports.take("f", {"outcome": "success", "count": 100})
            with pytest.raises(TooManyReportsError):
                desk.reports.take("f", {"outcome": "success", "count": 50})
    assert [(line["event"], line["flag"], line["refused_calls"]) for line in log] == [
        ("reports_refused", "f", 50),
        ("reports_refused", "f", 200),
    ]
