"""The process `tailslide aerobat`: settings, logs, then the loop until a signal."""

import sys
from functools import partial

from tailslide_aerobat import app
from tailslide_aerobat.settings import AerobatSettings
from tailslide_runtime import logs, process
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import load


def main() -> int:
    """Run Aerobat as the environment says, until SIGINT or SIGTERM; return the exit status."""
    try:
        settings = load(AerobatSettings)
    except StartError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 # for the person at the terminal, not for the log
        return 1
    logs.configure("aerobat", settings.log_level, settings.log_format)
    return process.run(partial(app.run, settings))


if __name__ == "__main__":
    sys.exit(main())
