"""What the demo found out: measured, not told. One object for programs, a timeline for people."""

from dataclasses import asdict, dataclass

from tailslide_core.circuit import State
from tailslide_embedded.circuit_log import Verdict
from tailslide_embedded.demo.services import Services
from tailslide_embedded.demo.traffic import Tally


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline; `at` is in seconds since the traffic began."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of the story; `tripped_after_ms` is None when the circuit never opened."""

    tripped_after_ms: float | None
    """From the first failing answer of the new service to the verdict being here."""
    calls_failed_at_users: int
    calls_to_feature_while_open: int
    recovery_steps: list[float]
    """Percentages, in order."""
    recovered: bool
    total_calls: int
    duration_s: float

    def succeeded(self) -> bool:
        """Whether the circuit tripped and recovered."""
        return self.tripped_after_ms is not None and self.recovered

    def as_json(self) -> dict[str, object]:
        """Return the object that `--json` prints."""
        return asdict(self)


def report(verdicts: list[Verdict], services: Services, tally: Tally, started: float, ended: float) -> Report:
    """Put together what was measured between `started` and `ended` (monotonic, seconds)."""
    opened = next((v.at for v in verdicts if v.circuit.state is State.OPEN), None)
    failed = services.new.failures[0] if services.new.failures else None
    return Report(
        tripped_after_ms=None if opened is None or failed is None else round((opened - failed) * 1000, 1),
        calls_failed_at_users=tally.failed,
        calls_to_feature_while_open=_arrivals_while_open(verdicts, services.new.arrivals),
        recovery_steps=[v.circuit.percentage for v in verdicts if v.circuit.state is State.RECOVERING],
        recovered=opened is not None and verdicts[-1].circuit.state is State.CLOSED,
        total_calls=tally.total,
        duration_s=round(ended - started, 1),
    )


def _arrivals_while_open(verdicts: list[Verdict], arrivals: list[float]) -> int:
    count = 0
    for index, verdict in enumerate(verdicts):
        if verdict.circuit.state is State.OPEN:
            until = verdicts[index + 1].at if index + 1 < len(verdicts) else float("inf")
            count += sum(verdict.at < at < until for at in arrivals)
    return count


def timeline(verdicts: list[Verdict], services: Services, acts: list[Moment], started: float) -> list[Moment]:
    """Return all that happened, in order: the acts of the story, the first failure, each verdict with its reason."""
    moments = list(acts)
    if services.new.failures:
        moments.append(Moment(services.new.failures[0] - started, "the first call fails"))
    moments += [Moment(v.at - started, _describe(v)) for v in verdicts if v.circuit.generation > 0]
    return sorted(moments, key=lambda moment: moment.at)


def _describe(verdict: Verdict) -> str:
    circuit = verdict.circuit
    match circuit.state:
        case State.OPEN:
            reason = circuit.reason
            if reason is None:
                return "circuit open"
            return (
                f"circuit open: {reason.rule} {reason.observed:.0f} % of {reason.calls} calls in "
                f"{reason.window_ms / 1000:g} s, at least {reason.lower_bound:.0f} % with confidence, "
                f"threshold {reason.threshold:.0f} %"
            )
        case State.RECOVERING:
            return f"recovering: {circuit.percentage:g} % of users are let back in"
        case State.CLOSED:
            return "circuit closed: everyone is back" if circuit.trips else "circuit closed; its trip is forgotten"
