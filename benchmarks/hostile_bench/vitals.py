"""What a process uses, read from /proc: processor time, resident memory, descriptors, and tracebacks in its log."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Vitals:
    """A look at a process. Memory in bytes."""

    processor_s: float
    memory: int
    peak_memory: int
    descriptors: int
    tracebacks: int


def forget_peak(pid: int) -> None:
    """Reset the peak of the resident memory (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def look(pid: int, log: Path) -> Vitals:
    """Look at a process that lives."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    now, peak = (int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    tracebacks = log.read_bytes().count(b"Traceback (most recent call last)") if log.exists() else 0
    return Vitals((int(fields[11]) + int(fields[12])) / _TICKS_PER_S, now, peak, descriptors, tracebacks)
