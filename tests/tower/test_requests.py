from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.test_utils import make_mocked_request

from tailslide_core.errors import ContractError
from tailslide_runtime.http import ApiError
from tailslide_tower.flags.models import FlagChange, FlagCreate
from tailslide_tower.requests import (
    NoQuery,
    Page,
    PageQuery,
    Precondition,
    read_body,
    read_precondition,
    read_query,
)


def request(
    path: str = "/", body: bytes = b"", content_type: str = "application/json", match: dict[str, str] | None = None
) -> Any:
    headers = {"Content-Type": content_type, "Content-Length": str(len(body))} if body else {}
    return make_mocked_request("POST", path, headers, payload=arrived(body), match_info=match or {})


def arrived(body: bytes) -> StreamReader:
    if not body:
        return EMPTY_PAYLOAD
    reader = StreamReader(Mock(_reading_paused=False), limit=2**16)
    reader.feed_data(body)
    reader.feed_eof()
    return reader


async def refusal(body: bytes, content_type: str = "application/json") -> ApiError:
    with pytest.raises(ApiError) as caught:
        await read_body(request(body=body, content_type=content_type), FlagCreate)
    return caught.value


async def test_a_body_is_read_as_its_model() -> None:
    flag = await read_body(request(body=b'{"key": "new-checkout", "rollout": 25}'), FlagCreate)
    assert flag.model_dump(exclude_unset=True) == {"key": "new-checkout", "rollout": 25.0}


async def test_an_empty_body_has_no_fields() -> None:
    assert (await read_body(request(), FlagChange)).model_fields_set == set()


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"{", "body", "expected JSON: "),
        (b"[]", "body", "expected a JSON object"),
        (b"null", "body", "expected a JSON object"),
        (b"{}", "key", "a value is required"),
        (b'{"key": "k", "colour": 1}', "colour", "unknown field"),
        (b'{"key": "k", "active": 1}', "active", "expected a valid boolean, got 1"),
        (b'{"key": "k", "active": "true"}', "active", 'expected a valid boolean, got "true"'),
        (b'{"key": "k", "rollout": "5"}', "rollout", 'expected a valid number, got "5"'),
        (b'{"key": "k", "rollout": true}', "rollout", "expected a valid number, got true"),
        (b'{"key": "k", "rollout": null}', "rollout", "expected a valid number, got null"),
        (b'{"key": "k", "allow": "u1"}', "allow", 'expected a valid list, got "u1"'),
        (b'{"key": "k", "allow": ["u1", 2]}', "allow[1]", "expected a valid string, got 2"),
        (b'{"key": "k", "allow": [""]}', "allow[0]", 'expected at least 1 character, got ""'),
        (b'{"key": "k", "deny": ["\\u0000"]}', "deny[0]", "expected text without the character U+0000"),
        (b'{"key": "k", "circuit": 5}', "circuit", "expected an object, got 5"),
        (b'{"key": "k", "circuit": {"min_calls": 2.5}}', "circuit.min_calls", "expected a valid integer"),
        (
            b'{"key": "k", "circuit": {"recovery": {"x": 1}}}',
            "circuit.recovery.x",
            "unknown field; expected one of: de",
        ),
        (
            b'{"key": "k", "rules": [{"when": [{"x": 1}]}]}',
            "rules[0].when[0].x",
            "unknown field; expected one of: attr",
        ),
        (b'{"key": "k", "circuit": {"reset_generation": 7}}', "circuit.reset_generation", "expected to be left out"),
        (b'{"key": "k", "version": 7}', "version", "expected to be left out"),
        (b'{"key": "k", "updated_at": null}', "updated_at", "expected to be left out"),
        (b'{"key": "k", "metadata": {"": 1}}', "metadata.", "expected at least 1 character"),
        (b'{"key": "k", "metadata": {"a\\u0000": 1}}', "metadata.a\0", "expected text without the character U+0000"),
        (b'{"key": "k", "variants": {"a": {"b": ["\\u0000"]}}}', "variants.a", "expected text without the character"),
        (
            b'{"key": "k", "split": [{"variant": "on", "weight": "1"}]}',
            "split[0].weight",
            "expected a valid int",
        ),
        (b'{"key": "k", "requires": ["a"]}', "requires[0]", 'expected an object, got "a"'),
        (b'{"key": "k", "rules": [{"rollout": 5}]}', "rules[0].when", "a value is required"),
        (
            b'{"key": "k", "rules": [{"when": [{"attribute": "a", "operator": "in", "values": [1, "\\u0000"]}]}]}',
            "rules[0].when[0].values[1]",
            "expected text without the character U+0000",
        ),
    ],
)
async def test_what_a_body_must_not_say_is_refused_by_field(body: bytes, field: str, message: str) -> None:
    error = await refusal(body)
    assert (error.status, error.field) == (400, field)
    assert error.message.startswith(message)


async def test_an_unknown_field_is_told_which_there_are() -> None:
    error = await refusal(b'{"key": "k", "circuit": {"recovery": {"delay": 1}}}')
    expected = "delay_ms, max_delay_ms, initial, increment, interval_ms, profile"
    assert error.message == f"unknown field; expected one of: {expected}"
    assert "version" not in (await refusal(b'{"key": "k", "colour": 1}')).message


async def test_a_change_keeps_the_key() -> None:
    with pytest.raises(ApiError) as caught:
        await read_body(request(body=b'{"key": "other"}'), FlagChange)
    assert (caught.value.status, caught.value.field) == (400, "key")


async def test_a_body_must_be_json_by_its_content_type() -> None:
    error = await refusal(b"key=k", "application/x-www-form-urlencoded")
    assert (error.status, error.code, error.field) == (415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type")


def test_pages() -> None:
    assert read_query(request("/"), PageQuery).page == Page(limit=100, after="")
    assert read_query(request("/?limit=500&after=a-1"), PageQuery).page == Page(limit=500, after="a-1")


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=ten", "limit=", "offset=5", "limit=5&limit=6"])
def test_a_page_that_cannot_be_is_refused(query: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_query(request(f"/?{query}"), PageQuery)
    assert (caught.value.status, caught.value.field) == (400, query.partition("=")[0])


def test_keys_are_checked_wherever_they_stand() -> None:
    with pytest.raises(ContractError, match="after: expected 1 to 100 characters"):
        _ = read_query(request("/?after=a."), PageQuery).page


def test_a_query_where_none_is_known_is_refused() -> None:
    read_query(request("/"), NoQuery)
    with pytest.raises(ApiError) as caught:
        read_query(request("/?force=1"), NoQuery)
    assert caught.value.field == "force"


def precondition(header: str | None) -> Precondition:
    return read_precondition(
        make_mocked_request("PATCH", "/", {} if header is None else {"If-Match": header}), required=False
    )


@pytest.mark.parametrize("header", [None, "*", '"7"', '"6", "7"'])
def test_a_precondition_that_holds(header: str | None) -> None:
    precondition(header).check(7)


@pytest.mark.parametrize("header", ['"6"', 'W/"7"', '"6", "8"'])
def test_a_precondition_that_does_not_hold(header: str) -> None:
    with pytest.raises(ApiError) as caught:
        precondition(header).check(7)
    assert (caught.value.status, caught.value.code) == (412, "PRECONDITION_FAILED")


@pytest.mark.parametrize("header", ["7", "", "version 7"])
def test_a_precondition_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(ApiError) as caught:
        precondition(header)
    assert (caught.value.status, caught.value.field) == (400, "If-Match")


def test_a_precondition_that_is_required_and_missing_is_told() -> None:
    with pytest.raises(ApiError) as caught:
        read_precondition(make_mocked_request("PATCH", "/"))
    assert (caught.value.status, caught.value.field) == (428, "If-Match")


def test_a_stale_precondition_is_told_what_is_there_now() -> None:
    with pytest.raises(ApiError) as caught:
        precondition('"6"').check(7, lambda: {"key": "a"})
    assert caught.value.more == {"current": {"key": "a"}}
    assert caught.value.headers == {"ETag": '"7"'}
