"""The sidecar as a process: settings in, exit status out."""

import os
import sys
from functools import partial
from pathlib import Path

from tailslide_runtime import logs, process
from tailslide_runtime.errors import StartError
from tailslide_sidecar import app
from tailslide_sidecar.settings import load_config


def main(config_path: Path | None) -> int:
    """Run a sidecar until SIGTERM or SIGINT; return 0, or 1 after a sentence on standard error."""
    try:
        settings = load_config(config_path, os.environ)
    except StartError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 # for the person at the terminal, not for the log
        return 1
    logs.configure("sidecar", settings.log_level, settings.log_format)
    return process.run(partial(app.run, settings))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
