"""Errors as problem details (RFC 9457), whoever refuses: a route, the guard before aiohttp, or the middleware.

`code` is for programs, `detail` one sentence for people, `field` names what is at fault: a path in the body, a query
parameter, a part of the path, or a header. `type` is the code as a URN; there is nothing to be fetched there.
"""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from aiohttp import web

from tailslide_runtime.http import ApiError, errors_in
from tailslide_runtime.http1.refusals import Refusal

PROBLEM_TYPE = "application/problem+json"
_URN = "urn:tailslide:problem:"


def problem_body(
    status: int, code: str, detail: str, field: str | None = None, more: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return the members of a problem."""
    body: dict[str, object] = {
        **(more or {}),
        "type": _URN + code.lower().replace("_", "-"),
        "title": _title(status, code),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if field is not None:
        body["field"] = field
    return body


def _title(status: int, code: str) -> str:
    if code == "INVALID":
        return "Invalid request"
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    words = code.replace("_", " ").capitalize()
    return phrase if words.lower() == phrase.lower() else words


def problem_response(error: ApiError) -> web.Response:
    """Return the answer that an error is."""
    body = problem_body(error.status, error.code, error.message, error.field, error.more)
    return web.Response(
        body=orjson.dumps(body), status=error.status, content_type=PROBLEM_TYPE, headers=error.headers or None
    )


errors_as_problems = errors_in(problem_response)
"""The middleware that answers every error as a problem."""


def guard_problem(_: str, refusal: Refusal) -> bytes:
    """Return what the guard refuses as a problem."""
    return orjson.dumps(problem_body(refusal.status, refusal.code, refusal.message, refusal.field))
