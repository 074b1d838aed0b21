"""How things stand, for people, probes and Prometheus: what this Aerobat can do, who lives, and how the circuits are.

All of it is from memory, so that it can be told whatever else is down. How it is served is in `routes`.
"""

from collections import Counter

from tailslide_aerobat.flags import Flags, Judged
from tailslide_aerobat.holders import Holders
from tailslide_aerobat.judge import Judge
from tailslide_aerobat.metrics import Metrics
from tailslide_core.circuit import State
from tailslide_core.contracts import Json, circuit_json
from tailslide_runtime.jetstream import LinkStatus


class Standing:
    """Looks at the parts of one Aerobat, and changes nothing but gauges."""

    def __init__(self, flags: Flags, judge: Judge, holders: Holders, link: LinkStatus, metrics: Metrics) -> None:
        self._flags = flags
        self._judge = judge
        self._holders = holders
        self._link = link
        self._metrics = metrics

    def readiness(self) -> Json:
        """Return whether circuits can be judged (`ready`), and if not, what is missing.

        `redis` is null while it is not asked, for want of NATS.
        """
        nats, redis, lease = self._link.connected, self._judge.readable, self._holders.holds
        owned = [app for app in self._flags.apps() if self._holders.owns(app)]
        return {
            "ready": nats and redis is True and self._flags.listed and lease,
            "nats": nats,
            "redis": redis,
            "lease": lease,
            "worker": self._holders.worker,
            "holders": list(self._holders.living),
            "apps": len(self._flags.apps()),
            "apps_owned": len(owned),
            "flags": sum(1 for _ in self._flags.judged()),
            "flags_owned": sum(1 for flag in self._flags.judged() if self._holders.owns(flag.flag_id.app)),
            "last_tick_ms": self._judge.last_tick_ms,
        }

    def status(self) -> Json:
        """Return who lives, and all circuits, with the calls in their window where they are ours; null elsewhere."""
        holders = self._holders
        return {
            "worker": holders.worker,
            "holders": [
                {
                    "worker": holder.worker,
                    "since_ms": holder.since_ms,
                    "renewed_ms_ago": holders.renewed_ms_ago(holder),
                    "ours": holder.worker == holders.worker,
                }
                for holder in holders.held()
            ],
            "last_tick_ms": self._judge.last_tick_ms,
            "circuits": [self._circuit(flag) for flag in sorted(self._flags.judged(), key=lambda flag: flag.flag_id)],
        }

    def _circuit(self, flag: Judged) -> Json:
        owner = self._holders.owner(flag.flag_id.app)
        ours = owner == self._holders.worker
        return {
            "app": flag.flag_id.app,
            "flag": flag.flag_id.flag,
            "owner": owner,
            "ours": ours,
            "active": flag.ruleset.active,
            "forced_open": flag.settings.forced_open,
            **circuit_json(flag.circuit),
            "window": self._window(flag) if ours else None,
        }

    def _window(self, flag: Judged) -> Json:
        window_ms = flag.settings.window_ms
        now_ms = self._judge.last_tick_ms or 0
        counts = self._judge.counts.over(flag.flag_id, (window_ms,), now_ms, flag.circuit.since_ms)[-1]
        return {"window_ms": window_ms, "calls": counts.calls, "failures": counts.failures, "slow": counts.slow}

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format, those that are a matter of looking as they are now."""
        states = Counter(flag.circuit.state for flag in self._flags.judged() if self._holders.owns(flag.flag_id.app))
        for state in State:
            self._metrics.circuits.labels(state).set(states[state])
        self._metrics.flags_owned.set(states.total())
        self._metrics.holders.set(len(self._holders.living))
        return self._metrics.text()
