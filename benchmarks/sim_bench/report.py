"""What the simulation found, as the page `docs/circuit/simulation.md`."""

import re
from dataclasses import asdict

from sim_bench.detection import FIVE_IN_A_ROW, LAST_100, Found
from sim_bench.false_trips import FalseTrips
from sim_bench.result import Result, aims, number, per_s, told
from sim_bench.settings import DEFAULT, Bound, best

_HEAD = """# How fast a circuit trips, and how often wrongly

Written by `benchmarks/circuit_sim.py`; do not edit. The core's own judgement on simulated traffic: calls that arrive by
chance (a Poisson process) and fail independently of each other, a look every 250 ms. Real failures come in bursts, so
real false trips are more than these. Seeded; {runs} runs for each distribution of times. What follows from this for the
choice of settings is in [settings.md](settings.md).

**ours** is what the core decides with its defaults: `confidence` {confidence:.9g}, `min_calls` {min_calls},
`window_ms` {window_ms:,}, `long_window_ms` {long_window_ms:,}.

![Time to trip and false trips, by volume](simulation.svg)

On the same traffic, for comparison:

- **Wilson alone**: Wilson's lower bound of the error rate is over the threshold, over the same windows. That is half of
  our rule; the other is that so many failures would be next to impossible at half the threshold, and where all calls
  failed that is enough (`docs/decisions/0010`).
- **fixed ratio**: the failures of the last 10 s are at least the threshold, of at least 20 calls.
- **5 in a row**: five consecutive failures. Envoy's `consecutive_5xx` of one host counts just so, and to five as well.
- **100 calls**: resilience4j's count window, the threshold or more of the last 100 calls, judged from the 100th on.

The ratios are set to the threshold of the row (at 50 % these are their makers' defaults): at 50 % they would find
nothing where the threshold is 5 %. Rules that count calls do so in one process that sees all of them; spread over ten
sidecars each sees a tenth.
"""

_FALSE = """## False trips a day

True error rates below the threshold; without any failures there are none. With the 95 % interval of the estimate, where
it has one. A trip that follows within the longest window that matters belongs to the same bad luck and is counted once.
All calls are let in at all times here; a circuit that would trip a thousand times a day is in truth hardly ever closed.
These are not counted by waiting but weighed by their probability: `sim_bench/false_trips.py` says how.
"""

_CHECK = """### Checked against counting

The same, counted on plain traffic where that takes no years; and what the aims ask for, at the highest volume.
"""

_TIME = """## Time to trip

From the first moment of the true rate, after healthy traffic for longer than any window looks back, without the way
of the data (about 0.2 s): half of the runs, 90 %, 99 %. In brackets the share that trips within an hour, where it is
not all; "-" where fewer tripped. At the threshold itself no trip is wanted, nor is one wrong. Rules that look at
windows look every 250 ms, hence no less than that.
"""

_SETTINGS = """## Which settings meet the aims

False trips at half the threshold and at the worst volume, searched from one call a minute to 9,400 a second. Dead: all
calls fail. At one a minute the calls come exactly a minute apart, which is harder than by chance: a window never holds
more than its length. "All aims" takes the median where calls come by chance. Two bounds are none of the core's:
"Wilson alone", and "exact alone", the exact binomial bound (Clopper-Pearson) in its place.
"""

_AT_80 = """
Far above 50 % calm and quick exclude each other. Of a feature that fails 40 % of the time, half of a threshold of 80 %,
15 calls in a row fail about once in a million calls, so one cannot be sure by then; 21 in a row are asked for.
"""

RULES = (Bound.OURS, Bound.WILSON, "fixed ratio", FIVE_IN_A_ROW, LAST_100)


def page(result: Result) -> str:
    """Return the page of the documentation."""
    defaults = asdict(DEFAULT)
    parts = [_HEAD.format(runs=result.runs, **defaults), "## The aims, with the defaults\n", *_aims_table(result)]
    if max(result.thresholds) > 50:
        parts.append(_AT_80)
    parts += ["", _FALSE, *_false_table(result), "", _CHECK, *_check_table(result), "", _TIME]
    for threshold in result.thresholds:
        parts += [f"### Threshold {threshold:g} %\n", *_time_table(result, threshold), ""]
    parts += [_SETTINGS, *_settings_table(result), ""]
    parts += [_best_line(result, threshold) for threshold in result.thresholds]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def _aims_table(result: Result) -> list[str]:
    lines = ["| threshold | aim | seen | |", "|---|---|---|---|"]
    lines += [
        f"| {aim.threshold:g} % | {aim.asked} | {aim.seen} | {'met' if aim.met else 'MISSED'} |" for aim in aims(result)
    ]
    return lines


def _false_table(result: Result) -> list[str]:
    lines = [f"| threshold | true rate | calls | {' | '.join(RULES)} |", "|---|---|---|" + "---|" * len(RULES)]
    for case, each in result.false_trips.items():
        cells = " | ".join(_interval(each[name]) for name in RULES)
        lines.append(f"| {case.threshold:g} % | {100 * case.error_rate:g} % | {per_s(case.calls_per_s)} | {cells} |")
    return lines


def _check_table(result: Result) -> list[str]:
    lines = [
        "| rule | threshold | true rate | calls | estimated | counted | in calls |",
        "|---|---|---|---|---|---|---|",
    ]
    for check in (*result.checks, *result.busy):
        case = check.case
        where = f"| {check.bound} | {case.threshold:g} % | {100 * case.error_rate:g} % | {per_s(case.calls_per_s)} |"
        lines.append(f"{where} {_interval(check.estimated)} | {_interval(check.counted)} | {check.calls:,.0f} |")
    return lines


def _time_table(result: Result, threshold: float) -> list[str]:
    lines = [f"| true rate | calls | {' | '.join(RULES)} |", "|---|---|" + "---|" * len(RULES)]
    for case, each in result.found.items():
        if case.threshold == threshold:
            cells = " | ".join(_quantiles(each[name]) for name in RULES)
            lines.append(f"| {100 * case.error_rate:g} % | {per_s(case.calls_per_s)} | {cells} |")
    return lines


def _settings_table(result: Result) -> list[str]:
    lines = [
        "| threshold | rule | confidence | `min_calls` | `window_ms` s | `long_window_ms` s"
        " | false trips in 30 days | worst at | dead at 100/s: half, 99 % | dead at 1/s: half, 99 %"
        " | a second apart | dead at 1/min | all aims |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for verdict in result.verdicts:
        steady, minutely = (
            "never" if calls is None else f"{calls} calls"
            for calls in (verdict.steady_calls_at_1, verdict.steady_calls_at_1_a_minute)
        )
        worst = per_s(verdict.worst_per_s) if verdict.false_trips else "-"
        lines.append(
            f"| {verdict.threshold:g} % | {verdict.chosen} | {number(verdict.false_trips)} | {worst}"
            f" | {', '.join(told(value, 's') for value in verdict.seconds_at_100)}"
            f" | {', '.join(told(value, 'calls') for value in verdict.calls_at_1)}"
            f" | {steady} | {minutely} | {'met' if verdict.meets else ''} |"
        )
    return lines


def _best_line(result: Result, threshold: float) -> str:
    of_threshold = [verdict for verdict in result.verdicts if verdict.threshold == threshold]
    bounds = [bound for bound in Bound if any(verdict.chosen.bound is bound for verdict in of_threshold)]
    found = [best([verdict for verdict in of_threshold if verdict.chosen.bound is bound]) for bound in bounds]
    named = (
        f"{bound}: none of these" if verdict is None else str(verdict.chosen).replace(" | ", ", ")
        for bound, verdict in zip(bounds, found, strict=True)
    )
    return f"- Threshold {threshold:g} %, quickest that meets all aims: {'; '.join(named)}."


def _interval(value: FalseTrips) -> str:
    if value.high == 0:
        return "0"
    if value.high < 1e-4:
        return "< 0.0001"
    if value.per_day == 0:
        return f"< {number(value.high)}"
    low, high = number(value.low), number(value.high)
    return number(value.per_day) if low == high else f"{number(value.per_day)} ({low} to {high})"


def _quantiles(found: Found) -> str:
    if not found.seconds:
        return "none"
    times = ", ".join("-" if value is None else seconds(value) for value in map(found.after_s, (50, 90, 99)))
    return times if found.share == 1 else f"{times} ({100 * found.share:.0f} %)"


def seconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.0f} ms" if value >= 0.001 else "< 1 ms"
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"
