"""The process `tailslide aerobat`: settings, logs, then the loop until a signal."""

import sys
from functools import partial

from tailslide_aerobat import app
from tailslide_aerobat.settings import AerobatSettings
from tailslide_runtime import process
from tailslide_runtime.settings import load


def main() -> int:
    """Run Aerobat as the environment says, until SIGINT or SIGTERM; return the exit status."""
    return process.start("aerobat", partial(load, AerobatSettings), app.run)


if __name__ == "__main__":
    sys.exit(main())
