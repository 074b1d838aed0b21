"""Reading the route file again while the sidecar runs: when told to, and when the file has changed.

All of it is taken or nothing. What a file says is `config_file`'s to judge; what new routes mean for running calls is
the proxy's.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import structlog

from tailslide_core.fields import shown
from tailslide_runtime.errors import StartError
from tailslide_sidecar.file_changes import FileChanges
from tailslide_sidecar.proxy.limits import ProxyLimits, ProxyOptions
from tailslide_sidecar.proxy.routes import ForwardHost, Route
from tailslide_sidecar.settings import Settings, load_again

log = structlog.get_logger()

POLL_S = 1.0
"""How often the file is looked at. A change is read once it has stood still for as long."""

_REFUSED = "configuration refused, the old one stays"
_FIELDS = {
    "nats_url": "nats.url",
    "redis_url": "redis.url",
    "drain_grace_ms": "drain.grace_ms",
    "traces_url": "traces.url",
    "traces_sample_percent": "traces.sample_percent",
    "traces_max_calls_per_s": "traces.max_calls_per_s",
}
"""Settings that are called otherwise in the file."""
_TAKEN = frozenset({"routes", "forward_allow", "proxy", "config_path", "config_stamp", "environment", "flags"})


@dataclass(frozen=True, slots=True)
class Changeable:
    """The settings that may change while the sidecar runs."""

    routes: tuple[Route, ...]
    forward_allow: tuple[ForwardHost, ...]
    proxy: ProxyOptions
    """With the limits of the start."""


class RouteReloader:
    """Keeps the proxy at what the file says. Its state is for status and metrics.

    `failed` counts the times that the file could not be taken, `loaded` those that it was; `last_error` is the sentence
    that says why the file as it is cannot be taken, None when it has been; `loaded_at` is when it was last taken, the
    start included, in seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        apply: Callable[[Changeable], None],
        *,
        now_s: Callable[[], float] = time.time,
        poll_s: float = POLL_S,
    ) -> None:
        """`apply` is called with all that may change when any of it has. Without a file in `settings`, it never is."""
        self._running = settings
        self._apply = apply
        self._now_s = now_s
        self._poll_s = poll_s
        self.current = Changeable(settings.routes, settings.forward_allow, settings.proxy)
        self._told = asyncio.Event()
        self._changes = (
            None if settings.config_path is None else FileChanges(settings.config_path, settings.config_stamp)
        )
        self.loaded = 0
        self.failed = 0
        self.last_error: str | None = None
        self.loaded_at = now_s()

    def reload(self) -> None:
        """Have the file read soon, changed or not; for a signal's handler."""
        self._told.set()

    async def run(self) -> None:
        """Look at the file until cancelled."""
        if self._running.config_path is None:
            await self._say_that_there_is_none()
        while True:
            told = await self._wait()
            await (self.read() if told else self.look())

    async def look(self) -> None:
        """Read the file if it has changed and stands still."""
        assert self._changes is not None
        if self._changes.look():
            await self.read()

    async def read(self) -> None:
        """Read the file, and take it whole or not at all."""
        assert self._changes is not None
        self._changes.reading()
        try:
            # In a thread: a file of a thousand routes takes longer than a call may wait.
            settings = await asyncio.to_thread(load_again, self._running)
        except StartError as error:
            self._refuse(str(error))
        except Exception as error:  # what no reader foresaw in a file must not end the process
            path = self._running.config_path
            problem = f"{path}: could not be read ({type(error).__name__}: {shown(str(error), 200)})"
            log.exception("configuration_failed", message=_REFUSED, problem=problem)
            self._keep(problem)
        else:
            self._take(settings)

    def _refuse(self, problem: str) -> None:
        log.error("configuration_refused", message=_REFUSED, problem=problem)
        self._keep(problem)

    def _keep(self, problem: str) -> None:
        """Note why everything stays as it is."""
        self.failed += 1
        self.last_error = problem

    def _take(self, settings: Settings) -> None:
        self.loaded += 1
        self.last_error = None
        self.loaded_at = self._now_s()
        ignored = needing_restart(self._running, settings)
        if ignored:
            log.warning(
                "configuration_needs_restart",
                message="configuration needs a restart for some of its changes",
                fields=ignored,
            )
        wanted = Changeable(
            settings.routes, settings.forward_allow, replace(settings.proxy, limits=self._running.proxy.limits)
        )
        if wanted != self.current:
            self._apply(wanted)
            self.current = wanted
        log.info("configuration_reloaded", file=str(settings.config_path), routes=len(wanted.routes))

    async def _wait(self) -> bool:
        """Wait until told to read, or for the next look; return whether told."""
        try:
            async with asyncio.timeout(self._poll_s):
                await self._told.wait()
        except TimeoutError:
            return False
        self._told.clear()
        return True

    async def _say_that_there_is_none(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            log.warning("nothing_to_reload", message="nothing to reload, since the sidecar was started without a file")


def needing_restart(running: Settings, settings: Settings) -> list[str]:
    """Return the fields of the file that differ and are only read at the start."""
    names = [field.name for field in fields(Settings) if field.name not in _TAKEN]
    differing = [_FIELDS.get(name, name) for name in names if getattr(running, name) != getattr(settings, name)]
    old, new = running.proxy.limits, settings.proxy.limits
    limits = [field.name for field in fields(ProxyLimits) if getattr(old, field.name) != getattr(new, field.name)]
    return differing + [f"limits.{name}" for name in limits]
