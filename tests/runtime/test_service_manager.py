import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tailslide_runtime import service_manager
from tailslide_runtime.errors import StartError
from tailslide_runtime.listening import bind
from tailslide_runtime.service_manager import READY, inherited_sockets, tell
from tailslide_runtime.settings import ListenAddress

NAMES = ("flags", "proxy")


def environment(names: str, count: int = 1) -> dict[str, str]:
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": names}


@pytest.fixture
def hand_over(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what makes a descriptor the first one that is handed over; it belongs to whoever takes it then."""

    def handed(descriptor: int) -> None:
        monkeypatch.setattr(service_manager, "_FIRST_DESCRIPTOR", descriptor)

    return handed


def test_without_a_service_manager_there_are_no_sockets() -> None:
    assert inherited_sockets({}, NAMES) == {}
    assert inherited_sockets(environment("flags") | {"LISTEN_PID": "1"}, NAMES) == {}


async def test_a_socket_is_taken_by_its_name_and_is_still_there_once_it_is_closed(
    tmp_path: Path, hand_over: Callable[[int], None]
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as managed:
        managed.bind(str(tmp_path / "flags.sock"))
        managed.listen()
        hand_over(os.dup(managed.fileno()))
        taken = inherited_sockets(environment("flags"), NAMES)
        assert set(taken) == {"flags"}
        assert taken["flags"].address == ListenAddress(path=tmp_path / "flags.sock")
        assert not taken["flags"].socket.get_inheritable()

        def refused() -> None:
            raise AssertionError

        bound = await bind(refused, ListenAddress("127.0.0.1", 1), "flags_listen", inherited=taken["flags"])  # type: ignore[arg-type]
        assert bound.address.path == tmp_path / "flags.sock"
        bound.close()
        await bound.server.wait_closed()
        assert (tmp_path / "flags.sock").is_socket()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(tmp_path / "flags.sock"))


def test_what_does_not_listen_is_refused(tmp_path: Path, hand_over: Callable[[int], None]) -> None:
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    hand_over(datagrams.detach())
    with pytest.raises(StartError, match=r"the socket 'flags' of the socket unit does not listen: expected ListenStr"):
        inherited_sockets(environment("flags"), NAMES)

    hand_over(os.open(tmp_path, os.O_RDONLY))
    with pytest.raises(StartError, match=r"what the socket unit hands over as 'proxy' is no socket: "):
        inherited_sockets(environment("proxy"), NAMES)


def test_a_name_that_is_not_known_is_refused() -> None:
    with pytest.raises(StartError, match="hands over 'http': expected FileDescriptorName=flags or proxy"):
        inherited_sockets(environment("http"), NAMES)
    with pytest.raises(StartError, match="hands over ''"):
        inherited_sockets(environment(""), NAMES)


def test_readiness_is_told_to_a_path_and_to_an_abstract_name(tmp_path: Path) -> None:
    for address, shown in ((str(tmp_path / "told"), None), (f"\0tailslide-{os.getpid()}", "@")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(address)
            tell(READY, {"NOTIFY_SOCKET": address if shown is None else f"@{address[1:]}"})
            assert told.recv(100) == b"READY=1"


def test_a_service_manager_that_is_gone_is_logged_and_nothing_more(tmp_path: Path) -> None:
    with capture_logs() as logs:
        tell(READY, {"NOTIFY_SOCKET": str(tmp_path / "nobody")})
        tell(READY, {})
    assert [line["event"] for line in logs] == ["service_manager_not_told"]
