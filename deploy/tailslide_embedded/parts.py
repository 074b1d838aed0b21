"""Tower, Aerobat and sidecars as children: how each is started, as whom, and how one sees that it is ready.

What is in their environments is decided in `environments`.
"""

import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp

from tailslide_embedded.addresses import reachable
from tailslide_embedded.data_dir import DataDir, working_directory
from tailslide_embedded.processes import NotReadyError, ProcessSpec
from tailslide_embedded.users import RunAs, first_out_of_reach
from tailslide_runtime.settings import ListenAddress

_READY_TIMEOUT_S = 3.0


def user_of_part(data: DataDir, part: str, tell: Callable[[str], None] | None = None) -> RunAs | None:
    """Return the user of its own that a part runs as, None when it runs as we do.

    `tell` gets a sentence when that is root, because Python or Tailslide lie where other users cannot read them.
    """
    user = data.user(part)
    if user is None:
        return None
    folders = (Path(entry) for entry in sys.path if Path(entry).is_dir())
    closed = first_out_of_reach((Path(sys.executable), *folders), user)
    if closed is None:
        return user
    if tell is not None:
        tell(
            f"{part.capitalize()} runs as root: other users cannot read {closed}. "
            f"Install Tailslide where they can, below /opt for one."
        )
    return None


def tailslide_process(
    part: str,
    listen: ListenAddress,
    data: DataDir,
    env: Mapping[str, str],
    *arguments: str,
    run_as: RunAs | None = None,
) -> ProcessSpec:
    """Return `tailslide <part> [argument …]` as a child that is ready when its `/readyz` answers 200.

    `env` is its whole environment, with the setting that makes it listen on `listen`.
    """
    return ProcessSpec(
        name=part.capitalize(),
        # -P: a file of the working directory must not be taken for one of our modules.
        argv=(sys.executable, "-P", "-m", "tailslide_embedded", part, *arguments),
        env=env,
        cwd=working_directory(),
        log=data.log(part),
        run_as=run_as,
        # Who stops all of it has no balancer that a sidecar would have to wait for.
        stop_signal=signal.SIGINT if part == "sidecar" else signal.SIGTERM,
        keep_open=data.keep_open,
        address=f"http://{listen}",
        ready=lambda: _answers_ready(f"http://{reachable(listen)}/readyz"),
        start_timeout_s=60.0,
        stop_timeout_s=15.0,
    )


async def _answers_ready(url: str) -> None:
    timeout = aiohttp.ClientTimeout(total=_READY_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            status, text = response.status, await response.text()
    except (aiohttp.ClientError, OSError) as error:
        raise NotReadyError(str(error) or "no answer in time") from error
    if status != 200:
        raise NotReadyError(f"/readyz answers {status} {text[:200]}".rstrip())
