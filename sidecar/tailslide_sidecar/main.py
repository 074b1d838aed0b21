"""The sidecar as a process: settings and inherited sockets in, exit status out."""

import os
import sys
from functools import partial
from pathlib import Path

from tailslide_runtime import process
from tailslide_runtime.process import Stop
from tailslide_runtime.service_manager import inherited_sockets
from tailslide_sidecar import app
from tailslide_sidecar.settings import Settings, load_config


def main(config_path: Path | None, flags_path: Path | None = None) -> int:
    """Run a sidecar until SIGTERM or SIGINT; return 0, or 1 after a sentence on standard error.

    `flags_path` is that of a flags file, from which it runs without any server.
    """
    return process.start("sidecar", partial(load_config, config_path, os.environ, flags_path), _run)


async def _run(settings: Settings, stop: Stop) -> None:
    await app.run(settings, stop, inherited_sockets(os.environ, app.SOCKETS))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
