"""What the demo reports is what was measured."""

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, State
from tailslide_embedded.circuit_log import Verdict
from tailslide_embedded.demo.report import Moment, Report, report, timeline
from tailslide_embedded.demo.services import Service, Services
from tailslide_embedded.demo.traffic import Call, Tally

REASON = TripReason(TripRule.ERROR_RATE, 62.0, 53.1, 50.0, 141, 2500)


def services(arrivals: list[float], failures: list[float]) -> Services:
    return Services(Service("old"), Service("new", arrivals=arrivals, failures=failures))


def verdict(at: float, state: State, percentage: float, generation: int) -> Verdict:
    return Verdict(Circuit(state, percentage, trips=1, generation=generation, reason=REASON), at)


STORY = [
    Verdict(Circuit(), 0.0),
    verdict(10.5, State.OPEN, 0, 1),
    verdict(12.0, State.RECOVERING, 50, 2),
    verdict(13.0, State.RECOVERING, 100, 3),
    verdict(14.0, State.CLOSED, 100, 4),
]


def test_a_story_that_trips_and_recovers() -> None:
    tally = Tally()
    for at in range(20):
        tally.add(Call(at, ok=at != 10, served_by="new"))

    outcome = report(STORY, services([9.0, 10.0, 10.6, 12.5], [10.0, 10.1]), tally, started=0.0, ended=15.0)

    assert outcome == Report(
        tripped_after_ms=500.0,
        calls_failed_at_users=1,
        calls_to_feature_while_open=1,
        recovery_steps=[50, 100],
        recovered=True,
        total_calls=20,
        duration_s=15.0,
    )
    assert outcome.succeeded()


def test_a_circuit_that_never_opens_is_no_success() -> None:
    outcome = report(STORY[:1], services([1.0], [2.0]), Tally(), started=0.0, ended=3.0)

    assert outcome.tripped_after_ms is None
    assert not outcome.recovered
    assert not outcome.succeeded()


def test_a_circuit_that_stays_open_is_no_success() -> None:
    outcome = report(STORY[:2], services([11.0], [10.0]), Tally(), started=0.0, ended=12.0)

    assert outcome.calls_to_feature_while_open == 1
    assert not outcome.succeeded()


def test_the_timeline_is_in_order_and_gives_the_reason() -> None:
    acts = [Moment(0.0, "all is well"), Moment(10.0, "a deploy has broken it")]

    moments = timeline(STORY, services([], [10.2]), acts, started=0.0)

    assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)
    assert moments[2].text == "the first call fails"
    assert moments[3].text == (
        "circuit open: error_rate 62 % of 141 calls in 2.5 s, at least 53 % with confidence, threshold 50 %"
    )
    assert moments[4].text == "recovering: 50 % of users are let back in"
