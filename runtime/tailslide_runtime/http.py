"""What the HTTP listeners of all processes share: one shape of errors, JSON by orjson, a start that says what failed.

The shape: `{"error": {"code", "message", "field"?}}`. Routes are each process's own.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import structlog
from aiohttp import web

from tailslide_core.errors import ContractError
from tailslide_runtime.listening import cannot_listen, refuse_if_served, set_mode
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


async def read_body(request: web.Request) -> bytes:
    """Return the body of a request; what its client has broken, or left in the middle of, is the client's error."""
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        raise ApiError(400, "PARSE_ERROR", "expected a body that is encoded as its headers say", "body") from error
    except ConnectionResetError as error:
        raise ApiError(400, "PARSE_ERROR", "the connection ended in the middle of the body", "body") from error


async def read_json(request: web.Request) -> object:
    """Return the body of a request, parsed; an empty body is an empty object."""
    data = await read_body(request)
    if not data:
        return {}
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "PARSE_ERROR", f"expected JSON: {error}", "body") from error


class _Socket(web.UnixSite):
    """A unix socket that is removed when it is no longer listened on."""

    def __init__(self, runner: web.BaseRunner, path: Path) -> None:
        super().__init__(runner, path)
        self._file = path
        self._is_ours = False

    async def start(self) -> None:
        await super().start()
        self._is_ours = True

    async def stop(self) -> None:
        await super().stop()
        if self._is_ours:
            self._file.unlink(missing_ok=True)


async def listen(
    runner: web.BaseRunner, address: ListenAddress, setting: str, *, socket_mode: int | None = None
) -> ListenAddress:
    """Start to listen and return the address with its actual port.

    Raises `StartError` that names `setting` when the address is taken or is not one of this machine. `socket_mode` are
    the permissions of a unix socket.
    """
    await runner.setup()
    await refuse_if_served(address, setting)
    site = web.TCPSite(runner, address.host, address.port) if address.path is None else _Socket(runner, address.path)
    try:
        await site.start()
    except OSError as error:
        raise cannot_listen(address, setting, error) from error
    if address.path is not None:
        set_mode(address.path, socket_mode)
        return address
    return ListenAddress(address.host, int(runner.addresses[-1][1]))
