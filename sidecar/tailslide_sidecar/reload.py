"""Reading the route file again while the sidecar runs: what of it may change, and what needs a restart.

When it is read is `followed_file`'s; what a file says is `config_file`'s to judge; what new routes mean for running
calls is the proxy's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import structlog

from tailslide_sidecar.followed_file import FollowedFile
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


class RouteReloader(FollowedFile[Settings]):
    """Keeps the proxy at what the file says. `loaded` does not count the start."""

    def __init__(
        self,
        settings: Settings,
        apply: Callable[[Changeable], None],
        *,
        now_s: Callable[[], float] = time.time,
        poll_s: float = POLL_S,
    ) -> None:
        """`apply` is called with all that may change when any of it has. Without a file in `settings`, it never is."""
        super().__init__(settings.config_path, settings.config_stamp, now_s=now_s, poll_s=poll_s)
        self._running = settings
        self._apply = apply
        self.current = Changeable(settings.routes, settings.forward_allow, settings.proxy)

    async def run(self) -> None:
        """Look at the file until cancelled."""
        if self._running.config_path is None:
            await self._say_that_there_is_none()
        await super().run()

    def _read(self) -> Settings:
        return load_again(self._running)

    def _log_refusal(self, problem: str, *, unexpected: bool) -> None:
        if unexpected:
            log.exception("configuration_failed", message=_REFUSED, problem=problem)
        else:
            log.error("configuration_refused", message=_REFUSED, problem=problem)

    def _take(self, content: Settings) -> None:
        ignored = needing_restart(self._running, content)
        if ignored:
            log.warning(
                "configuration_needs_restart",
                message="configuration needs a restart for some of its changes",
                fields=ignored,
            )
        wanted = Changeable(
            content.routes, content.forward_allow, replace(content.proxy, limits=self._running.proxy.limits)
        )
        if wanted != self.current:
            self._apply(wanted)
            self.current = wanted
        log.info("configuration_reloaded", file=str(content.config_path), routes=len(wanted.routes))

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
