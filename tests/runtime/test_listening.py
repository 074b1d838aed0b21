"""Taking addresses. TCP needs a socket: see `tests/integration/test_runtime_http.py` and `test_flags_listener.py`."""

import asyncio
import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tailslide_runtime.errors import StartError
from tailslide_runtime.listening import Bound, bind, cannot_listen
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
    bound = await bind(Greeter, address, "flags_listen")
    assert await greeting(address) == b"hello"
    bound.close()
    await bound.server.wait_closed()


async def test_the_socket_of_a_live_process_is_left_alone(served: Bound, address: ListenAddress) -> None:
    with pytest.raises(StartError) as error:
        await bind(Greeter, address, "flags_listen")
    assert str(error.value) == f"flags_listen: {address} is in use; free it or choose another address"
    assert await greeting(address) == b"hello"


@pytest.mark.parametrize("kind", ["file", "folder", "link to a file", "link to a socket", "link to nothing", "pipe"])
async def test_what_is_no_socket_is_left_alone(address: ListenAddress, kind: str) -> None:
    path, elsewhere = path_of(address), path_of(address).with_name("elsewhere")
    match kind:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            if kind == "link to a file":
                elsewhere.write_text("mine")
            if kind == "link to a socket":
                with socket.socket(socket.AF_UNIX) as stale:
                    stale.bind(str(elsewhere))
            path.symlink_to(elsewhere)
    before = path.lstat()
    with pytest.raises(StartError) as error:
        await bind(Greeter, address, "flags_listen")
    assert str(error.value) == (
        f"flags_listen: {address} cannot be listened on (there is something else than a socket); "
        "free it or choose another address"
    )
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert {found.name for found in path.parent.iterdir()} <= {path.name, "elsewhere"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
async def test_the_dead_socket_of_another_user_is_left_alone(address: ListenAddress) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(address.path))
    os.chown(path_of(address), 12_345, 12_345)
    with pytest.raises(StartError, match=r"\(there is a socket of another user, uid 12345\)"):
        await bind(Greeter, address, "flags_listen")
    assert path_of(address).is_socket()


async def test_a_socket_whose_server_has_no_place_for_a_connection_is_left_alone(address: ListenAddress) -> None:
    """The system refuses to queue one more: that server is busy, not dead."""
    with socket.socket(socket.AF_UNIX) as busy, contextlib.ExitStack() as clients:
        busy.bind(str(address.path))
        busy.listen(0)
        for _ in range(2):
            client = clients.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            client.connect_ex(str(address.path))
        with pytest.raises(StartError, match="is in use"):
            await bind(Greeter, address, "flags_listen")
        assert path_of(address).is_socket()


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o600), (0o777, 0o666), (0o022, 0o660)])
async def test_a_socket_is_never_at_its_path_with_other_permissions_than_its_own(
    address: ListenAddress, umask: int, mode: int
) -> None:
    """Looked at with each call that changes the folder: whoever sees the path, sees a socket that is as it stays."""
    path = path_of(address)
    seen: list[tuple[bool, int]] = []

    def look(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event.partition(".")[0] in ("os", "socket") and os.path.lexists(path):
            status = os.lstat(path)
            seen.append((stat.S_ISSOCK(status.st_mode), stat.S_IMODE(status.st_mode)))

    watching = True
    sys.addaudithook(look)  # stays for the life of the process, and looks away after this test
    before = os.umask(umask)
    try:
        bound = await bind(Greeter, address, "flags_listen", socket_mode=mode)
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read() == b"hello"
        writer.close()
    finally:
        os.umask(before)
        watching = False
    bound.close()
    await bound.server.wait_closed()
    assert set(seen) == {(True, mode)}


async def test_a_socket_that_has_taken_the_place_of_ours_is_not_removed(address: ListenAddress) -> None:
    first = await bind(Greeter, address, "flags_listen")
    path_of(address).unlink()
    second = await bind(Greeter, address, "flags_listen")
    first.close()
    await first.server.wait_closed()
    assert await greeting(address) == b"hello"
    second.close()
    await second.server.wait_closed()
    assert list(path_of(address).parent.iterdir()) == []


async def test_of_two_that_want_the_same_path_at_once_one_gets_it(address: ListenAddress) -> None:
    found = await asyncio.gather(*(bind(Greeter, address, "flags_listen") for _ in range(5)), return_exceptions=True)
    bound = [each for each in found if isinstance(each, Bound)]
    refused = [str(each) for each in found if not isinstance(each, Bound)]
    assert refused == [f"flags_listen: {address} is in use; free it or choose another address"] * 4
    assert await greeting(address) == b"hello"
    for each in bound:
        each.close()
        await each.server.wait_closed()
    assert list(path_of(address).parent.iterdir()) == []


async def test_a_start_that_fails_leaves_nothing_behind(
    address: ListenAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "hardlink_to", full)
    with pytest.raises(StartError, match="No space left on device"):
        await bind(Greeter, address, "flags_listen")
    assert list(path_of(address).parent.iterdir()) == []


async def test_a_folder_that_everybody_may_write_to_is_told_of(address: ListenAddress) -> None:
    for mode, told in ((0o755, False), (0o770, False), (0o1777, False), (0o777, True)):
        path_of(address).parent.chmod(mode)
        with capture_logs() as logs:
            bound = await bind(Greeter, address, "flags_listen")
        bound.close()
        await bound.server.wait_closed()
        assert [line["event"] for line in logs] == (["socket_folder_exposed"] if told else [])


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
