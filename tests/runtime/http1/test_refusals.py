"""What a listener answers by itself."""

from http import HTTPStatus

import orjson
import pytest

from tailslide_runtime.http1 import refusals
from tailslide_runtime.http1.refusals import Refusal, bad_request, status_line, too_large
from tailslide_sidecar.proxy.refusals import no_capacity


def test_an_error_has_the_shape_that_all_have() -> None:
    refusal = Refusal(404, "NO_ROUTE", 'no route takes "é"')
    assert orjson.loads(refusal.body()) == {"error": {"code": "NO_ROUTE", "message": 'no route takes "é"'}}
    assert refusal.block() == b"\r\nContent-Type: application/json; charset=utf-8"


def test_an_answer_that_is_no_error_has_no_body_to_tell_of() -> None:
    assert Refusal(204, "", "", headers=((b"Allow", b"GET"),)).block() == b"\r\nAllow: GET"


@pytest.mark.parametrize(
    ("refusal", "status", "closes", "retries"),
    [
        (bad_request("expected a Host"), 400, True, False),
        (refusals.SLOW_HEAD, 408, True, False),
        (refusals.SLOW_BODY, 408, True, False),
        (refusals.TOO_MANY_CONNECTIONS, 503, True, True),
        (too_large(5), 413, True, False),
        (no_capacity("/a", 5), 503, False, True),
    ],
)
def test_refusals(refusal: Refusal, status: int, closes: bool, retries: bool) -> None:
    assert (refusal.status, refusal.closes) == (status, closes)
    assert (b"\r\nRetry-After: 1" in refusal.block()) == retries
    assert refusal.message
    assert not refusal.message[0].isupper()
    assert "\n" not in refusal.message


def test_a_status_line_gives_the_reason() -> None:
    assert status_line(413) == b"HTTP/1.1 413 Content Too Large"
    assert status_line(200, b"Fine") == b"HTTP/1.1 200 Fine"
    assert status_line(599) == b"HTTP/1.1 599 "
    for status in HTTPStatus:
        assert status_line(status).startswith(b"HTTP/1.1 %d " % status)


def test_a_body_that_is_too_large_is_told_the_limit() -> None:
    assert too_large(5).message == "expected a body of at most 5 bytes"
    assert too_large(0).message == "expected no body"
