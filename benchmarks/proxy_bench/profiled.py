"""Where the time of the sidecar's own code goes under a load: a real sidecar under cProfile, from a signal on.

cProfile's own cost falls on every call, so that shares tell more than times; what the kernel and uvloop take is that of
the loop's `run`. What a call costs without it is in the table. As a script: `profiled.py <file> <arguments of tailslide
…>`; SIGUSR1 begins, the end of the process writes the file.
"""

import cProfile
import pstats
import runpy
import signal
import sys
from pathlib import Path

BEGIN = signal.SIGUSR1
_TOP = 45


def show(file: Path) -> None:
    """Print the functions that took most of the time themselves."""
    pstats.Stats(str(file)).strip_dirs().sort_stats("tottime").print_stats(_TOP)


def main(file: Path, arguments: list[str]) -> None:
    """Run the `tailslide` command; raises SystemExit as it does."""
    profiler = cProfile.Profile()
    signal.signal(BEGIN, lambda *_: profiler.enable())
    sys.argv[1:] = arguments
    try:
        runpy.run_module("tailslide_embedded", run_name="__main__", alter_sys=True)
    finally:
        profiler.disable()
        profiler.dump_stats(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
