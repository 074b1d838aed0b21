"""Taking addresses. TCP needs a socket: see `tests/integration/test_runtime_http.py` and `test_flags_listener.py`."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tailslide_runtime.errors import StartError
from tailslide_runtime.listening import Bound, bind, cannot_listen, refuse_if_served
from tailslide_runtime.settings import ListenAddress


class Greeter(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def address(tmp_path: Path) -> ListenAddress:
    return ListenAddress(path=tmp_path / "flags.sock")


@pytest.fixture
async def served(address: ListenAddress) -> AsyncIterator[Bound]:
    bound = await bind(Greeter, address, "flags_listen")
    yield bound
    bound.close()
    await bound.server.wait_closed()


def path_of(address: ListenAddress) -> Path:
    assert address.path is not None
    return address.path


async def greeting(address: ListenAddress) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path_of(address))
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_unix_socket_is_served_and_removed_at_the_end(address: ListenAddress) -> None:
    bound = await bind(Greeter, address, "flags_listen")
    assert bound.address == address
    assert await greeting(address) == b"hello"
    bound.close()
    await bound.server.wait_closed()
    assert not path_of(address).exists()
    bound.close()


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
async def test_the_mode_is_as_it_is_set(address: ListenAddress, mode: int) -> None:
    bound = await bind(Greeter, address, "flags_listen", socket_mode=mode)
    assert stat.S_IMODE(path_of(address).stat().st_mode) == mode
    bound.close()
    await bound.server.wait_closed()


async def test_the_socket_of_a_dead_process_is_replaced(address: ListenAddress) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(address.path))
        stale.listen()
    await refuse_if_served(address, "flags_listen")
    bound = await bind(Greeter, address, "flags_listen")
    assert await greeting(address) == b"hello"
    bound.close()
    await bound.server.wait_closed()


async def test_the_socket_of_a_live_process_is_left_alone(served: Bound, address: ListenAddress) -> None:
    with pytest.raises(StartError) as error:
        await bind(Greeter, address, "flags_listen")
    assert str(error.value) == f"flags_listen: {address} is in use; free it or choose another address"
    assert await greeting(address) == b"hello"


async def test_a_file_in_the_way_is_left_alone(address: ListenAddress) -> None:
    path_of(address).write_text("mine")
    with pytest.raises(StartError) as error:
        await bind(Greeter, address, "flags_listen")
    assert str(error.value).startswith(f"flags_listen: {address} ")
    assert "\n" not in str(error.value)
    assert path_of(address).read_text() == "mine"


async def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    address = ListenAddress(path=tmp_path / "nowhere" / "flags.sock")
    with pytest.raises(StartError) as error:
        await bind(Greeter, address, "flags_listen")
    assert str(error.value).startswith(f"flags_listen: {address} cannot be listened on (")


async def test_a_path_that_is_too_long_is_one_sentence(tmp_path: Path) -> None:
    address = ListenAddress(path=tmp_path / ("x" * 120))
    with pytest.raises(StartError) as error:
        await bind(Greeter, address, "flags_listen")
    assert str(error.value).startswith(f"flags_listen: {address} cannot be listened on (")


def test_a_refusal_names_the_reason() -> None:
    address = ListenAddress("127.0.0.1", 4141)
    error = cannot_listen(address, "flags_listen", OSError(13, "Permission denied"))
    assert str(error) == (
        "flags_listen: 127.0.0.1:4141 cannot be listened on (Permission denied); free it or choose another address"
    )
