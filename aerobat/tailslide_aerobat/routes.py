"""What Aerobat answers on its listen address; what there is to tell is worked out in `standing`."""

from aiohttp import web

from tailslide_aerobat.standing import Standing
from tailslide_runtime.exposition import CONTENT_TYPE
from tailslide_runtime.http import errors_as_json, json_response


class Routes:
    """The handlers. All of them answer from memory, so that they answer whatever else is down."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

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
        """Say whether circuits can be judged, and if not, what is missing; 503 then."""
        body = self._standing.readiness()
        return json_response(body, 200 if body["ready"] else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        """Answer in Prometheus's text format."""
        return web.Response(body=self._standing.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def status(self, _: web.Request) -> web.Response:
        """List the Aerobats that live and all circuits."""
        return json_response(self._standing.status())
