"""What `/v1/status` shows: where the sidecar listens, what it answers from, and what of its routes is amiss.

The short form of it is what the sidecar says of itself in the bucket `sidecars`.
"""

import socket
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

from tailslide_core.decisions import Decision
from tailslide_core.naming import RULESETS_BUCKET, SidecarId
from tailslide_core.presence import MAX_FLAGS, Presence
from tailslide_runtime.bucket_watch import WatchStatus
from tailslide_runtime.jetstream import LinkStatus
from tailslide_runtime.settings import ListenAddress
from tailslide_sidecar.flag_store import FlagStore
from tailslide_sidecar.guarded_flags import GuardedFlags
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.proxy.routes import Switch, flags_of, problem_with_variants
from tailslide_sidecar.readiness import FlagsFileState, Readiness, problem_of
from tailslide_sidecar.reload import RouteReloader
from tailslide_sidecar.settings import Settings


class Status:
    """The state of one sidecar, for people; the addresses are set once they are listened on."""

    def __init__(
        self,
        settings: Settings,
        store: FlagStore,
        buffer: OutcomeBuffer,
        guards: GuardedFlags,
        readiness: Callable[[], Readiness | None],
        link: LinkStatus,
        watches: Mapping[str, WatchStatus],
        redis_connected: Callable[[], bool],
        redis_problem: Callable[[], str | None],
        reloader: RouteReloader,
        instance: str,
        flags_file: FlagsFileState | None = None,
    ) -> None:
        """`flags_file` is the file that stands in for NATS and Redis, of a sidecar that runs from one."""
        self._instance = instance
        self._settings = settings
        self._store = store
        self._buffer = buffer
        self._guards = guards
        self._readiness = readiness
        self._link = link
        self._watches = watches
        self._redis_connected = redis_connected
        self._redis_problem = redis_problem
        self._reloader = reloader
        self._flags_file = flags_file
        self._version = version("tailslide-platform")
        self._started_ms = round(time.time() * 1000)
        self.flags_listen: ListenAddress = settings.flags_listen
        self.proxy_listen: ListenAddress = settings.proxy_listen

    def report(self) -> Mapping[str, object]:
        """Return it as JSON has it."""
        readiness = self._readiness()
        reloader, flags_file = self._reloader, self._flags_file
        routes = reloader.current.routes
        return {
            "version": self._version,
            "app": self._settings.app,
            "instance": self._instance,
            "flags_listen": str(self.flags_listen),
            "proxy_listen": str(self.proxy_listen),
            "ready": readiness is not None,
            "source": None if readiness is None else readiness.origin,
            "age_ms": None if readiness is None else readiness.age_ms,
            "published": self._store.is_published,
            **(self._of_the_servers() if flags_file is None else _of_the_file(flags_file)),
            "revision": self._store.revision,
            "flags": {flag: self._flag(flag) for flag in self._store.flags()},
            "flags_kept": self._store.kept(),
            "segments": {key: segment.version for key, segment in sorted(self._store.segments().items())},
            "segments_kept": self._store.kept_segments(),
            "unknown_segments": self._store.unknown_segments(),
            "unknown_prerequisites": self._store.unknown_prerequisites(),
            "routes": [
                {
                    "match": str(route.match),
                    "flag": None if route.switch is None else route.switch.flag,
                    "upstream": str(route.upstream),
                    "variants": {} if route.switch is None else _upstreams(route.switch),
                    "problem": None if route.switch is None else self._problem_of(route.switch),
                }
                for route in routes
            ],
            "routes_loaded_at_ms": round(reloader.loaded_at * 1000),
            "routes_problem": reloader.problem,
            "unknown_flags": sorted(flag for flag in flags_of(routes) if self._problem(flag)),
            "outcomes_waiting": self._buffer.waiting,
            "outcomes_dropped": self._buffer.dropped,
        }

    def _of_the_servers(self) -> Mapping[str, object]:
        return {
            "problem": problem_of(self._settings.app, self._store.is_published),
            "connected": self._link.connected and all(watch.in_touch for watch in self._watches.values()),
            "flags_file": None,
            "nats": {
                "connected": self._link.connected,
                "connects": self._link.connects,
                "refused": self._link.refused,
                "buckets": {bucket: self._bucket(watch) for bucket, watch in self._watches.items()},
            },
            "redis": {"connected": self._redis_connected(), "problem": self._redis_problem()},
        }

    def presence(self, sidecar_id: SidecarId) -> Presence:
        """Return what the sidecar says of itself to Tower."""
        readiness, watch = self._readiness(), self._watches[RULESETS_BUCKET]
        flags, refused = sorted(flags_of(self._reloader.current.routes)), self._store.refused()
        return Presence(
            app=sidecar_id.app,
            instance=sidecar_id.instance,
            host=socket.gethostname(),
            version=self._version,
            started_ms=self._started_ms,
            revision=watch.revision,
            revision_ms=watch.stored_ms,
            age_ms=None if readiness is None else readiness.age_ms,
            source=None if readiness is None else readiness.origin,
            listeners=(str(self.flags_listen), str(self.proxy_listen)),
            route_flags=tuple(flags[:MAX_FLAGS]),
            route_flags_count=len(flags),
            refused=tuple(refused[:MAX_FLAGS]),
            refused_count=len(refused),
        )

    @staticmethod
    def _bucket(watch: WatchStatus) -> Mapping[str, object]:
        return {
            "in_touch": watch.in_touch,
            "age_ms": round(watch.silent_for_s() * 1000),
            "revision": watch.revision,
            "restarts": watch.restarts,
        }

    def _flag(self, flag: str) -> Mapping[str, object]:
        ruleset = self._store.ruleset(flag)
        assert ruleset is not None
        effective, held = self._store.effective(flag), self._store.held(flag)
        return {
            "version": ruleset.version,
            "active": ruleset.active,
            "rollout": ruleset.rollout,
            "circuit": None if effective is None else effective.state,
            "percentage": None if effective is None else effective.percentage,
            "local_guard": self._guards.report(flag),
            "settled": None if held is None or held.prepared.settled is None else _said(held.prepared.settled),
        }

    def _problem_of(self, switch: Switch) -> str | None:
        ruleset = self._store.ruleset(switch.flag)
        return self._problem(switch.flag) if ruleset is None else problem_with_variants(switch, ruleset)

    def _problem(self, flag: str) -> str | None:
        if self._store.origin is None or self._store.ruleset(flag) is not None:
            return None
        alike = next((other for other in self._store.flags() if other.lower() == flag.lower()), None)
        but = "" if alike is None else f" (it has {alike}, which differs by upper and lower case)"
        return f"the app {self._store.app} has no flag {flag}{but}, so the fallback answers"


def _of_the_file(file: FlagsFileState) -> Mapping[str, object]:
    return {
        "problem": file.problem,
        "connected": file.problem is None,
        "flags_file": {
            "path": str(file.path),
            "loaded_at_ms": round(file.loaded_at * 1000),
            "loaded": file.loaded,
            "refused": file.refused,
        },
        "nats": None,
        "redis": None,
    }


def _upstreams(switch: Switch) -> Mapping[str, str]:
    return {variant: str(side) for variant, side in switch.variants}


def _said(decision: Decision) -> Mapping[str, object]:
    """Return the answer that everybody gets, and why."""
    return {
        "variant": decision.variant,
        "reason": decision.reason,
        "prerequisite": decision.prerequisite,
        "prerequisite_reason": decision.prerequisite_reason,
    }
