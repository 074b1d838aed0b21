"""The shape of errors. What needs a socket is in `tests/integration/test_runtime_http.py`."""

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from tailslide_core.errors import ContractError
from tailslide_runtime.http import ApiError, error_response, errors_as_json, json_response


def body_of(response: web.StreamResponse) -> object:
    assert isinstance(response, web.Response)
    assert response.content_type == "application/json"
    assert isinstance(response.body, bytes)
    return orjson.loads(response.body)


async def answer_to(error: Exception) -> web.StreamResponse:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    return await errors_as_json(make_mocked_request("GET", "/v1/flags/a?targeting_key=secret"), handler)


def test_an_answer_is_json() -> None:
    answer = json_response({"a": [1, True]}, 201)
    assert (answer.status, body_of(answer)) == (201, {"a": [1, True]})


def test_an_error_has_a_code_a_message_and_perhaps_a_field() -> None:
    assert body_of(error_response(404, "NOT_FOUND", "no flag a")) == {
        "error": {"code": "NOT_FOUND", "message": "no flag a"}
    }
    assert body_of(error_response(400, "INVALID", "expected a key", "app")) == {
        "error": {"code": "INVALID", "message": "expected a key", "field": "app"}
    }


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (
            ApiError(409, "CONFLICT", "app shop exists", "key"),
            409,
            {"code": "CONFLICT", "message": "app shop exists", "field": "key"},
        ),
        (ApiError(401, "UNAUTHORIZED", "no token"), 401, {"code": "UNAUTHORIZED", "message": "no token"}),
        (
            ContractError("circuit.min_calls", "expected an integer from 1 to 1000000, got 0"),
            400,
            {
                "code": "INVALID",
                "message": "expected an integer from 1 to 1000000, got 0",
                "field": "circuit.min_calls",
            },
        ),
        (web.HTTPNotFound(), 404, {"code": "NOT_FOUND", "message": "GET /v1/flags/a: Not Found"}),
        (
            web.HTTPRequestEntityTooLarge(10, 20),
            413,
            {"code": "REQUEST_ENTITY_TOO_LARGE", "message": "GET /v1/flags/a: Request Entity Too Large"},
        ),
        (
            ZeroDivisionError("a defect"),
            500,
            {"code": "INTERNAL", "message": "the request failed for a reason that is in the log"},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_every_error_has_the_one_shape(error: Exception, status: int, body: dict[str, str]) -> None:
    answer = await answer_to(error)
    assert (answer.status, body_of(answer)) == (status, {"error": body})


async def test_a_wrong_method_says_which_ones_are_right() -> None:
    answer = await answer_to(web.HTTPMethodNotAllowed("GET", ["POST", "PUT"]))
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST,PUT"


async def test_a_redirection_is_no_error() -> None:
    with pytest.raises(web.HTTPFound):
        await answer_to(web.HTTPFound("/elsewhere"))


async def test_a_good_answer_passes_untouched() -> None:
    answer = web.Response(text="fine")

    async def handler(request: web.Request) -> web.StreamResponse:
        return answer

    assert await errors_as_json(make_mocked_request("GET", "/"), handler) is answer
