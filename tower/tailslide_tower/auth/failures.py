"""Failed attempts to get in: limited by account and address, counted, and told in the log, a few of many.

Where there are more, the answer is 429 with Retry-After, and no password is looked at. What is right is found out
before anything is limited only for long random secrets (API tokens, links): those cannot be guessed, and a script
behind the same address as somebody's broken one has to go on.
"""

import time
from collections.abc import Callable

import structlog

from tailslide_runtime.http import ApiError
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.attempts import FailureReports, Limit, LoginAttempts, Refused
from tailslide_tower.auth.client_address import limited_as
from tailslide_tower.auth.principal import SYSTEM, Author
from tailslide_tower.database import Database
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.sessions.session import Client

log = structlog.get_logger()

SECRETS_BURST = 20
SECRETS_INTERVAL_S = 3.0


class LoginFailures:
    """The failures that this Tower has seen. `monotonic` gives seconds that never go back."""

    def __init__(
        self, database: Database, metrics: TowerMetrics, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._now_s = monotonic
        self._attempts = LoginAttempts()
        self._secrets = Limit(SECRETS_BURST, SECRETS_INTERVAL_S)
        self._reports = FailureReports()

    def begin(self, account: str, client: Client, *, is_known_address: bool = False) -> Refused | None:
        """Count a try to log in to an account; return what stands against it."""
        return self._attempts.begin(
            account, limited_as(client.address), self._now_s(), is_known_address=is_known_address
        )

    def succeeded(self, method: str, account: str, client: Client) -> None:
        """Note that a try was rightful."""
        self._attempts.succeeded(account, limited_as(client.address))
        self._metrics.login(method, "succeeded")

    def withdraw(self, account: str, client: Client) -> None:
        """Take back a try that could not be decided."""
        self._attempts.withdraw(account, limited_as(client.address))

    def refusal(self, method: str, refused: Refused) -> ApiError:
        """Return the answer to a try that is not to be made now, and count it."""
        self._metrics.login(method, "limited")
        return _too_many(refused.retry_after_s)

    async def failed(self, method: str, account: str, client: Client) -> None:
        """Note a wrong password; `account` is what the person has typed as e-mail address."""
        await self._tell(method, f"{limited_as(client.address)} {account}", client, {"account": account})

    async def wrong_secret(self, method: str, client: Client, details: dict[str, object] | None = None) -> None:
        """Note a token or a link that is not known; raise 429 when there were many from this address."""
        address, now_s = limited_as(client.address), self._now_s()
        wait_s = self._secrets.wait_s(address, now_s)
        if wait_s > 0.0:
            self._metrics.login(method, "limited")
            raise _too_many(max(1, round(wait_s)))
        self._secrets.take(address, now_s)
        await self._tell(method, f"{address} {method}", client, {} if details is None else details)

    async def refused(self, method: str, client: Client, why: str) -> None:
        """Note somebody whom a provider knows, and who does not get in; raise 429 as for a wrong secret."""
        await self.wrong_secret(method, client, {"why": why})

    async def _tell(self, method: str, key: str, client: Client, details: dict[str, object]) -> None:
        self._metrics.login(method, "failed")
        failures = self._reports.to_tell(key, self._now_s())
        if failures is None:
            return
        entry = LogEntry(
            "login.failed",
            Subject(SubjectKind.SESSION, key=str(details.get("account", "")) or None),
            Author(SYSTEM, client.address),
            details={**details, "method": method, "failures": failures},
        )
        async with self._database.begin() as connection:
            await record(connection, entry)
        log.info("login_failed", method=method, address=client.address, failures=failures, **details)


def _too_many(retry_after_s: int) -> ApiError:
    return ApiError(
        429,
        "TOO_MANY_ATTEMPTS",
        f"too many failed attempts; try again in {retry_after_s} s",
        headers={"Retry-After": str(retry_after_s)},
        more={"retry_after_s": retry_after_s},
    )
