"""Sentences as typed parts: words, moments and ages, so that a page can count the seconds and use the reader's clock.

`Sentence.text` writes one out; `Sentence.json` hands the parts on.
"""

from dataclasses import dataclass

from tailslide_core.contracts import Json
from tailslide_core.sentences.numbers import rough_span
from tailslide_core.times import civil_from_days, days_from_civil

_DAY_MS = 86_400_000
_EPOCH_DAYS = days_from_civil(1970, 1, 1)
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""


@dataclass(frozen=True, slots=True)
class Zone:
    """How moments are written: minutes east of UTC, and the name that stands behind the time; it may be empty."""

    offset_min: int = 0
    name: str = "UTC"


UTC = Zone()


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of day; the date is written, too, where it is not today's. Unix milliseconds."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago something was, without a word around it: `12 s`. Unix milliseconds."""

    since_ms: int


@dataclass(frozen=True, slots=True)
class Countdown:
    """How long it is until something happens, without a word around it: `3 s`. Unix milliseconds."""

    until_ms: int


Part = str | Moment | Age | Countdown


@dataclass(frozen=True, slots=True)
class Sentence:
    """One or more sentences that belong together."""

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, *parts: "Part | Sentence") -> "Sentence":
        """Put parts and other sentences together, with nothing between them."""
        joined: list[Part] = []
        for part in parts:
            for each in part.parts if isinstance(part, Sentence) else (part,):
                if isinstance(each, str) and joined and isinstance(joined[-1], str):
                    joined[-1] += each
                elif each != "":
                    joined.append(each)
        return cls(tuple(joined))

    def text(self, now_ms: int, zone: Zone = UTC) -> str:
        """Write it out as of `now_ms`."""
        return "".join(_written(part, now_ms, zone) for part in self.parts)

    def as_of(self, now_ms: int) -> "Sentence":
        """Return it with ages and countdowns that stand still, as they were at `now_ms`."""
        frozen = (_written(part, now_ms, UTC) if isinstance(part, Age | Countdown) else part for part in self.parts)
        return Sentence.of(*frozen)

    def json(self) -> list[Json]:
        """Return the parts: each has one of `text`, `moment`, `age` (since) and `countdown` (until)."""
        return [_json(part) for part in self.parts]


def written(sentences: "tuple[Sentence, ...]", now_ms: int, zone: Zone = UTC) -> str:
    """Write sentences out, one after another."""
    return " ".join(sentence.text(now_ms, zone) for sentence in sentences)


def _written(part: Part, now_ms: int, zone: Zone) -> str:
    match part:
        case Moment(at_ms):
            return _time_of_day(at_ms, now_ms, zone)
        case Age(since_ms):
            return rough_span(now_ms - since_ms)
        case Countdown(until_ms):
            return rough_span(until_ms - now_ms, up=True)
        case _:
            return part


def _json(part: Part) -> Json:
    match part:
        case Moment(at_ms):
            return {"moment": at_ms}
        case Age(since_ms):
            return {"age": since_ms}
        case Countdown(until_ms):
            return {"countdown": until_ms}
        case _:
            return {"text": part}


def _time_of_day(at_ms: int, now_ms: int, zone: Zone) -> str:
    offset_ms = zone.offset_min * 60_000
    # Times come from other processes; what no calendar has a date for is written as the last day that one has.
    day, of_day_ms = divmod(min(max(at_ms + offset_ms, 0), _LAST_MS), _DAY_MS)
    hours, minutes, seconds = of_day_ms // 3_600_000, of_day_ms // 60_000 % 60, of_day_ms // 1000 % 60
    text = f"{hours:02}:{minutes:02}:{seconds:02}"
    if day != (now_ms + offset_ms) // _DAY_MS:
        date = civil_from_days(day + _EPOCH_DAYS)
        text = f"{date.year:04}-{date.month:02}-{date.day:02} {text}"
    return f"{text} {zone.name}" if zone.name else text
