import orjson
import pytest

from tailslide_runtime.http import ApiError
from tailslide_runtime.http1.refusals import Refusal
from tailslide_tower.api.problems import guard_problem, problem_response


@pytest.mark.parametrize(
    ("status", "code", "title"),
    [
        (404, "FLAG_NOT_FOUND", "Flag not found"),
        (404, "NOT_FOUND", "Not Found"),
        (400, "INVALID", "Invalid request"),
        (428, "PRECONDITION_REQUIRED", "Precondition Required"),
        (599, "ODD", "Odd"),
    ],
)
def test_title_says_what_the_code_says(status: int, code: str, title: str) -> None:
    answer = problem_response(ApiError(status, code, "so it is", "flag"))
    assert answer.content_type == "application/problem+json"
    assert orjson.loads(answer.body) == {  # type: ignore[arg-type] # bytes
        "type": f"urn:tailslide:problem:{code.lower().replace('_', '-')}",
        "title": title,
        "status": status,
        "detail": "so it is",
        "code": code,
        "field": "flag",
    }


def test_more_members_never_replace_those_that_all_problems_have() -> None:
    error = ApiError(
        412, "STALE", "it has changed", more={"current": {"key": "a"}, "code": "x"}, headers={"ETag": '"2"'}
    )
    answer = problem_response(error)
    body = orjson.loads(answer.body)  # type: ignore[arg-type] # bytes
    assert (body["current"], body["code"], answer.headers["ETag"]) == ({"key": "a"}, "STALE", '"2"')


def test_guard_refuses_in_the_same_shape() -> None:
    body = orjson.loads(guard_problem("/", Refusal(400, "BAD_REQUEST", "expected a request", field="Host")))
    assert (body["code"], body["detail"], body["field"], body["status"]) == (
        "BAD_REQUEST",
        "expected a request",
        "Host",
        400,
    )
