"""The flags listener as aiohttp serves it: every route there is, the hot ones included.

The hot routes are answered from `answers`, here as in `hot_path`, with the same bytes. The words of OFREP are in
`ofrep`, what thin clients report is read in `reported`, change notices are in `event_stream`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from http import HTTPStatus

import orjson
import structlog
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from tailslide_runtime.http import (
    ApiError,
    Handler,
    error_response,
    errors_as_json,
    json_response,
    read_body,
    read_json,
)
from tailslide_runtime.http1.refusals import Refusal
from tailslide_sidecar import ofrep
from tailslide_sidecar.answers import Answers
from tailslide_sidecar.event_stream import EventStream
from tailslide_sidecar.metrics import Metrics
from tailslide_sidecar.readiness import ENDING, NOT_READY, NOTHING_LOADED, Readiness, problem_of
from tailslide_sidecar.replies import JSON, Reply
from tailslide_sidecar.reported import MAX_BYTES, Reports, TooManyReportsError

log = structlog.get_logger()

OFREP = "/ofrep/"
OFREP_FLAGS = "/ofrep/v1/evaluate/flags"
OFREP_FLAG = f"{OFREP_FLAGS}/{{key:(?s:.+)}}"
"""Any text is a key that one may ask for, a slash or a brace in it included."""


@dataclass(frozen=True, slots=True)
class FlagsApi:
    """What the handlers work with; `status` gives what `/v1/status` shows, `token` what callers have to know."""

    app: str
    answers: Answers
    reports: Reports
    events: EventStream
    metrics: Metrics
    readiness: Callable[[], Readiness | None]
    status: Callable[[], Mapping[str, object]]
    token: str | None = None
    is_ending: Callable[[], bool] = lambda: False
    """Whether the sidecar has been told to end, and answers for a while yet."""


_API = web.AppKey("api", FlagsApi)

_OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""What machines ask, which have no token."""


def build(api: FlagsApi) -> web.Application:
    """Return the application of the listener."""
    app = web.Application(
        middlewares=[errors_as_json, _ofrep_errors, _token_required],
        client_max_size=0,  # the guard has measured it, against `flags_limits.max_body_bytes`
    )
    app[_API] = api
    app.add_routes(
        [
            web.get("/v1/flags", _flags),
            web.get("/v1/flags/{key}", _flag),
            web.post("/v1/flags/{key}/outcomes", _outcomes),
            web.post(OFREP_FLAGS, _ofrep_flags),
            web.post(f"{OFREP_FLAGS}/", _ofrep_flags),
            web.post(OFREP_FLAG, _ofrep_flag),
            web.get("/ofrep/v1/events", _events),
            web.get("/v1/status", _status),
            web.get("/healthz", _healthz),
            web.get("/readyz", _readyz),
            web.get("/metrics", _metrics),
        ]
    )
    app.on_response_prepare.append(_challenge)
    return app


def error_body(path: str, refusal: Refusal) -> bytes:
    """Return what the guard refuses as OFREP has it below `/ofrep/`, elsewhere in the shape that all errors have."""
    if not path.startswith(OFREP):
        return refusal.body()
    details = refusal.message if refusal.field is None else f"{refusal.field}: {refusal.message}"
    return orjson.dumps(ofrep.failure(_ofrep_key(path), ofrep.ErrorCode.GENERAL, details, refusal.status).body)


async def _challenge(_: web.Request, response: web.StreamResponse) -> None:
    if response.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"  # which RFC 9110 §15.5.2 demands


def _response(reply: Reply) -> web.Response:
    headers = dict(reply.headers)
    if reply.status != HTTPStatus.NOT_MODIFIED:
        headers["Content-Type"] = JSON
    return web.Response(status=reply.status, body=reply.body or None, headers=headers)


@web.middleware
async def _token_required(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who knows the token, as `Authorization: Bearer` or as `X-API-Key`; everybody where there is none."""
    token = request.app[_API].token
    if token is None or request.path in _OPEN_PATHS or _knows(request, token):
        return await handler(request)
    refusal = ApiError(401, "UNAUTHORIZED", "expected Authorization: Bearer <flags_token> or X-API-Key: <flags_token>")
    if request.path.startswith(OFREP):
        return _ofrep_refusal(request, 401, str(refusal))
    raise refusal


def _knows(request: web.Request, token: str) -> bool:
    given = request.headers.getall("X-API-Key", [])
    for value in request.headers.getall("Authorization", []):
        scheme, _, credential = value.partition(" ")
        if scheme.lower() == "bearer":
            given.append(credential)
    if any(_same(value, token) for value in given):
        return True
    events = request.app[_API].events
    return request.path == events.path and any(
        _same(key, events.key or token) for key in request.query.getall("key", [])
    )


def _same(given: str, expected: str) -> bool:
    # Bytes of a header that are no UTF-8 come as lone surrogates.
    return compare_digest(given.encode(errors="surrogateescape"), expected.encode())


@web.middleware
async def _ofrep_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give errors below `/ofrep/` the form that the protocol has for them."""
    if not request.path.startswith(OFREP):
        return await handler(request)
    try:
        return await handler(request)
    except ApiError as error:
        return _ofrep_refusal(request, error.status, error.message, error.code)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        answer = _ofrep_refusal(request, error.status, f"{request.method} {request.path}: {error.reason}")
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except Exception:  # the last line of defence of a listener: logged with its traceback, answered as 500
        log.exception("request_failed", method=request.method, path=request.path)
        return _ofrep_refusal(request, 500, "the request failed for a reason that is in the log")


def _ofrep_refusal(request: web.Request, status: int, details: str, code: str = "") -> web.Response:
    known = ofrep.ErrorCode(code) if code in set(ofrep.ErrorCode) else ofrep.ErrorCode.GENERAL
    answer = ofrep.failure(_ofrep_key(request.path), known, details, status)
    return json_response(answer.body, answer.status)


def _ofrep_key(path: str) -> str | None:
    """Return the flag that a request is about; also where the method is wrong, so that no route has matched."""
    prefix = f"{OFREP_FLAGS}/"
    if not path.startswith(prefix) or path == prefix:
        return None
    key = path.removeprefix(prefix)
    return key.removesuffix("/") or key


async def _flag(request: web.Request) -> web.Response:
    return _response(request.app[_API].answers.native_one(request.match_info["key"], _query(request)))


async def _flags(request: web.Request) -> web.Response:
    return _response(request.app[_API].answers.native_all(_query(request)))


def _query(request: web.Request) -> str:
    """Return the query as it was sent."""
    return request.raw_path.partition("#")[0].partition("?")[2]


async def _outcomes(request: web.Request) -> web.Response:
    api = request.app[_API]
    api.reports.require_accepted()
    _require_json(request)
    size = len(await read_body(request))
    if size > MAX_BYTES:
        raise ApiError(413, "BODY_TOO_LARGE", f"expected a body of at most {MAX_BYTES} bytes, got {size}", "body")
    body = await read_json(request)
    try:
        accepted = api.reports.take(request.match_info["key"], body)
    except TooManyReportsError as error:
        refusal = error_response(error.status, error.code, error.message, error.field)
        refusal.headers["Retry-After"] = str(error.retry_after_s)
        return refusal
    return json_response({"accepted": accepted}, 202)


def _require_json(request: web.Request) -> None:
    if request.content_type != JSON:
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", f"expected {JSON}, got {request.content_type}", "Content-Type")


async def _ofrep_flag(request: web.Request) -> web.Response:
    body = await read_body(request)
    refusal = _other_type(request, body)
    return refusal or _response(request.app[_API].answers.ofrep_one(_ofrep_key(request.path) or "", body))


async def _ofrep_flags(request: web.Request) -> web.Response:
    body = await read_body(request)
    refusal = _other_type(request, body)
    tags = ", ".join(request.headers.getall("If-None-Match", []))
    return refusal or _response(request.app[_API].answers.ofrep_all(body, tags or None))


def _other_type(request: web.Request, body: bytes) -> web.Response | None:
    """Refuse a body of another type; without a body its type says nothing."""
    if not body or request.content_type == JSON:
        return None
    return _ofrep_refusal(request, 415, f"Content-Type: expected {JSON}, got {request.content_type}")


async def _events(request: web.Request) -> web.StreamResponse:
    return await request.app[_API].events.serve(request)


async def _status(request: web.Request) -> web.Response:
    return json_response(request.app[_API].status())


async def _healthz(_: web.Request) -> web.Response:
    return json_response({"status": "ok"})


async def _readyz(request: web.Request) -> web.Response:
    if request.app[_API].is_ending():
        raise ApiError(503, ENDING, "the sidecar has been told to end; it answers what still comes for a moment")
    readiness = request.app[_API].readiness()
    if readiness is None:
        raise ApiError(503, NOT_READY, NOTHING_LOADED)
    body = {
        "ready": True,
        "source": readiness.origin,
        "age_ms": readiness.age_ms,
        "connected": readiness.connected,
        "published": readiness.published,
    }
    problem = readiness.problem or problem_of(request.app[_API].app, readiness.published)
    return json_response(body if problem is None else body | {"problem": problem})


async def _metrics(request: web.Request) -> web.Response:
    # Set as a header, since aiohttp takes a content type only without parameters.
    return web.Response(body=request.app[_API].metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
