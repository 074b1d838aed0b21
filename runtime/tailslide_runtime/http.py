"""What the handlers of all processes share: errors that are answers, and JSON that is read strictly.

The shape of errors of sidecars and Aerobats is `{"error": {"code", "message", "field"?}}`; Tower has one of its own.
Routes are each process's own.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from itertools import accumulate

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """An answer that is an error; `code` is for programs, `message` one sentence for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        *,
        more: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`more` are further members of the answer's body, `headers` further headers of it."""
        super().__init__(message)
        self.more = dict(more or {})
        self.headers = dict(headers or {})
        self.status = status
        self.code = code
        self.message = message
        self.field = field


def json_response(body: object, status: int = 200) -> web.Response:
    """Return `body` as JSON."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def error_response(
    status: int, code: str, message: str, field: str | None = None, more: Mapping[str, object] | None = None
) -> web.Response:
    """Return an error in the shape of sidecars and Aerobats."""
    error: dict[str, object] = {**(more or {}), "code": code, "message": message}
    if field is not None:
        error["field"] = field
    return json_response({"error": error}, status)


def one_error_shape(error: ApiError) -> web.Response:
    """Return the answer that an error is, in the shape of sidecars and Aerobats."""
    answer = error_response(error.status, error.code, error.message, error.field, error.more)
    answer.headers.update(error.headers)
    return answer


def errors_in(shape: Callable[[ApiError], web.Response]) -> Middleware:
    """Return a middleware that answers every error in one shape.

    Errors are ours, those of aiohttp (404, 405, 413 …), and defects, which are a 500 and a line in the log.
    """

    @web.middleware
    async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as error:
            return shape(error)
        except ContractError as error:
            return shape(ApiError(400, "INVALID", error.problem, error.field))
        except web.HTTPException as error:
            if error.status < 400:
                raise
            code = error.reason.upper().replace(" ", "_").replace("'", "")
            headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            message = f"{request.method} {request.path:.100}: {error.reason}"
            return shape(ApiError(error.status, code, message, headers=headers))
        except Exception:  # the last line of defence of a listener: logged with its traceback, answered as 500
            log.exception("request_failed", method=request.method, path=request.path)
            return shape(ApiError(500, "INTERNAL", "the request failed for a reason that is in the log"))

    return answer_errors


errors_as_json = errors_in(one_error_shape)


async def read_body(request: web.Request) -> bytes:
    """Return the body of a request; that its client leaves in the middle of it is the client's error."""
    try:
        return await request.read()
    except ConnectionResetError as error:
        raise ApiError(400, "PARSE_ERROR", "the connection ended in the middle of the body", "body") from error


async def read_json(request: web.Request) -> object:
    """Return the body of a request, parsed; an empty body is an empty object."""
    data = await read_body(request)
    try:
        return parse_json(data) if data else {}
    except ValueError as error:
        raise ApiError(400, "PARSE_ERROR", str(error), "body") from error


MAX_DEPTH = 64
"""How deeply arrays and objects may be nested in each other."""
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NOT_BRACKETS = bytes(set(range(256)) - set(_STEPS))


def parse_json(data: bytes) -> object:
    """Return what JSON says; raise `ValueError` where it is none, is nested too deeply, or gives a name twice.

    Of a name that is there twice, programs take the first or the last (RFC 8259 §4), so that two readers of one text
    may act on different values.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"expected JSON: {error}") from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        brackets = _STRING.sub(b"", data).translate(None, _NOT_BRACKETS)
        if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH:
            raise ValueError(f"expected JSON that is nested at most {MAX_DEPTH} deep")
    if data.count(b":") > 1:
        json.loads(data, object_pairs_hook=_refuse_twice)
    return value


def _refuse_twice(pairs: list[tuple[str, object]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) == len(pairs):
        return
    for name, _ in pairs:
        if name not in names:
            raise ValueError(f"expected each name once, got {shown(name, 100)} twice")
        names.remove(name)
