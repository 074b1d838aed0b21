"""What the settings of a circuit would have done on counts that are kept. Pure: the state machine, run over the past.

The counts are those of calls that did reach the feature. Calls that a simulated circuit would have sent elsewhere are
still among them, so what it would have kept from users is reckoned from them: an estimate, since callers of a feature
that is off may behave differently. Reading counts is the caller's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from tailslide_core.breach import least_bad_calls
from tailslide_core.circuit import Circuit, State, Transition, step
from tailslide_core.ramp import FULL
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_core.windows import WindowCounts, ladder

_LOOKS_PER_BUCKET = 4
"""As many transitions as one look at the end of a bucket may find due at most."""


@dataclass(frozen=True, slots=True)
class KeptCounts:
    """Calls to a feature: a number for each bucket of `bucket_ms` milliseconds from `start_ms` (Unix milliseconds) on.

    Where nothing was counted there are zeros: the circuit sees no calls there, either.
    """

    start_ms: int
    bucket_ms: int
    calls: Sequence[int]
    failures: Sequence[int]
    slow: Sequence[int]


@dataclass(frozen=True, slots=True)
class Preview:
    """What became of the circuit, and what it would have kept from users.

    `avoided_failures` and `avoided_successes` are calls, failed and good ones, that would not have reached the feature:
    estimates, and no whole numbers. Times are in milliseconds. `circuit` is how it stands at the end.
    """

    transitions: tuple[Transition, ...]
    circuit: Circuit
    open_ms: int
    recovering_ms: int
    failures: int
    avoided_failures: float
    avoided_successes: float


class _Totals:
    """Running totals of all buckets: what any window holds is the difference of two."""

    def __init__(self, kept: KeptCounts) -> None:
        self.calls = list(accumulate(kept.calls, initial=0))
        self.failures = list(accumulate(kept.failures, initial=0))
        self.slow = list(accumulate(kept.slow, initial=0))

    def over(self, rungs: Sequence[int], bucket_ms: int, since: int, end: int, share: float) -> list[WindowCounts]:
        """Count a share of the calls in each window that ends with bucket `end`, which it does not hold.

        `rungs` are lengths in buckets. As in Aerobat, windows that reach back beyond `since` hold the same calls, and
        the shortest of these is the last one.
        """
        counts = []
        for rung in rungs:
            first = max(end - rung, since)
            counts.append(
                WindowCounts(
                    rung * bucket_ms,
                    round((self.calls[end] - self.calls[first]) * share),
                    round((self.failures[end] - self.failures[first]) * share),
                    round((self.slow[end] - self.slow[first]) * share),
                )
            )
            if end - rung <= since:
                break
        return counts


def preview(flag: Ruleset, settings: CircuitSettings, kept: KeptCounts) -> Preview:
    """Run the circuit of `flag` with `settings` over what is kept, closed at its beginning, with a look a bucket.

    The flag is taken to be on, and its circuit not to be forced open, whatever they say. Windows, and steps of the
    recovery, that are shorter than a bucket last one bucket.
    """
    settings = replace(settings, forced_open=False)
    judged = Ruleset(flag.app, flag.key, flag.version, active=True, rollout=FULL, salt=flag.salt, circuit=settings)
    bucket_ms = kept.bucket_ms
    lengths = ladder(settings.window_ms, settings.long_window_ms)
    rungs = sorted({max(1, round(length / bucket_ms)) for length in lengths})
    least_bad = least_bad_calls(settings.error_threshold, settings.confidence)
    if settings.slow_threshold is not None:
        least_bad = min(least_bad, least_bad_calls(settings.slow_threshold, settings.confidence))
    totals = _Totals(kept)
    circuit = Circuit(reset_generation=settings.reset_generation, since_ms=kept.start_ms)
    transitions: list[Transition] = []
    since = open_ms = recovering_ms = 0
    avoided_failures = avoided_successes = 0.0
    for index in range(len(kept.calls)):
        kept_out = 1 - circuit.percentage / FULL
        if circuit.state is State.OPEN:
            open_ms += bucket_ms
        elif circuit.state is State.RECOVERING:
            recovering_ms += bucket_ms
        if kept_out:
            avoided_failures += kept.failures[index] * kept_out
            avoided_successes += (kept.calls[index] - kept.failures[index]) * kept_out
        end = index + 1
        now_ms = kept.start_ms + end * bucket_ms
        for _ in range(_LOOKS_PER_BUCKET):
            if circuit.state is State.CLOSED and not circuit.trips:
                bad = kept.failures[index] + kept.slow[index]
                first = max(end - rungs[-1], since)
                in_reach = totals.failures[end] - totals.failures[first] + totals.slow[end] - totals.slow[first]
                if not bad or in_reach < least_bad:
                    break  # no breach comes of good calls, nor of so few bad ones
            counts = totals.over(rungs, bucket_ms, since, end, circuit.percentage / FULL)
            transition = step(circuit, judged, counts, now_ms).transition
            if transition is None:
                break
            circuit = transition.after
            transitions.append(transition)
            since = max(0, (circuit.since_ms - kept.start_ms) // bucket_ms)
    return Preview(
        tuple(transitions),
        circuit,
        open_ms,
        recovering_ms,
        totals.failures[-1],
        avoided_failures,
        avoided_successes,
    )
