"""What all HTTP listeners share, through real sockets."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tailslide_runtime.errors import StartError
from tailslide_runtime.guard import ListenerLimits
from tailslide_runtime.http import errors_as_json, json_response, read_json
from tailslide_runtime.listener import HttpListener
from tailslide_runtime.settings import ListenAddress

LOOPBACK = ListenAddress("127.0.0.1", 0)


async def echo(request: web.Request) -> web.StreamResponse:
    return json_response({"read": await read_json(request)})


Listen = Callable[[ListenAddress], Awaitable[ListenAddress]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    made: list[HttpListener] = []

    async def start(address: ListenAddress) -> ListenAddress:
        app = web.Application(middlewares=[errors_as_json])
        app.router.add_post("/echo", echo)
        limits = ListenerLimits(max_body_bytes=1000)
        made.append(HttpListener(app, address, "TAILSLIDE_EXAMPLE_LISTEN", limits=limits))
        return await made[-1].listen()

    yield start
    for listener in made:
        await listener.close(drain_s=1.0)


async def ask(address: ListenAddress, method: str, path: str, data: bytes = b"") -> tuple[int, dict[str, object]]:
    connector = aiohttp.UnixConnector(str(address.path)) if address.path else None
    host = "localhost" if address.path else str(address)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, f"http://{host}{path}", data=data) as answer,
    ):
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("data", "read"),
    [(b"", {}), (b'{"a": [1, null]}', {"a": [1, None]}), (b"[]", []), (b"null", None), ('"é"'.encode(), "é")],
)
async def test_a_body_is_read_as_json(listen: Listen, data: bytes, read: object) -> None:
    address = await listen(LOOPBACK)
    assert await ask(address, "POST", "/echo", data) == (200, {"read": read})


@pytest.mark.parametrize("data", [b"{", b"\xff", b"NaN", b'{"a": 1}}', b'"\\ud800"', b"[" * 900])
async def test_a_body_that_is_no_json_is_refused(listen: Listen, data: bytes) -> None:
    address = await listen(LOOPBACK)
    status, body = await ask(address, "POST", "/echo", data)
    error = body["error"]
    assert isinstance(error, dict)
    assert (status, error["code"], error["field"]) == (400, "PARSE_ERROR", "body")
    assert str(error["message"]).startswith("expected JSON: ")


@pytest.mark.parametrize(
    ("method", "path", "data", "status", "code"),
    [
        ("POST", "/nowhere", b"", 404, "NOT_FOUND"),
        ("GET", "/echo", b"", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/echo", b"1" * 2000, 413, "BODY_TOO_LARGE"),
    ],
)
async def test_the_errors_of_the_server_have_the_one_shape(
    listen: Listen, method: str, path: str, data: bytes, status: int, code: str
) -> None:
    address = await listen(LOOPBACK)
    found, body = await ask(address, method, path, data)
    assert found == status
    assert isinstance(body["error"], dict)
    assert body["error"]["code"] == code


async def test_port_0_is_answered_with_the_actual_port(listen: Listen) -> None:
    address = await listen(LOOPBACK)
    assert address.port > 0
    assert (await ask(address, "POST", "/echo"))[0] == 200


async def test_a_unix_socket_works_and_a_stale_one_is_replaced(listen: Listen, tmp_path: Path) -> None:
    address = ListenAddress(path=tmp_path / "flags.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(address.path))
    assert await listen(address) == address
    assert await ask(address, "POST", "/echo", b"5") == (200, {"read": 5})


async def test_a_port_in_use_is_one_sentence_that_names_setting_and_address(listen: Listen) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError) as caught:
            await listen(ListenAddress("127.0.0.1", port))
    assert str(caught.value) == (
        f"TAILSLIDE_EXAMPLE_LISTEN: 127.0.0.1:{port} is in use; free it or choose another address"
    )


@pytest.mark.parametrize(
    "address",
    [ListenAddress("192.0.2.1", 0), ListenAddress(path=Path("/nowhere/flags.sock"))],
    ids=["of another machine", "in no folder"],
)
async def test_an_address_that_cannot_be_had_is_one_sentence(listen: Listen, address: ListenAddress) -> None:
    with pytest.raises(StartError) as caught:
        await listen(address)
    assert str(caught.value).startswith(f"TAILSLIDE_EXAMPLE_LISTEN: {address} cannot be listened on (")
    assert "\n" not in str(caught.value)
