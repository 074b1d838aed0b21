"""The listener that applications ask: flags in our own words and in OFREP's, health, readiness, metrics, status.

Evaluation itself is the core's; the words of OFREP are in `ofrep`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web
from multidict import MultiMapping
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from tailslide_core.errors import ContractError
from tailslide_core.evaluation import Context, Reason
from tailslide_core.naming import check_key
from tailslide_runtime.http import ApiError, errors_as_json, json_response
from tailslide_sidecar import ofrep
from tailslide_sidecar.flag_store import FlagStore
from tailslide_sidecar.metrics import Metrics
from tailslide_sidecar.readiness import Readiness

MAX_BODY_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class FlagsApi:
    """What the handlers work with; `status` gives what `/v1/status` shows."""

    store: FlagStore
    metrics: Metrics
    readiness: Callable[[], Readiness | None]
    status: Callable[[], Mapping[str, object]]


_API = web.AppKey("api", FlagsApi)


def build(api: FlagsApi) -> web.Application:
    """Return the application of the listener."""
    app = web.Application(middlewares=[errors_as_json], client_max_size=MAX_BODY_BYTES)
    app[_API] = api
    app.add_routes(
        [
            web.get("/v1/flags/{key}", _flag),
            web.post("/ofrep/v1/evaluate/flags/{key}", _ofrep_flag),
            web.get("/v1/status", _status),
            web.get("/healthz", _healthz),
            web.get("/readyz", _readyz),
            web.get("/metrics", _metrics),
        ]
    )
    return app


async def _flag(request: web.Request) -> web.Response:
    api = request.app[_API]
    key = request.match_info["key"]
    evaluation = api.store.evaluate(key, context_of_query(request.query))
    api.metrics.evaluated(evaluation)
    if evaluation.reason is Reason.FLAG_NOT_FOUND:
        check_key("key", key)
        raise ApiError(404, "FLAG_NOT_FOUND", _not_found(api.store, key), "key")
    return json_response(
        {
            "flag": evaluation.flag,
            "active": evaluation.active,
            "reason": evaluation.reason,
            "circuit": evaluation.circuit,
            "version": evaluation.version,
        }
    )


def context_of_query(query: MultiMapping[str]) -> Context:
    """Return the user whom a query speaks for: `targeting_key`, all else attributes, a list where one is repeated."""
    attributes: dict[str, object] = {}
    for name in query:
        if name != "targeting_key" and name not in attributes:
            values = query.getall(name)
            attributes[name] = values[0] if len(values) == 1 else values
    return Context(query.get("targeting_key"), attributes)


async def _ofrep_flag(request: web.Request) -> web.Response:
    api = request.app[_API]
    key = request.match_info["key"]
    try:
        context = ofrep.read_context(await request.read())
    except ofrep.OfrepError as error:
        answer = ofrep.failure(key, error.code, str(error))
        return json_response(answer.body, answer.status)
    evaluation = api.store.evaluate(key, context)
    api.metrics.evaluated(evaluation)
    if evaluation.reason is Reason.FLAG_NOT_FOUND:
        answer = ofrep.failure(key, ofrep.ErrorCode.FLAG_NOT_FOUND, _not_found(api.store, key))
    else:
        answer = ofrep.answer(evaluation)
    return json_response(answer.body, answer.status)


def _not_found(store: FlagStore, key: str) -> str:
    try:
        check_key("key", key)
    except ContractError as error:
        return str(error)
    if store.origin is None:
        return f"no rulesets are loaded yet, so nothing is known of a flag {key}"
    return f"the app {store.app} has no flag {key}"


async def _status(request: web.Request) -> web.Response:
    return json_response(request.app[_API].status())


async def _healthz(_: web.Request) -> web.Response:
    return json_response({"status": "ok"})


async def _readyz(request: web.Request) -> web.Response:
    readiness = request.app[_API].readiness()
    if readiness is None:
        raise ApiError(503, "NOT_READY", "no rulesets are loaded yet, neither from JetStream nor from a snapshot")
    return json_response(
        {
            "ready": True,
            "source": readiness.origin,
            "age_ms": readiness.age_ms,
            "connected": readiness.connected,
        }
    )


async def _metrics(request: web.Request) -> web.Response:
    # Set as a header, since aiohttp takes a content type only without parameters.
    return web.Response(body=request.app[_API].metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
