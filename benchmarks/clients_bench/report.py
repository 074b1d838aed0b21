"""The tables, one row for each language, as Markdown that can be read as it is; the ratios; what was not held."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clients_bench.crowds import LEFT, Crowd, Fork
from clients_bench.overhead import Overhead
from clients_bench.troubles import DEADLINE_MS, NEAR_MS, Stage, Trouble


@dataclass
class Result:
    """All that was measured; `skipped` are sentences, one for each language that is not installed."""

    stages: list[Stage] = field(default_factory=list)
    crowds: list[Crowd] = field(default_factory=list)
    forks: list[Fork] = field(default_factory=list)
    overheads: list[Overhead] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What drivers did instead of going on."""

    @property
    def fails(self) -> bool:
        """Whether a call raised or got another's answer, or a driver did not go on; no machine is too busy for that."""
        raised = sum(one.raised for part in (self.stages, self.crowds, self.forks) for one in part)
        return bool(raised or sum(one.mixed for part in (self.crowds, self.forks) for one in part) or self.broken)

    def rows(self) -> list[dict[str, object]]:
        """Return all of it as JSON."""
        parts = (self.stages, self.crowds, self.forks, self.overheads)
        return [one.as_json() for part in parts for one in part]

    def ratios(self) -> dict[str, float]:
        """Return the overheads, and the worst of each language's troubles."""
        found = {
            f"{one.language}_{name}_vs_bare": value for one in self.overheads for name, value in one.ratios().items()
        }
        for language, stages in _by_language(self.stages).items():
            found[f"{language}_near_percent"] = round(min(stage.near_percent for stage in stages), 2)
            found[f"{language}_slowest_vs_deadline"] = round(max(one.slowest_ms for one in stages) / DEADLINE_MS, 2)
        return found

    def not_held(self) -> list[str]:
        """Return in words each bound that was not held."""
        found = self.broken + [
            f"{stage.language}, {stage.trouble}: {bound.found}{', so the machine' if bound.machine_too else ''}"
            for stage in self.stages
            for bound in stage.missed()
        ]
        for crowd in self.crowds:
            left = crowd.left if crowd.left > LEFT else 0
            for what, count in (("raised", crowd.raised), ("mixed", crowd.mixed), ("left", left)):
                found += [f"{crowd.language}, crowd: {count} {what}"] if count else []
            if crowd.unanswered:
                why = ", ".join(f"{count} {error}" for error, count in crowd.errors.items())
                found.append(f"{crowd.language}, crowd: {crowd.unanswered} not answered ({why})")
        for fork in self.forks:
            wrong = fork.raised, fork.mixed, fork.defaults, fork.calls - fork.sent, fork.calls - fork.arrived
            found += [f"{fork.language}, fork: {fork.as_json()}"] if any(wrong) else []
        return found


def text(result: Result) -> str:
    """Return the tables, what was skipped, and as the last line what was not held."""
    near = f"within {DEADLINE_MS + NEAR_MS:.0f} ms"
    parts = []
    if result.stages:
        headings = ["troubles", "calls", "defaults", "raised", near, "slowest ms", "calm ms", f"timers {near}"]
        headings += ["timers latest ms", "first answer ms", "last default ms", "strays", "bounds"]
        parts.append(_table(headings, [_troubles(*one) for one in _by_language(result.stages).items()]))
    if result.crowds:
        headings = ["crowds", "workers", "calls", "raised", "mixed", "not answered", "p99 ms", "late answers"]
        parts.append(_table([*headings, "slowest ms", "left"], [_crowd(one) for one in result.crowds]))
    if result.forks:
        headings = ["forks", "calls", "raised", "mixed", "defaults", "outcomes sent", "arrived"]
        parts.append(_table(headings, [_fork(one) for one in result.forks]))
    if result.overheads:
        headings = ["overheads", "bare p50 us", "p99", "question p50 us", "p99", "outcome p50 us", "p99"]
        headings += ["question / bare p50", "p99", "outcome / bare p50", "p99"]
        parts.append(_table(headings, [_overhead(one) for one in result.overheads]))
    parts += ["\n".join(result.skipped)] if result.skipped else []
    not_held = result.not_held()
    parts.append(f"Not held: {'; '.join(not_held)}." if not_held else "All bounds were held.")
    return "\n\n".join(parts)


def _by_language(stages: Sequence[Stage]) -> dict[str, list[Stage]]:
    found: dict[str, list[Stage]] = {}
    for stage in stages:
        found.setdefault(stage.language, []).append(stage)
    return found


def _troubles(language: str, stages: Sequence[Stage]) -> list[str]:
    calm = [stage for stage in stages if stage.trouble is Trouble.CALM]
    hurt = [stage for stage in stages if stage.trouble is not Trouble.CALM]
    missed = sorted({bound.name for stage in stages for bound in stage.missed()})
    return [
        language,
        str(sum(stage.calls for stage in hurt)),
        str(sum(stage.defaults for stage in hurt)),
        str(sum(stage.raised for stage in stages)),
        f"{min(stage.near_percent for stage in hurt):.2f}%",
        _each(stage.slowest_ms for stage in hurt),
        _each(stage.slowest_ms for stage in calm),
        f"{min(stage.timers_near_percent for stage in stages):.2f}%",
        _each(stage.timers_latest_ms for stage in hurt),
        _each(stage.answer_ms for stage in hurt),
        _each(stage.settled_ms for stage in hurt),
        str(sum(stage.strays for stage in hurt)),
        f"not held: {', '.join(missed)}" if missed else "held",
    ]


def _each(values: Iterable[float | None]) -> str:
    """Return a value for each trouble, in their order."""
    return " / ".join("-" if value is None else f"{value:.0f}" for value in values)


def _crowd(one: Crowd) -> list[str]:
    numbers = [one.workers, one.calls, one.raised, one.mixed, one.unanswered]
    return [
        one.language,
        *map(str, numbers),
        f"{one.p99_ms:.0f}",
        f"{one.late_percent:.1f}%",
        f"{one.slowest_hurried_ms:.0f}",
        str(one.left),
    ]


def _fork(one: Fork) -> list[str]:
    return [one.language, *map(str, (one.calls, one.raised, one.mixed, one.defaults, one.sent, one.arrived))]


def _overhead(one: Overhead) -> list[str]:
    times = [time for each in (one.bare, one.ask, one.outcome) for time in (each.p50_us, each.p99_us)]
    return [one.language, *map(_us, times), *map(str, one.ratios().values())]


def _us(time: float) -> str:
    return f"{time:.0f}" if time >= 10 else f"{time:.1f}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in (headings, *rows)) for place in range(len(headings))]
    lines = []
    for row in (headings, ["-" * width for width in widths], *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
