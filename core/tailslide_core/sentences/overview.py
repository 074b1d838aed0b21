"""How all flags are doing, in one sentence: what is open, or when something last was."""

from dataclasses import dataclass

from tailslide_core.naming import FlagId
from tailslide_core.sentences.numbers import rough_span, sentence_case
from tailslide_core.sentences.phrases import Age, Sentence


@dataclass(frozen=True, slots=True)
class LastTrip:
    """The last time that any circuit opened. `closed_ms` is None where it is not known when it closed again."""

    flag_id: FlagId
    at_ms: int
    closed_ms: int | None = None


def overview_in_words(*, is_open: int, recovering: int, held_off: int, last: LastTrip | None) -> Sentence:
    """Say how many circuits are open, recovering, and held open by a person; with none of them, which tripped last."""
    said = [
        _counted(is_open, "circuit is open", "circuits are open"),
        _counted(recovering, "circuit is recovering", "circuits are recovering"),
        _counted(held_off, "flag is held off by a person", "flags are held off by a person"),
    ]
    told = [each for each in said if each]
    if told:
        return Sentence.of(f"{sentence_case(_joined(told))}.")
    if last is None:
        return Sentence.of("Nothing is open. No circuit has opened as far back as the log goes.")
    lasted = "" if last.closed_ms is None else f", for {rough_span(max(0, last.closed_ms - last.at_ms))}"
    return Sentence.of("Nothing is open. The last trip was ", Age(last.at_ms), f" ago: {last.flag_id}{lasted}.")


def _counted(number: int, one: str, many: str) -> str:
    return "" if number == 0 else f"{number:,} {one if number == 1 else many}"


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
