"""What goes around every request: it is counted and timed, and an absent database is answered for."""

import time
from http import HTTPStatus

import structlog
from aiohttp import web
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from structlog.contextvars import bound_contextvars

from tailslide_runtime.http import ApiError, Handler
from tailslide_runtime.tracing.context import continued, failed, recorded
from tailslide_tower.api.routes import PRINCIPAL
from tailslide_tower.database import DatabaseUnavailableError
from tailslide_tower.flags.store import InvalidFlagError
from tailslide_tower.metrics import TowerMetrics

log = structlog.get_logger()
_tracer = trace.get_tracer("tailslide.tower")

_API = "/api/"
_MOST_OF_A_PATH = 500
METRICS = web.AppKey("metrics", TowerMetrics)
RETRY_AFTER_S = 2


@web.middleware
async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record a request of the API in a trace; where none is recorded this does nothing.

    Stands outside the middleware that turns errors into answers. Named by its route, as `observe` does. Sockets are
    left out: they last as long as their clients like.
    """
    if not request.path.startswith(_API) or "Upgrade" in request.headers:
        return await handler(request)
    resource = request.match_info.route.resource
    # What of a method or a path is any client's invention makes no name of a span.
    method = request.method if request.method in _METHODS else "_OTHER"
    name = method if method in _METHODS else "HTTP"
    named = {
        "http.request.method": method,
        "url.scheme": request.scheme,
        # What is no UTF-8 cannot be sent, and would be missed with all of its batch.
        "url.path": request.rel_url.raw_path[:_MOST_OF_A_PATH].encode(errors="replace").decode(),
    }
    if resource is not None:
        named["http.route"] = resource.canonical
        name = f"{name} {resource.canonical}"
    headers = request.headers
    context = continued(headers.getall("traceparent", ()), headers.getall("tracestate", ()))
    with recorded(_tracer, name, context, kind=SpanKind.SERVER, attributes=named, answers=(web.HTTPException,)) as span:
        if not span.is_recording():
            return await handler(request)
        with bound_contextvars(trace_id=f"{span.get_span_context().trace_id:032x}"):
            try:
                answer = await handler(request)
            except web.HTTPException as raised:  # an answer like any other
                _answered(span, raised.status)
                raise
        _answered(span, answer.status)
        return answer


def _answered(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        failed(span, str(status))


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
