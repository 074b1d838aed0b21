"""Why a circuit opened, in numbers."""

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.ruleset import Ruleset
from tailslide_core.sentences.numbers import counted, exact_span, percent, share


def why_opened(reason: TripReason | None, ruleset: Ruleset | None, *, past: bool = False) -> str:
    """Return it without a full stop: `62% of 141 calls failed in 10 s; the threshold is 50%`.

    `past` is for what is over: the threshold may be another one by now. What counts as slow is the ruleset's.
    """
    if reason is None:
        return "why it opened is not known"
    was = "was" if past else "is"
    window = f"in {exact_span(reason.window_ms)}"
    calls = _part(reason)
    match reason.rule:
        case TripRule.ERROR_RATE:
            what = f"{calls} failed {window}"
        case TripRule.SLOW_CALL_RATE:
            what = f"{calls} {_were(reason)} slow{_bound(ruleset)} {window}"
        case _:
            what = f"{calls} {window} broke a rule that only a newer Tailslide knows"
    return f"{what}; the threshold {was} {percent(reason.threshold)}"


def _part(reason: TripReason) -> str:
    if reason.observed >= 100:
        return "the only call" if reason.calls == 1 else f"all {counted(reason.calls, 'call')}"
    return f"{share(reason.observed, reason.threshold)} of {counted(reason.calls, 'call')}"


def _were(reason: TripReason) -> str:
    return "was" if reason.calls == 1 else "were"


def _bound(ruleset: Ruleset | None) -> str:
    settings = None if ruleset is None else ruleset.circuit
    if settings is None or settings.slow_call_ms is None:
        return ""
    return f" (over {exact_span(settings.slow_call_ms)})"
