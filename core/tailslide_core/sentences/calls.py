"""How the calls of a feature go, in words: beside the thresholds at which its circuit opens."""

from collections.abc import Sequence

from tailslide_core.ruleset import CircuitSettings
from tailslide_core.sentences.facts import FlagFacts
from tailslide_core.sentences.numbers import counted, exact_span, percent, sentence_case, share
from tailslide_core.sentences.phrases import Sentence
from tailslide_core.windows import WindowCounts

_UNREADABLE = "How its calls go is not known: the time series cannot be read."


def calls_in_words(facts: FlagFacts) -> list[Sentence]:
    """Say how the calls went in the shortest window that has any; nothing where nobody has asked for counts."""
    settings = facts.ruleset.circuit
    if not facts.counts_readable:
        return [Sentence.of(_UNREADABLE)]
    if not facts.counts:
        return []
    window = _telling(facts.counts)
    span = exact_span(window.window_ms)
    if window.calls == 0:
        return [Sentence.of(f"No calls in the last {span}.")]
    said = f"{_failed(window)} in the last {span}"
    if settings is None:
        return [Sentence.of(f"{said}; it has no circuit.")]
    said += f"; it opens at {percent(settings.error_threshold)}"
    if settings.slow_threshold is None:
        return [Sentence.of(f"{said}.")]
    return [Sentence.of(f"{said}."), Sentence.of(f"{_slow(window)}; it opens at {percent(settings.slow_threshold)}.")]


def calls_in_step(facts: FlagFacts, settings: CircuitSettings) -> list[Sentence]:
    """Say how the calls of the present recovery step go."""
    if not facts.counts_readable:
        return [Sentence.of(_UNREADABLE)]
    step = facts.step_counts
    if step is None:
        return []
    if step.calls == 0:
        return [Sentence.of("No calls in this step yet.")]
    opens = f"it opens again at {percent(settings.error_threshold)}"
    failed = "No call has failed" if step.failures <= 0 else _failed(step)
    said = [Sentence.of(f"{failed} in this step; {opens}.")]
    if settings.slow_threshold is not None and step.slow > 0:
        said.append(Sentence.of(f"{_slow(step)}; it opens again at {percent(settings.slow_threshold)}."))
    return said


def _telling(counts: Sequence[WindowCounts]) -> WindowCounts:
    return next((window for window in counts if window.calls > 0), counts[-1])


def _failed(window: WindowCounts) -> str:
    if window.calls == 1:
        return f"The only call {'failed' if window.failures > 0 else 'went well'}"
    return f"{_part(window.failures, window.calls)} failed"


def _slow(window: WindowCounts) -> str:
    if window.calls == 1:
        return f"It was {'slow' if window.slow > 0 else 'not slow'}"
    return f"{_part(window.slow, window.calls)} were slow"


def _part(hits: int, calls: int) -> str:
    if hits <= 0:
        return f"None of {counted(calls, 'call')}"
    if hits >= calls:  # a failure may be counted a moment before its call
        return f"All {counted(calls, 'call')}"
    return f"{sentence_case(share(100 * hits / calls))} of {counted(calls, 'call')}"
