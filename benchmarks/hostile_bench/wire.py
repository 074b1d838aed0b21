"""A client that sends bytes as it is told, well-formed or not, and says what came back and how it ended.

Nothing here waits without a bound. Reading goes on while sending does, so that an early answer is seen.
"""

import asyncio
import contextlib
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

Address = tuple[str, int]

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3})", re.MULTILINE)
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Seen:
    """What a client saw: all bytes of the answers, how the connection ended, how much it had sent by then.

    `end` is `closed`, `reset`, `refused`, `answered` (and kept open) or `open` (nothing more came in time).
    """

    data: bytes
    end: str
    sent: int
    took_s: float

    @property
    def status(self) -> int | None:
        """The status of the first answer that is not interim; None without one."""
        found = [int(status) for status in _STATUS.findall(self.data) if not status.startswith(b"1")]
        return found[0] if found else None

    @property
    def label(self) -> str:
        """The status, if there is one, and the end of the connection, if the server brought it about."""
        status = self.status
        ended = "" if self.end == "answered" else self.end
        return " ".join(part for part in ("" if status is None else str(status), ended) if part)


def is_whole(data: bytes) -> bool:
    """Whether the bytes hold one final answer with all of its body, as its Content-Length has it."""
    while True:
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            return False
        if head.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
            data = rest
            continue
        length = _LENGTH.search(head + b"\r\n")
        return length is None or len(rest) >= int(length[1])


async def talk(
    address: Address, parts: Iterable[bytes], *, wait_s: float = 10.0, pause_s: float = 0.0, whole: bool = True
) -> Seen:
    """Send the parts, with a pause between them, and read meanwhile, for at most `wait_s` in all.

    With `whole`, one whole answer is enough; else it is read until the connection ends.
    """
    began = time.monotonic()
    sent = 0
    data = bytearray()
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*address), wait_s)
    except (OSError, TimeoutError):
        return Seen(b"", "refused", 0, time.monotonic() - began)

    async def send() -> None:
        nonlocal sent
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                sent += len(part)
                if pause_s:
                    await asyncio.sleep(pause_s)

    sending = asyncio.create_task(send())
    end = "open"
    try:
        async with asyncio.timeout(max(0.01, wait_s - (time.monotonic() - began))):
            while True:
                more = await reader.read(65_536)
                if not more:
                    end = "closed"
                    break
                data += more
                if whole and sending.done() and is_whole(bytes(data)):
                    end = "answered"
                    break
    except TimeoutError:
        end = "answered" if whole and is_whole(bytes(data)) else "open"
    except ConnectionError:
        end = "reset"
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.transport.abort()
    return Seen(bytes(data), end, sent, time.monotonic() - began)


@contextlib.asynccontextmanager
async def crowd(address: Address, count: int, begins_with: bytes = b"") -> AsyncIterator[list[socket.socket]]:
    """Hold so many connections, each of which has sent `begins_with`; those that are refused are left out."""
    loop = asyncio.get_running_loop()
    held: list[socket.socket] = []

    async def one() -> None:
        connection = socket.socket()
        connection.setblocking(False)
        try:
            async with asyncio.timeout(5):
                await loop.sock_connect(connection, address)
                if begins_with:
                    await loop.sock_sendall(connection, begins_with)
        except (OSError, TimeoutError):
            connection.close()
        else:
            held.append(connection)

    try:
        for start in range(0, count, 100):
            await asyncio.gather(*(one() for _ in range(start, min(count, start + 100))))
        yield held
    finally:
        for connection in held:
            connection.close()


async def flood(connection: socket.socket, block: bytes, *, most: int, seconds: float) -> int:
    """Send a block again and again, until so many bytes were taken or the time is over; return how many were."""
    loop = asyncio.get_running_loop()
    done = 0
    try:
        async with asyncio.timeout(seconds):
            while done < most:
                for start in range(0, len(block), 65_536):
                    piece = block[start : start + 65_536]
                    await loop.sock_sendall(connection, piece)
                    done += len(piece)
    except (OSError, TimeoutError):
        pass  # held back, as it should be, or ended
    return done


def reset(connection: socket.socket) -> None:
    """Close a connection with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


def ended(connection: socket.socket) -> tuple[bool, bytes]:
    """Whether the server has ended a connection, and what it has said; reads without waiting."""
    said = bytearray()
    while True:
        try:
            more = connection.recv(65_536)
        except BlockingIOError:
            return False, bytes(said)
        except OSError:
            return True, bytes(said)
        if not more:
            return True, bytes(said)
        said += more


def request(method: str, target: str, body: bytes = b"", host: str = "127.0.0.1", **fields: str) -> bytes:
    """Return a plain request; names of fields are written with `_`, a body brings its length and JSON as its type."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}")
        if "Content_Type" not in fields:
            lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
