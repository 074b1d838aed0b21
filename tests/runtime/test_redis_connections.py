"""A write to a connection that has just been closed is told as every other trouble with Redis."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tailslide_runtime.redis_connections import connection_pool
from tailslide_runtime.server_urls import RedisUrl


class ClosedWriter:
    """What uvloop's transports do when they are written to after their end."""

    def __init__(self, problem: str) -> None:
        self.problem = problem

    def writelines(self, _: object) -> None:
        raise RuntimeError(self.problem)

    def close(self) -> None:
        """redis-py closes a connection that failed."""


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "rediss://127.0.0.1:1", "unix:///nowhere/redis.sock"])
async def test_write_to_a_closed_transport_is_a_connection_error(url: str) -> None:
    connection = unconnected(url, "<TCPTransport closed=True>; the handler is closed")
    with pytest.raises(RedisConnectionError, match="closed while a command was written"):
        await connection.send_packed_command(b"PING")
    assert not connection.is_connected


async def test_another_runtime_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        await unconnected("redis://127.0.0.1:1", "a defect").send_packed_command(b"PING")


def unconnected(url: str, problem: str) -> Any:
    """Return a connection that takes itself for open, and meets this problem when it is written to."""
    pool: Any = connection_pool(RedisUrl.parse(url), connect_timeout_s=1, answer_timeout_s=1, protocol=2)
    connection = pool.make_connection()
    connection._reader, connection._writer = asyncio.StreamReader(), ClosedWriter(problem)
    return connection
