"""All routes of the flags listener, without a listener: who is let in, and what errors look like."""

import asyncio
import dataclasses
from collections.abc import Mapping
from unittest import mock

import orjson
import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request
from flag_listeners import Parts, parts
from flag_requests import APP, TOKEN, USER, content

from tailslide_sidecar import flags_api
from tailslide_sidecar.outcome_counts import OutcomeCounts
from tailslide_sidecar.reported import MAX_BYTES, Reports

ONE = "/ofrep/v1/evaluate/flags/half"
ALL = "/ofrep/v1/evaluate/flags"
NATIVE = "/v1/flags/half"
JSON = {"Content-Type": "application/json"}


async def ask(
    behind: Parts, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = JSON
) -> tuple[int, dict[str, object], web.Response]:
    """Return the status, the JSON and all of an answer."""
    payload = StreamReader(mock.create_autospec(BaseProtocol, instance=True), 2**16, loop=asyncio.get_running_loop())
    payload.feed_data(body)
    payload.feed_eof()
    behind.app.freeze()
    request = make_mocked_request(method, path, headers, payload=payload, app=behind.app, client_max_size=2**20)
    answer = await behind.app._handle(request)
    assert isinstance(answer, web.Response)
    content = answer.body
    assert content is None or isinstance(content, bytes)
    return answer.status, orjson.loads(content) if content and "json" in answer.content_type else {}, answer


@pytest.fixture
def clinic() -> Parts:
    return parts(APP, content())


@pytest.fixture
def guarded() -> Parts:
    return parts(APP, content(), TOKEN)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"{NATIVE}?targeting_key=u1", b"", 200),
        ("GET", "/v1/flags/h%61lf?targeting_key=u1", b"", 200),
        ("GET", "/v1/flags", b"", 200),
        ("POST", ONE, USER, 200),
        ("POST", f"{ONE}/", USER, 200),
        ("POST", "/ofrep/v1/evaluate/flags/h%61lf", USER, 200),
        ("POST", ALL, b"", 200),
        ("POST", f"{ALL}/", b"{}", 200),
        ("POST", f"{NATIVE}/outcomes", b'[{"outcome":"success"}]', 202),
        ("GET", "/v1/status", b"", 200),
        ("GET", "/healthz", b"", 200),
        ("GET", "/readyz", b"", 200),
        ("GET", "/metrics", b"", 200),
        ("GET", "/v1/flags/gone", b"", 404),
        ("POST", "/ofrep/v1/evaluate/flags/gone", b"", 404),
        ("POST", "/v1/flags/gone/outcomes", b"{}", 404),
        ("GET", "/nowhere", b"", 404),
        ("POST", "/ofrep/v1/nowhere", b"", 404),
        ("GET", ONE, b"", 405),
        ("DELETE", NATIVE, b"", 405),
        ("POST", ONE, b" " * 1_100_000, 413),
        ("POST", f"{NATIVE}/outcomes", b" " * 1_100_000, 413),
        ("POST", f"{NATIVE}/outcomes", b"{", 400),
        ("POST", ONE, b"{", 400),
        ("POST", ALL, b"[]", 400),
    ],
)
async def test_routes(clinic: Parts, method: str, path: str, body: bytes, status: int) -> None:
    found, said, answer = await ask(clinic, method, path, body)
    assert found == status
    if status < 400:
        return
    assert answer.content_type == "application/json"
    if path.startswith("/ofrep/"):
        assert {"errorCode", "errorDetails"} <= said.keys() <= {"key", "errorCode", "errorDetails"}
        assert all(isinstance(value, str) for value in said.values())
    else:
        error = said["error"]
        assert isinstance(error, dict)
        assert {"code", "message"} <= error.keys() <= {"code", "message", "field"}


async def test_a_wrong_method_says_which_ones_are_right(clinic: Parts) -> None:
    for path in (ONE, f"{NATIVE}/outcomes"):
        status, _, answer = await ask(clinic, "DELETE", path)
        assert (status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("kind", ["text/plain", "application/problem+json", "", "nonsense"])
async def test_another_type_is_refused_unless_there_is_no_body(clinic: Parts, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    for path in (ONE, ALL, f"{NATIVE}/outcomes"):
        status, said, _ = await ask(clinic, "POST", path, b"{}", headers)
        assert status == 415, path
        assert "application/json" in str(said)
    for path in (ONE, ALL):
        status, _, _ = await ask(clinic, "POST", path, b"", headers)
        assert status in {200, 400}, path
    status, said, _ = await ask(clinic, "POST", ONE, b"{}", headers)
    assert said["key"] == "half"


async def test_the_charset_does_not_matter(clinic: Parts) -> None:
    status, _, _ = await ask(clinic, "POST", ONE, USER, {"Content-Type": 'application/json; charset="UTF-8"'})
    assert status == 200


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({}, False),
        ({"Authorization": f"Bearer {TOKEN}"}, True),
        ({"X-API-Key": TOKEN}, True),
        ({"Authorization": "Bearer no", "X-API-Key": TOKEN}, True),
        ({"Authorization": "Bearer no"}, False),
        ({"Authorization": f"Basic {TOKEN}"}, False),
        ({"Authorization": TOKEN}, False),
        ({"X-API-Key": f"{TOKEN}x"}, False),
        ({"X-API-Key": ""}, False),
        ({"X-API-Key": "sésame"}, False),
    ],
)
async def test_the_token_opens_all(guarded: Parts, headers: dict[str, str], let_in: bool) -> None:
    for method, path, body, otherwise in [
        ("POST", ONE, USER, 200),
        ("POST", ALL, USER, 200),
        ("GET", NATIVE, b"", 200),
        ("GET", "/v1/flags", b"", 200),
        ("GET", "/v1/status", b"", 200),
        ("POST", f"{NATIVE}/outcomes", b'{"outcome":"success"}', 202),
        ("GET", "/nowhere", b"", 404),
    ]:
        status, said, _ = await ask(guarded, method, path, body, {**JSON, **headers})
        assert status == (otherwise if let_in else 401), path
        if let_in:
            continue
        if path.startswith("/ofrep/"):
            assert said["errorCode"] == "GENERAL"
            assert ("key" in said) is (path == ONE)
        else:
            assert said["error"] == {
                "code": "UNAUTHORIZED",
                "message": "expected Authorization: Bearer <flags_token> or X-API-Key: <flags_token>",
            }


async def test_what_machines_ask_is_open(guarded: Parts) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        status, _, _ = await ask(guarded, "GET", path)
        assert status == 200, path


async def test_the_key_of_the_events_opens_nothing_else(guarded: Parts) -> None:
    assert guarded.events.key is not None
    assert TOKEN not in guarded.events.request_uri
    for method, path in (("GET", NATIVE), ("POST", ONE), ("GET", "/v1/status")):
        for headers in ({}, {"X-API-Key": guarded.events.key}, {"Authorization": f"Bearer {guarded.events.key}"}):
            status, _, _ = await ask(guarded, method, f"{path}?key={guarded.events.key}", b"", headers)
            assert status == 401
    for path in (guarded.events.path, f"{guarded.events.path}?key=no", f"{guarded.events.path}?key={TOKEN}"):
        status, _, _ = await ask(guarded, "GET", path)
        assert status == 401, path


async def test_an_etag_is_honoured(clinic: Parts) -> None:
    _, _, first = await ask(clinic, "POST", ALL, USER)
    status, _, answer = await ask(clinic, "POST", ALL, USER, {**JSON, "If-None-Match": first.headers["ETag"]})
    assert (status, answer.body, answer.headers["ETag"]) == (304, None, first.headers["ETag"])


async def test_outcomes_arrive_in_the_buffer(clinic: Parts) -> None:
    status, said, _ = await ask(clinic, "POST", f"{NATIVE}/outcomes", b'{"outcome":"failure","count":3}')
    assert (status, said) == (202, {"accepted": 3})
    assert clinic.buffer.take() == {("half", "failure"): 3}
    status, said, _ = await ask(clinic, "POST", f"{NATIVE}/outcomes", b'[{"outcome":"no"}]')
    assert status == 400
    assert said["error"] == {
        "code": "INVALID",
        "message": 'expected success or failure, got "no"',
        "field": "[0].outcome",
    }


async def test_reports_have_a_size_of_their_own(clinic: Parts) -> None:
    report = b'{"outcome": "success", "latency_ms": 12345.123456789012, "count": 100}'
    body = b"[" + b",\n    ".join([report] * 1_000) + b"]"
    assert (await ask(clinic, "POST", f"{NATIVE}/outcomes", body))[0] == 202
    status, said, _ = await ask(clinic, "POST", f"{NATIVE}/outcomes", body.ljust(MAX_BYTES + 1))
    assert status == 413
    assert said["error"] == {
        "code": "BODY_TOO_LARGE",
        "message": f"expected a body of at most {MAX_BYTES} bytes, got {MAX_BYTES + 1}",
        "field": "body",
    }


async def test_reports_need_the_token(guarded: Parts) -> None:
    status, said, _ = await ask(guarded, "POST", f"{NATIVE}/outcomes", b'{"outcome":"failure"}')
    assert status == 401
    assert guarded.buffer.take() == {}
    headers = {**JSON, "Authorization": f"Bearer {TOKEN}"}
    status, said, _ = await ask(guarded, "POST", f"{NATIVE}/outcomes", b'{"outcome":"failure"}', headers)
    assert (status, said) == (202, {"accepted": 1})


async def test_too_many_reports_are_told_when_to_come_again(clinic: Parts) -> None:
    most = b'{"outcome":"success","count":100000}'
    assert (await ask(clinic, "POST", f"{NATIVE}/outcomes", most))[0] == 202
    status, said, answer = await ask(clinic, "POST", f"{NATIVE}/outcomes", most)
    assert status == 429
    assert said["error"] == {
        "code": "TOO_MANY_REPORTS",
        "message": "expected outcomes of at most 10000 calls a second for each flag, 100000 at once; nothing of this "
        "was counted",
        "field": "body",
    }
    assert 1 <= int(answer.headers["Retry-After"]) <= 10


async def test_reports_that_are_turned_off_are_refused_whatever_they_say(clinic: Parts) -> None:
    quiet = dataclasses.replace(
        clinic.app[flags_api._API],
        reports=Reports(clinic.store, clinic.buffer, OutcomeCounts(APP), lambda _: None, accepts=False),
    )
    clinic.app[flags_api._API] = quiet
    for body, headers in ((b'{"outcome":"failure"}', JSON), (b"{", JSON), (b"", {})):
        status, said, _ = await ask(clinic, "POST", f"{NATIVE}/outcomes", body, headers)
        assert status == 403
        assert said["error"] == {
            "code": "REPORTS_OFF",
            "message": "this sidecar takes no reports of outcomes (reported_outcomes is false)",
        }


@pytest.mark.parametrize("path", [f"{NATIVE}/outcomes", f"{NATIVE}/outcomes?x=1"])
@pytest.mark.parametrize("item", ['"outcome"', '"latency_ms"', '"count"', '"else"'])
async def test_a_report_that_is_nested_a_thousand_deep_is_a_bad_request(clinic: Parts, path: str, item: str) -> None:
    for body in (f"{{{item}: {'[' * 900}{']' * 900}}}", f"{{{item}: {'[' * 2_000}{']' * 2_000}}}"):
        assert (await ask(clinic, "POST", path, body.encode()))[0] == 400


async def test_a_defect_is_an_error_in_the_right_form(
    clinic: Parts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    for name in ("ofrep_one", "ofrep_all", "native_one"):
        monkeypatch.setattr(clinic.answers, name, broken)
    status, said, _ = await ask(clinic, "POST", ONE, USER)
    assert (status, said["key"], said["errorCode"]) == (500, "half", "GENERAL")
    status, said, _ = await ask(clinic, "POST", ALL, USER)
    assert (status, said["errorCode"]) == (500, "GENERAL")
    status, said, _ = await ask(clinic, "GET", NATIVE)
    assert status == 500
    assert isinstance(said["error"], dict)
    assert said["error"]["code"] == "INTERNAL"
    assert "ZeroDivisionError" in capsys.readouterr().out
