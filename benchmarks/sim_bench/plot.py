"""The plot `docs/circuit/simulation.svg`: time to trip and false trips over the volume, for each threshold.

Plain SVG, written by hand: a few small panels need no plotting library. Colours follow the reader's scheme.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sim_bench.report import RULES
from sim_bench.result import Result, per_s

PANEL_WIDTH, PANEL_HEIGHT = 250, 190
LEFT, TOP, GAP_X, GAP_Y = 70, 70, 75, 70
MARKED = (1 / 60, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
NO_ROOM = 1_000.0
"""The volume whose label would run into the next."""
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .small { font-size: 10px }
  .back { fill: #ffffff } .frame { fill: none; stroke: #8c959f } .grid { stroke: #d8dee4 }
  .aim { stroke: #57606a; stroke-dasharray: 4 3 }
  .line { stroke-width: 2 }
  .rule0 { stroke: #0969da; fill: #0969da } .rule1 { stroke: #bc4c00; fill: #bc4c00 }
  .rule2 { stroke: #1a7f37; fill: #1a7f37 } .rule3 { stroke: #8250df; fill: #8250df }
  .rule4 { stroke: #cf222e; fill: #cf222e } .line { fill: none !important }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .back { fill: #0d1117 } .frame { stroke: #6e7681 } .grid { stroke: #21262d }
    .aim { stroke: #9198a1 }
    .rule0 { stroke: #58a6ff; fill: #58a6ff } .rule1 { stroke: #f0883e; fill: #f0883e }
    .rule2 { stroke: #3fb950; fill: #3fb950 } .rule3 { stroke: #bc8cff; fill: #bc8cff }
    .rule4 { stroke: #f85149; fill: #f85149 }
  }
"""


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis: powers of ten from `low` to `high`; what lies beyond is drawn at the edge."""

    low: int
    high: int

    def share(self, value: float) -> float:
        place = math.log10(max(value, 1e-300))
        return (min(max(place, self.low), self.high) - self.low) / (self.high - self.low)


VOLUME, SECONDS, TRIPS = Scale(-2, 4), Scale(-3, 4), Scale(-4, 6)
Point = tuple[float, float]


def svg(result: Result) -> str:
    """Draw the result."""
    thresholds = result.thresholds
    width = LEFT + len(thresholds) * (PANEL_WIDTH + GAP_X) - 30
    height = TOP + 2 * PANEL_HEIGHT + GAP_Y + 35
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>Time to trip and false trips, by volume</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{width}" height="{height}"/>',
        *_legend(),
    ]
    for column, threshold in enumerate(thresholds):
        left = LEFT + column * (PANEL_WIDTH + GAP_X)
        dead = [_dead(result, threshold, rule) for rule in RULES]
        false = [_false(result, threshold, rule) for rule in RULES]
        below = TOP + PANEL_HEIGHT + GAP_Y
        parts += _panel((left, TOP), f"threshold {threshold:g} %: dead, median", SECONDS, _ticks_of_time, 1.2, dead)
        parts += _panel((left, below), f"threshold {threshold:g} %: false in 30 days", TRIPS, _ticks_of_trips, 1, false)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _dead(result: Result, threshold: float, rule: str) -> list[Point]:
    medians = (
        (case.calls_per_s, each[rule].after_s(50))
        for case, each in result.found.items()
        if case.threshold == threshold and case.error_rate == 1
    )
    return [(volume, median) for volume, median in medians if median is not None]


def _false(result: Result, threshold: float, rule: str) -> list[Point]:
    return [
        (case.calls_per_s, 30 * each[rule].per_day)
        for case, each in result.false_trips.items()
        if case.threshold == threshold and case.error_rate == threshold / 200
    ]


def _legend() -> Iterable[str]:
    for number, rule in enumerate(RULES):
        x = LEFT + number * 130
        yield f'<line class="line rule{number}" x1="{x}" y1="24" x2="{x + 22}" y2="24"/>'
        yield f'<text x="{x + 28}" y="28">{rule}</text>'
    x = LEFT + len(RULES) * 130
    yield f'<line class="aim" x1="{x}" y1="24" x2="{x + 22}" y2="24"/><text x="{x + 28}" y="28">aim</text>'


def _panel(
    corner: tuple[int, int],
    title: str,
    scale: Scale,
    label: Callable[[int], str],
    aim: float,
    lines: Sequence[list[Point]],
) -> Iterable[str]:
    left, top = corner
    bottom = top + PANEL_HEIGHT

    def place(point: Point) -> Point:
        return left + VOLUME.share(point[0]) * PANEL_WIDTH, bottom - scale.share(point[1]) * PANEL_HEIGHT

    yield f'<text class="title" x="{left}" y="{top - 10}">{title}</text>'
    for power in range(scale.low, scale.high + 1):
        y = place((1, 10.0**power))[1]
        yield f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{left + PANEL_WIDTH}" y2="{y:.1f}"/>'
        if label(power):
            yield f'<text class="small" x="{left - 5}" y="{y + 3:.1f}" text-anchor="end">{label(power)}</text>'
    for volume in MARKED:
        x = place((volume, 1))[0]
        yield f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>'
        if volume != NO_ROOM:
            yield f'<text class="small" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{per_s(volume)}</text>'
    y = place((1, aim))[1]
    yield f'<line class="aim" x1="{left}" y1="{y:.1f}" x2="{left + PANEL_WIDTH}" y2="{y:.1f}"/>'
    yield f'<rect class="frame" x="{left}" y="{top}" width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}"/>'
    for number, points in reversed(list(enumerate(lines))):  # ours comes last, on top of those it coincides with
        placed = [place(point) for point in points]
        for (x1, y1), (x2, y2) in pairwise(placed):
            yield f'<line class="line rule{number}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        for x, y in placed:
            yield f'<circle class="rule{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'


def _ticks_of_time(power: int) -> str:
    return {-3: "≤ 1 ms", -2: "10 ms", -1: "0.1 s", 0: "1 s", 1: "10 s", 2: "100 s", 3: "1,000 s"}.get(power, "")


def _ticks_of_trips(power: int) -> str:
    return {-4: "≤ 0.0001", -2: "0.01", 0: "1", 2: "100", 4: "10,000", 6: "1 million"}.get(power, "")
