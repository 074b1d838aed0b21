import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.database import Database, is_unavailable, reason_of


def wrapped(cause: Exception) -> DBAPIError:
    driver = Exception("as SQLAlchemy's dialect says it")
    driver.__cause__ = cause
    return DBAPIError("SELECT 1", {"secret": "hush"}, driver)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        TimeoutError(),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        wrapped(asyncpg.AdminShutdownError("terminating connection due to administrator command")),
        wrapped(asyncpg.InterfaceError("connection is closed")),
        wrapped(asyncpg.InvalidPasswordError("password authentication failed")),
        wrapped(asyncpg.DeadlockDetectedError("deadlock detected")),
        wrapped(asyncpg.InvalidCachedStatementError("cached statement plan is invalid due to a schema change")),
        wrapped(asyncpg.SerializationError("could not serialize access")),
        wrapped(asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction")),
    ],
)
def test_what_ends_by_itself_counts_as_unavailable(error: Exception) -> None:
    assert is_unavailable(error)


@pytest.mark.parametrize(
    "error",
    [
        wrapped(asyncpg.UniqueViolationError("duplicate key")),
        wrapped(asyncpg.UndefinedTableError("no such table")),
        ValueError("a defect"),
    ],
)
def test_a_defect_does_not(error: Exception) -> None:
    assert not is_unavailable(error)


def test_a_reason_is_the_first_line_without_statement_or_parameters() -> None:
    assert reason_of(wrapped(asyncpg.InvalidPasswordError("no entry\nmore"))) == "no entry"
    assert reason_of(ConnectionRefusedError(111, "Connection refused")) == "Connection refused"
    assert reason_of(TimeoutError()) == "no answer in time"


def test_the_address_holds_no_password() -> None:
    url = DatabaseUrl.parse("postgresql://user:hush@db.example/flags?sslmode=require")
    assert Database(url).address == "postgresql://db.example:5432/flags"
