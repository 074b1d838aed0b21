"""The yardstick from below: the same work by a plain aiohttp application, written as anybody would.

aiohttp's router and requests, orjson, uvloop, the core's `evaluate`; no access log. It is given its flags at the
start and watches nothing.

    python -m flags_bench.plain <file of rulesets, a JSON list> <port>
"""

import sys
from pathlib import Path

import orjson
import uvloop
from aiohttp import web

from tailslide_core.decisions import Reason
from tailslide_core.evaluation import Context, Evaluation, evaluate
from tailslide_core.flag_contracts import decode_ruleset
from tailslide_core.flag_set import FlagSet

_FLAGS = web.AppKey("flags", FlagSet)


def application(flags: FlagSet) -> web.Application:
    """Return the application."""
    app = web.Application()
    app[_FLAGS] = flags
    app.add_routes(
        [
            web.post("/ofrep/v1/evaluate/flags", _ofrep_all),
            web.post("/ofrep/v1/evaluate/flags/{key}", _ofrep_one),
            web.get("/v1/flags/{key}", _native_one),
            web.get("/readyz", _readyz),
        ]
    )
    return app


async def _ofrep_one(request: web.Request) -> web.Response:
    flags, key = request.app[_FLAGS], request.match_info["key"]
    evaluation = evaluate(key, flags, await _context(request))
    if evaluation.reason is Reason.FLAG_NOT_FOUND:
        return _json({"key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": f"there is no flag {key}"}, 404)
    return _json(_ofrep(evaluation))


async def _ofrep_all(request: web.Request) -> web.Response:
    context = await _context(request)
    flags = request.app[_FLAGS]
    return _json({"flags": [_ofrep(evaluate(key, flags, context)) for key in flags.rulesets]})


async def _native_one(request: web.Request) -> web.Response:
    attributes: dict[str, object] = dict(request.query)
    targeting_key = request.query.get("targeting_key")
    attributes.pop("targeting_key", None)
    flags, key = request.app[_FLAGS], request.match_info["key"]
    evaluation = evaluate(key, flags, Context(targeting_key, attributes))
    if evaluation.reason is Reason.FLAG_NOT_FOUND:
        return _json({"error": {"code": "FLAG_NOT_FOUND", "message": f"there is no flag {key}"}}, 404)
    return _json(
        {
            "flag": evaluation.flag,
            "active": evaluation.active,
            "variant": evaluation.variant,
            "value": evaluation.value,
            "reason": evaluation.reason,
            "circuit": evaluation.circuit,
            "version": evaluation.version,
        }
    )


async def _readyz(_: web.Request) -> web.Response:
    return _json({"ready": True})


async def _context(request: web.Request) -> Context:
    context = orjson.loads(await request.read())["context"]
    return Context(context.pop("targetingKey", None), context)


def _ofrep(evaluation: Evaluation) -> dict[str, object]:
    return {
        "key": evaluation.flag,
        "value": evaluation.value,
        "reason": evaluation.reason,
        "variant": evaluation.variant,
        "metadata": {
            "stale": False,
            "active": evaluation.active,
            "circuit": evaluation.circuit,
            "version": evaluation.version,
        },
    }


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def main(file: Path, port: int) -> None:
    """Serve until SIGTERM."""
    flags = FlagSet({value["key"]: decode_ruleset(orjson.dumps(value)) for value in orjson.loads(file.read_bytes())})
    web.run_app(
        application(flags), host="127.0.0.1", port=port, access_log=None, print=None, loop=uvloop.new_event_loop()
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
