"""What Aerobat answers on its listen address: whether it lives, whether it can judge, and how the circuits stand."""

from aiohttp import web

from tailslide_aerobat.flags import Flags
from tailslide_aerobat.judge import Judge
from tailslide_aerobat.metrics import Metrics
from tailslide_core.contracts import circuit_json
from tailslide_runtime.exposition import CONTENT_TYPE
from tailslide_runtime.http import errors_as_json, json_response
from tailslide_runtime.jetstream import LinkStatus


class Routes:
    """The handlers. All of them answer from memory, so that they answer whatever else is down."""

    def __init__(self, flags: Flags, judge: Judge, link: LinkStatus, metrics: Metrics) -> None:
        self._flags = flags
        self._judge = judge
        self._link = link
        self._metrics = metrics

    def application(self) -> web.Application:
        """Return the application that serves them."""
        application = web.Application(middlewares=[errors_as_json])
        application.router.add_get("/healthz", self.health)
        application.router.add_get("/readyz", self.readiness)
        application.router.add_get("/metrics", self.metrics)
        application.router.add_get("/v1/status", self.status)
        return application

    async def health(self, _: web.Request) -> web.Response:
        """Say that the process lives."""
        return json_response({"status": "ok"})

    async def readiness(self, _: web.Request) -> web.Response:
        """Say whether circuits can be judged, and if not, what is missing; 503 then.

        `redis` is null while it is not asked, for want of NATS.
        """
        nats, redis = self._link.connected, self._judge.readable
        ready = nats and redis is True and self._flags.listed
        body = {
            "ready": ready,
            "nats": nats,
            "redis": redis,
            "flags": sum(1 for _ in self._flags.judged()),
            "last_tick_ms": self._judge.last_tick_ms,
        }
        return json_response(body, 200 if ready else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        """Answer in Prometheus's text format."""
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def status(self, _: web.Request) -> web.Response:
        """List all circuits, each with the calls that its window holds since its state began."""
        now_ms = self._judge.last_tick_ms
        circuits = []
        for flag in sorted(self._flags.judged(), key=lambda flag: flag.flag_id):
            window_ms = flag.settings.window_ms
            counts = self._judge.counts.over(flag.flag_id, (window_ms,), now_ms or 0, flag.circuit.since_ms)[-1]
            circuits.append(
                {
                    "app": flag.flag_id.app,
                    "flag": flag.flag_id.flag,
                    "active": flag.ruleset.active,
                    "forced_open": flag.settings.forced_open,
                    **circuit_json(flag.circuit),
                    "window": {
                        "window_ms": window_ms,
                        "calls": counts.calls,
                        "failures": counts.failures,
                        "slow": counts.slow,
                    },
                }
            )
        return json_response({"last_tick_ms": now_ms, "circuits": circuits})
