"""The database: its engine, its errors, and its schema brought up to date. The tables belong to the subjects.

Fails closed: without PostgreSQL nothing can be read or changed, and `DatabaseUnavailableError` says so within
seconds. The pool makes new connections by itself when the server is back.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tailslide_runtime.errors import StartError
from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_runtime.tls import TlsFileError, tls_client

log = structlog.get_logger()

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

CONNECT_TIMEOUT_S = 3.0
COMMAND_TIMEOUT_S = 5.0
POOL_TIMEOUT_S = 5.0
START_PATIENCE_S = 10.0
"""How long a start waits for the database: servers that start together must not depend on their order."""
RETRY_S = 0.5
PROBE_TIMEOUT_S = 2.0

LOCK_TIMEOUT_S = 5.0
"""How long a change of the schema waits for what others hold: whoever asks for the same table waits behind it."""
LOCK_PATIENCE_S = 120.0
"""How long a start tries again, when others hold it for longer. Another Tower may be changing the schema just now."""
MIGRATION_TIMEOUT_S = 600.0
"""How long one statement of a change of the schema may take; large tables take their time."""

MIGRATIONS_LOCK = 0x7A11_511D_E000_0001
"""Key of the advisory lock under which the schema is changed."""

# SQLSTATE classes (PostgreSQL, appendix A): connection, resources, operator intervention, authorisation, and a
# transaction that the server has rolled back: who was chosen to end a deadlock has done nothing, and may come again.
_UNAVAILABLE_CLASSES = ("08", "53", "57", "28", "40")
_READ_ONLY_STATE = "25006"
"""A standby, or a primary that was just made one: writes wait until there is a primary again."""
LOCK_NOT_AVAILABLE = "55P03"
_HOPELESS_STATES = ("28P01", "28000", "3D000")
"""Wrong password, unknown user, unknown database: waiting does not help."""


class DatabaseUnavailableError(Exception):
    """PostgreSQL cannot be reached, or does not answer, now."""


class SchemaLockedError(Exception):
    """Others hold what a change of the schema needs."""


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.address = str(url)
        """Where it is, fit for logs."""

        self._url = url
        # Not SQLAlchemy's own way to a connection, which knows neither sslmode nor several hosts nor a socket.
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            pool_size=10,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_pre_ping=True,
            # Errors are written to logs, and parameters have hashes of passwords and secrets of webhooks in them.
            hide_parameters=True,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
        )

    async def _connect(self, command_timeout_s: float = COMMAND_TIMEOUT_S) -> asyncpg.Connection:
        try:
            return await asyncpg.connect(
                **self._url.connect_options(),
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=command_timeout_s,
                server_settings={"application_name": "tailslide-tower", "timezone": "UTC"},
            )
        except OSError as error:
            # asyncpg reads the files for TLS again for each connection, and does not say which one is wrong.
            self._check_files(error)
            raise

    def _check_files(self, cause: OSError) -> None:
        if self._url.tls is not None:
            try:
                self._url.tls.make()
            except TlsFileError as problem:
                raise OSError(str(problem)) from cause

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Run a transaction: committed at the end of the block, rolled back on an exception.

        Raises `DatabaseUnavailableError` when the server is away; other errors of the database come out as they are.
        """
        with _unavailable():
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def listen(self, channel: str, heard: Callable[[], None]) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Call `heard` at each notification of a channel (LISTEN) until the end of the block, and when it is over.

        Over a connection of its own, outside of the pool. Yields what asks the server whether it is still there.
        Raises `DatabaseUnavailableError`, as does what it yields.
        """
        with _unavailable():
            connection = await self._connect()
        try:
            connection.add_termination_listener(lambda _: heard())
            with _unavailable():
                await connection.add_listener(channel, lambda *_: heard())

            async def probe() -> None:
                with _unavailable():
                    await connection.execute("SELECT 1")

            yield probe
        finally:
            # Not an orderly close, which waits for the server; nothing is under way here that could get lost.
            connection.terminate()

    async def is_up(self) -> bool:
        """Whether the database answers now."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S), self.begin() as connection:
                await connection.execute(sa.text("SELECT 1"))
        except (DatabaseUnavailableError, TimeoutError):
            return False
        return True

    async def prepare(self, patience_s: float = START_PATIENCE_S, lock_patience_s: float = LOCK_PATIENCE_S) -> None:
        """Wait for the database and bring its schema up to date; raise `StartError` when it cannot be done.

        Several Towers that start at once do it once. A table that others hold locked is waited for a short while at a
        time, since whoever asks for it meanwhile waits behind.
        """
        self._look_at_tls()
        began = asyncio.get_running_loop().time()
        complained = False
        while True:
            try:
                await self._migrate()
            except DatabaseUnavailableError as error:
                if asyncio.get_running_loop().time() >= began + patience_s or _is_hopeless(error.__cause__):
                    raise StartError(
                        f"{DatabaseUrl.variable}: expected a PostgreSQL database at {self.address}, "
                        f"which cannot be used: {error}"
                    ) from error
                if not complained:
                    log.warning("database_awaited", address=self.address, error=str(error))
                    complained = True
            except SchemaLockedError as error:
                if asyncio.get_running_loop().time() >= began + lock_patience_s:
                    raise StartError(
                        f"the schema of the database at {self.address} has to be changed, and others have held it for "
                        f"{lock_patience_s:g} s; look for long transactions in pg_stat_activity, then start Tower again"
                    ) from error
                log.warning("schema_locked_by_others", address=self.address)
            else:
                return
            await asyncio.sleep(RETRY_S * random.uniform(0.5, 1.0))  # noqa: S311 # jitter, no secret

    def _look_at_tls(self) -> None:
        """Raise `TlsFileError` for files that cannot be used; warn of a server that nobody verifies."""
        tls = self._url.tls
        if tls is None:
            return
        tls_client(tls)
        if tls.unverified is not None:
            log.warning(
                "tls_not_verified",
                server=self.address,
                unverified=tls.unverified,
                consequence="whoever is between can read and change everything; sslmode=verify-full verifies",
            )

    async def _migrate(self) -> None:
        """Change the schema in one transaction; raise `SchemaLockedError` when others hold what that needs."""
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(self._connect, MIGRATION_TIMEOUT_S),
            poolclass=sa.NullPool,
        )
        try:
            with _unavailable():
                async with engine.begin() as connection:
                    await connection.execute(sa.text(f"SET LOCAL lock_timeout = {round(LOCK_TIMEOUT_S * 1000)}"))
                    # Two Towers that start at once take turns; the lock ends with the transaction, whatever happens.
                    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATIONS_LOCK)))
                    await connection.run_sync(_upgrade)
        except CommandError as error:
            raise StartError(
                f"{DatabaseUrl.variable}: the database at {self.address} was made by another version of Tailslide: "
                f"{error}"
            ) from error
        except DBAPIError as error:
            if getattr(_driver_error(error), "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            raise SchemaLockedError from error
        finally:
            await engine.dispose()

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if not is_unavailable(error):
            raise
        raise DatabaseUnavailableError(reason_of(error)) from error


def _upgrade(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _driver_error(error: BaseException | None) -> Any:
    """Return what asyncpg has raised, out of what SQLAlchemy makes of it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def is_unavailable(error: Exception) -> bool:
    """Whether an error says that the server is away, as opposed to a defect in what it was asked."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    driver = _driver_error(error)
    if isinstance(driver, PoolTimeoutError | OSError | asyncpg.InterfaceError):  # TimeoutError is an OSError
        return True
    # A newer Tower has changed the schema; the next time the statement is prepared anew.
    if isinstance(driver, asyncpg.InvalidCachedStatementError):
        return True
    state = getattr(driver, "sqlstate", None) or ""
    return state[:2] in _UNAVAILABLE_CLASSES or state in _HOPELESS_STATES or state == _READ_ONLY_STATE


def _is_hopeless(error: BaseException | None) -> bool:
    driver = _driver_error(error)
    return isinstance(driver, asyncpg.ClientConfigurationError) or getattr(driver, "sqlstate", None) in _HOPELESS_STATES


def reason_of(error: BaseException) -> str:
    """Return the first line of what the server or the system says, without statement and parameters."""
    driver = _driver_error(error)
    if isinstance(driver, TimeoutError | PoolTimeoutError):
        return "no answer in time"
    if isinstance(driver, OSError) and driver.strerror:
        return driver.strerror
    return (str(driver).splitlines() or [type(driver).__name__])[0]
