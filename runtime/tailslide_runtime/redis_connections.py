"""Connections to Redis as all processes make them: without retries, with time limits, and failing in one way.

uvloop refuses a write to a closed transport with a bare `RuntimeError`, and redis-py takes only an `OSError` for a
connection that has gone. Between the two, a Redis that is killed at the moment of a write would end the process that
was writing. Here such a write is a connection error like others; what follows from one is for the caller to say.

redis-py keeps what it has read for TLS for as long as a pool lives. Here each new connection is made with the files as
they are then (`tls`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from tailslide_runtime.server_urls import RedisUrl
from tailslide_runtime.tls import TlsClient, tls_client

log = structlog.get_logger()


class _SturdyWrites:
    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        try:
            await super().send_packed_command(command, check_health)  # type: ignore[misc] # of the connection beside it
        except RuntimeError as error:
            if "closed" not in str(error):
                raise
            raise RedisConnectionError("the connection to Redis was closed while a command was written") from error


class _FreshTls:
    """A connection that asks for its context each time that it is made. `tls` is set on the class."""

    tls: TlsClient

    def _connection_arguments(self) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = super()._connection_arguments()  # type: ignore[misc] # of the connection beside it
        return {**arguments, "ssl": self.tls.context()}

    async def _connect(self) -> None:
        try:
            await super()._connect()  # type: ignore[misc] # of the connection beside it
        except TimeoutError as error:
            # A Redis without TLS waits for the rest of what it takes for a command.
            raise OSError("no connection in time, or no answer to its TLS handshake: is it a port for TLS?") from error


def connection_pool(
    url: RedisUrl, *, connect_timeout_s: float, answer_timeout_s: float, protocol: int, **options: Any
) -> ConnectionPool:
    """Return a pool that has no connection yet; `Redis.from_pool` makes a client of it.

    `protocol` is 2 or 3, the version of RESP; `options` are others of redis-py's `ConnectionPool.from_url`. A command
    that fails raises `RedisError`, and is not sent again. Raises `TlsFileError` for files that cannot be used.
    """
    options_of_tls = url.tls
    tls = None if options_of_tls is None else tls_client(options_of_tls)
    if options_of_tls is not None and options_of_tls.unverified is not None:
        log.warning(
            "tls_not_verified",
            server=str(url),
            unverified=options_of_tls.unverified,
            consequence="whoever is between can read and change everything",
        )
    pool: ConnectionPool = ConnectionPool.from_url(
        url.with_secrets(),
        socket_connect_timeout=connect_timeout_s,
        socket_timeout=answer_timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=protocol,
        **options,
    )
    kind = pool.connection_class  # of TCP, of TLS, or of a unix socket
    if tls is None:
        pool.connection_class = type(f"Sturdy{kind.__name__}", (_SturdyWrites, kind), {})
    else:
        pool.connection_class = type(f"Sturdy{kind.__name__}", (_SturdyWrites, _FreshTls, kind), {"tls": tls})
    return pool
