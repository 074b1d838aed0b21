"""The tables of what was measured: for a terminal, and as Markdown."""

from collections.abc import Sequence

from hostile_bench.malformed import PLACES, Case
from hostile_bench.measure import Row

QUICK = frozenset(
    {
        "gzip bomb, each of several routes",
        "520,000 items, all flags",
        "1,100 connections that send nothing",
        "256 stream listeners leave by FIN",
        "foreign page: rebound name reads",
        "one report of 1,000 failures",
        "2 MB pipelined behind a slow call",
    }
)
"""One of each kind."""

_HEADINGS = ("attack", "listener", "slowest call", "failed", "slowest health", "cpu s", "MiB before", "peak", "after")
_MORE = ("fds left", "tracebacks", "what came")


def _cells(row: Row) -> list[str]:
    return [
        row.attack,
        row.listener,
        f"{row.slowest_proxied_ms:.0f} ms",
        f"{row.failed_proxied} of {row.proxied}",
        f"{row.slowest_own_ms:.0f} ms" + (f" ({row.failed_own} failed)" if row.failed_own else ""),
        f"{row.processor_s:.2f}",
        f"{row.memory_before_mib:.0f}",
        f"{row.memory_peak_mib:.0f}",
        f"{row.memory_after_mib:.0f}",
        str(row.descriptors_left),
        str(row.tracebacks),
        row.told,
    ]


def _case_text(case: Case) -> str:
    if case.status is None:
        text = f"({case.end})"
    else:
        text = str(case.status) + ("" if case.shape in {"ours", "accepted"} else f" {case.shape}")
    return text + (" ECHO" if case.echoes else "") + (" TRACEBACK" if case.tracebacks else "")


def _matrix(cases: Sequence[Case]) -> list[list[str]]:
    by_case: dict[str, dict[str, str]] = {}
    for case in cases:
        by_case.setdefault(case.case, {})[case.place] = _case_text(case)
    return [[name, *(places.get(place, "") for place in PLACES)] for name, places in by_case.items()]


def markdown(rows: Sequence[Row], cases: Sequence[Case]) -> str:
    """Return the tables as Markdown."""
    parts = []
    if rows:
        parts.append(_markdown_table((*_HEADINGS, *_MORE), [_cells(row) for row in rows]))
    if cases:
        parts.append(_markdown_table(("request", *PLACES), _matrix(cases)))
    return "\n\n".join(parts)


def _markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def text(rows: Sequence[Row], cases: Sequence[Case]) -> str:
    """Return the tables for a terminal."""
    parts = []
    if rows:
        parts.append(_text_table((*_HEADINGS, *_MORE[:2]), [_cells(row) for row in rows]))
    if cases:
        parts.append(_text_table(("request", *PLACES), _matrix(cases)))
    return "\n\n".join(parts)


def _text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align the columns; what is more than there are headings for goes below its line."""
    columns = len(headings)
    widths = [max(len(line[place]) for line in (headings, *rows)) for place in range(columns)]
    lines = []
    for row in (headings, *rows):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row[:columns], widths, strict=True)).rstrip())
        lines += [f"    {cell}" for cell in row[columns:] if cell]
    return "\n".join(lines)


def ratios(rows: Sequence[Row], cases: Sequence[Case]) -> dict[str, float]:
    """Return what it comes to: the worst of everything."""
    found: dict[str, float] = {}
    if rows:
        found |= {
            "slowest_proxied_ms": max(row.slowest_proxied_ms for row in rows),
            "failed_proxied": sum(row.failed_proxied for row in rows),
            "processor_s": round(sum(row.processor_s for row in rows), 2),
            "most_memory_kept_mib": max(row.memory_after_mib - row.memory_before_mib for row in rows),
            "descriptors_left": max(row.descriptors_left for row in rows),
        }
    if cases:
        found |= {
            "malformed": len(cases),
            "malformed_not_in_our_shape": sum(case.shape not in {"ours", "accepted", "none"} for case in cases),
            "malformed_unanswered": sum(case.status is None for case in cases),
            "malformed_echoed": sum(case.echoes for case in cases),
            "malformed_with_traceback": sum(case.tracebacks > 0 for case in cases),
        }
    return {name: round(value, 2) for name, value in found.items()}
