"""`/healthz`, `/readyz` and `/metrics`: what operators and their machines ask. No token is needed for these."""

from dataclasses import dataclass

from aiohttp import web

from tailslide_runtime.exposition import CONTENT_TYPE
from tailslide_runtime.http import json_response
from tailslide_runtime.jetstream import LinkStatus
from tailslide_tower.access import METRICS
from tailslide_tower.database import Database
from tailslide_tower.publisher.claims import REMEDY
from tailslide_tower.publisher.service import Publisher


@dataclass(frozen=True, slots=True)
class Parts:
    """What readiness is made of."""

    database: Database
    nats: LinkStatus
    publisher: Publisher


PARTS = web.AppKey("parts", Parts)

SHOWN = 10
"""So many flags are named."""

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(request: web.Request) -> web.Response:
    """200 while the process lives."""
    return json_response({"status": "ok"})


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """200 while the API can serve, which takes the database and not NATS; otherwise 503.

    `not_publishing` and `left_alone` say what of the database no sidecar sees, and why.
    """
    parts = request.app[PARTS]
    refusal = parts.publisher.refusal
    newer, unknown = parts.publisher.newer, parts.publisher.unknown
    database = await parts.database.is_up()
    body = {
        "ready": database,
        "database": "up" if database else "down",
        "nats": "up" if parts.nats.connected else "down",
        "published": parts.publisher.published,
        "pending": parts.publisher.pending,
        # Without what the log says of both databases: nobody needs a token to read this.
        "not_publishing": None if refusal is None else {"cause": refusal.cause, "remedy": REMEDY},
        "left_alone": {
            "newer_in_bucket": {"count": len(newer), "flags": newer[:SHOWN]},
            "unknown_to_database": {"count": len(unknown), "flags": unknown[:SHOWN]},
        },
    }
    return json_response(body, 200 if database else 503)


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Return the metrics in the Prometheus text format."""
    return web.Response(body=request.app[METRICS].text(), headers={"Content-Type": CONTENT_TYPE})
