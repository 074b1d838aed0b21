"""Whether a flag's last change has reached the sidecars, in words."""

from collections.abc import Sequence

from tailslide_core.sentences.facts import Arrival, Missing, MissingSidecar
from tailslide_core.sentences.numbers import counted, sentence_case
from tailslide_core.sentences.phrases import Age, Part, Sentence
from tailslide_core.sentences.quoted import name_or, named

RECENT_MS = 60_000
"""A change that has arrived everywhere is spoken of for so long."""
PATIENCE_MS = 5_000
"""Sidecars that are behind are named when the change is older than this: until then it is on its way."""
MOST_NAMES = 2


def arrival_in_words(arrival: Arrival, now_ms: int) -> list[Sentence]:
    """Say how far the change has come; nothing when it has been everywhere for a while."""
    changed_ms = arrival.changed_ms
    recent = changed_ms is not None and now_ms - changed_ms <= RECENT_MS
    if arrival.published and arrival.of > 0 and not arrival.missing and not recent:
        return []
    if arrival.published and arrival.of == 0:
        return [Sentence.of("No sidecar of this app has been heard from.")]
    said = _how_far(arrival)
    if changed_ms is not None and (recent or arrival.on_its_way):
        return [Sentence.of("Settings changed ", Age(changed_ms), " ago; ", said, *_missing(arrival, now_ms), ".")]
    return [Sentence.of(sentence_case(said), *_missing(arrival, now_ms), ".")]


def _how_far(arrival: Arrival) -> str:
    if arrival.published:
        return f"arrived in {arrival.arrived:,} of {counted(arrival.of, 'sidecar')}"
    problem = "" if arrival.problem is None else named(arrival.problem, 200).rstrip(". ")
    why = f": {problem}" if problem else ""
    return f"whether it is published is not known{why}" if arrival.published is None else f"not yet published{why}"


def _missing(arrival: Arrival, now_ms: int) -> tuple[Part, ...]:
    if not arrival.published:
        return ()
    parts: list[Part] = []
    late = arrival.changed_ms is None or now_ms - arrival.changed_ms > PATIENCE_MS
    for why in Missing:
        those = [sidecar for sidecar in arrival.missing if sidecar.why is why]
        if not those or (why is Missing.BEHIND and not late):
            continue
        parts += ["; ", _names(those), *_what(why, those)]
    return tuple(parts)


def _names(sidecars: Sequence[MissingSidecar]) -> str:
    names = [name_or(sidecar.instance, "one") for sidecar in sidecars]
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[:MOST_NAMES])} and {counted(len(names) - MOST_NAMES, 'other')}"
    return " and ".join(names)


def _what(why: Missing, sidecars: Sequence[MissingSidecar]) -> tuple[Part, ...]:
    one = len(sidecars) == 1
    match why:
        case Missing.SILENT:
            # Of several, the one that was heard from last: all of them have been silent for at least as long.
            since = Age(max(sidecar.heard_ms for sidecar in sidecars))
            return (f" {'has' if one else 'have'} not been heard from for ", since)
        case Missing.REFUSED:
            return (f" cannot read it and {'answers' if one else 'answer'} from before it",)
        case Missing.BEHIND:
            return (f" still {'answers' if one else 'answer'} from before it",)
