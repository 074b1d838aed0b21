"""What the HTTP listeners of all processes share: one shape of errors, JSON by orjson, a start that says what failed.

The shape: `{"error": {"code", "message", "field"?}}`. Routes are each process's own.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import structlog
from aiohttp import web

from tailslide_core.errors import ContractError
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """An answer that is an error; `code` is for programs, `message` one sentence for people."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field


def json_response(body: object, status: int = 200) -> web.Response:
    """Return `body` as JSON."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def error_response(status: int, code: str, message: str, field: str | None = None) -> web.Response:
    """Return an error in the one shape that all have."""
    error = {"code": code, "message": message}
    if field is not None:
        error["field"] = field
    return json_response({"error": error}, status)


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every error the one shape: ours, those of aiohttp (404, 405, 413 …), and defects as 500 with a log line."""
    try:
        return await handler(request)
    except ApiError as error:
        return error_response(error.status, error.code, error.message, error.field)
    except ContractError as error:
        return error_response(400, "INVALID", error.problem, error.field)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code = error.reason.upper().replace(" ", "_").replace("'", "")
        answer = error_response(error.status, code, f"{request.method} {request.path}: {error.reason}")
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except Exception:  # the last line of defence of a listener: logged with its traceback, answered as 500
        log.exception("request failed", method=request.method, path=request.path)
        return error_response(500, "INTERNAL", "the request failed for a reason that is in the log")


async def read_json(request: web.Request) -> object:
    """Return the body of a request, parsed; an empty body is an empty object."""
    data = await request.read()
    if not data:
        return {}
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "PARSE_ERROR", f"expected JSON: {error}", "body") from error


async def listen(runner: web.BaseRunner, address: ListenAddress, setting: str) -> ListenAddress:
    """Start to listen and return the address with its actual port.

    Raises `StartError` that names `setting` when the address is taken or is not one of this machine.
    """
    await runner.setup()
    if address.path is not None:
        if await _is_served(address.path):  # asyncio would take the socket away from who listens there
            raise StartError(f"{setting}: {address} is in use; free it or choose another address")
        await _start(web.UnixSite(runner, str(address.path)), address, setting)
        return address
    await _start(web.TCPSite(runner, address.host, address.port), address, setting)
    port = int(runner.addresses[-1][1])
    return ListenAddress(address.host, port)


async def _is_served(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:  # nothing there, or the socket of a process that is gone
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def _start(site: web.BaseSite, address: ListenAddress, setting: str) -> None:
    try:
        await site.start()
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror or error})"
        raise StartError(f"{setting}: {address} {why}; free it or choose another address") from error
