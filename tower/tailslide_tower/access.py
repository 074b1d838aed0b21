"""What goes around every request: it is counted and timed, and an absent database is answered for."""

import time
from http import HTTPStatus

import structlog
from aiohttp import web

from tailslide_runtime.http import ApiError, Handler
from tailslide_tower.api.routes import PRINCIPAL
from tailslide_tower.database import DatabaseUnavailableError
from tailslide_tower.flags.store import InvalidFlagError
from tailslide_tower.metrics import TowerMetrics

log = structlog.get_logger()

METRICS = web.AppKey("metrics", TowerMetrics)
RETRY_AFTER_S = 2


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and time a request, and log it at debug. Stands outside the middleware that turns errors into answers."""
    begun = time.perf_counter()
    answer = await handler(request)
    took_s = time.perf_counter() - begun
    metrics = request.config_dict[METRICS]
    resource = request.match_info.route.resource
    # By route and not by path, of which there are as many as flags, or as somebody likes to try.
    route = "unknown" if resource is None else resource.canonical
    method = request.method if request.method in _METHODS else "other"
    metrics.requests.labels(method, route, str(answer.status)).inc()
    if answer.status != HTTPStatus.SWITCHING_PROTOCOLS:  # a socket lasts as long as its client likes
        metrics.request_seconds.labels(route).observe(took_s)
    log.debug(
        "request",
        method=request.method,
        path=request.path,
        status=answer.status,
        ms=round(took_s * 1000, 1),
        who=principal.name if (principal := request.get(PRINCIPAL)) else None,
    )
    return answer


_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


@web.middleware
async def answer_for_database(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 503 while PostgreSQL is away; and say which flag it is where this Tower cannot read one of it."""
    try:
        return await handler(request)
    except DatabaseUnavailableError as error:
        request.config_dict[METRICS].database_unavailable.inc()
        log.debug("database_unavailable", error=str(error))
        raise ApiError(
            503,
            "DATABASE_UNAVAILABLE",
            "the database cannot be reached; try again shortly",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        ) from error
    except InvalidFlagError as error:
        log.warning("flag_unreadable", error=str(error))
        raise ApiError(500, "FLAG_UNREADABLE", f"{error}; a newer Tower may be able to read it", "flag") from error
