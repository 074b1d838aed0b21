"""Alerts on a real database, without a Tower around them: a clock that a test moves, and a log that it writes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from tower_bench import TowerBench
from webhook_receivers import FixedNames

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import circuit_json
from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.alerts import changes
from tailslide_tower.alerts.addresses import AddressRules
from tailslide_tower.alerts.composer import LogComposer
from tailslide_tower.alerts.deliverer import Deliverer
from tailslide_tower.alerts.delivery import Delivery
from tailslide_tower.alerts.delivery_store import deliveries, read_delivery
from tailslide_tower.alerts.dispatcher import Dispatcher
from tailslide_tower.alerts.log_reader import DatabaseLog
from tailslide_tower.alerts.models import WebhookCreate
from tailslide_tower.alerts.retries import RetryPolicy
from tailslide_tower.alerts.sending import Sender
from tailslide_tower.alerts.webhook import Webhook
from tailslide_tower.alerts.webhook_store import WebhookStore
from tailslide_tower.apps.models import App
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import BY_SYSTEM, ENVIRONMENT, Author
from tailslide_tower.database import Database

LOOPBACK = AddressRules(["127.0.0.0/8"])
TOWER_URL = "https://tower.example.org"
BEGAN = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
TRIP = TripReason(TripRule.ERROR_RATE, 62.0, 53.1, 50.0, 141, 10_000)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    at: datetime = BEGAN

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Counted:
    """Counts what the parts count."""

    attempts: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def attempted(self, outcome: str) -> None:
        self.attempts.append(outcome)

    def noticed(self, action: str) -> None:
        self.notices.append(action)


class AlertBench:
    """The parts of one Tower's alerts on a database that others may share."""

    def __init__(self, database: Database, clock: Clock, names: FixedNames | None = None) -> None:
        self.database = database
        self.clock = clock
        self.counted = Counted()
        policy, log = RetryPolicy(), DatabaseLog()
        self.sender = Sender(names or FixedNames(), LOOPBACK, now=clock)
        self.dispatcher = Dispatcher(database, log, policy=policy, now=clock)
        self.deliverer = Deliverer(
            database,
            self.sender,
            LogComposer(database, log, tower_url=TOWER_URL, now=clock),
            self.counted,
            policy=policy,
            now=clock,
            chance=lambda: 0.5,
        )

    async def webhook(self, url: str, kind: str = "generic", **more: object) -> Webhook:
        """Make a webhook."""
        request = WebhookCreate.model_validate({"name": "On call", "kind": kind, "url": url, **more})
        webhook = changes.created(request, LOOPBACK, self.clock())
        async with self.database.begin() as connection:
            await WebhookStore(connection).add(webhook)
        return webhook

    async def app(self, key: str = "checkout", name: str = "Checkout") -> None:
        """Make an app."""
        async with self.database.begin() as connection:
            await AppStore(connection).add(App(key, name, 1, self.clock(), self.clock()))

    async def happen(
        self,
        action: str,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
        *,
        flag: str = "new-checkout",
        by_person: bool = False,
        reason: str | None = None,
    ) -> int:
        """Write an entry of the log, as of now."""
        kind = SubjectKind.CIRCUIT if action.startswith("circuit.") else SubjectKind.FLAG
        author = Author(ENVIRONMENT, reason=reason) if by_person else BY_SYSTEM
        entry = LogEntry(
            action,
            Subject(kind, "checkout", flag),
            author,
            before,
            after,
            at_ms=int(self.clock().timestamp() * 1000),
        )
        async with self.database.begin() as connection:
            return await record(connection, entry)

    async def opens(self, flag: str = "new-checkout") -> int:
        """Let a circuit open."""
        return await self.happen("circuit.opened", circuit_json(Circuit()), circuit_json(self.opened()), flag=flag)

    async def closes(self, flag: str = "new-checkout") -> int:
        """Let a circuit close."""
        before = Circuit(State.RECOVERING, 90.0, 1, 12, reason=TRIP)
        return await self.happen(
            "circuit.closed", circuit_json(before), circuit_json(Circuit(trips=1, generation=13)), flag=flag
        )

    def opened(self) -> Circuit:
        """Return a circuit that has opened now."""
        now_ms = int(self.clock().timestamp() * 1000)
        return Circuit(State.OPEN, 0.0, 1, 1, since_ms=now_ms, next_ms=now_ms + 30_000, reason=TRIP)

    async def deliveries(self) -> Sequence[Delivery]:
        """Return all deliveries, in the order of their making."""
        async with self.database.begin() as connection:
            rows = (await connection.execute(sa.select(deliveries).order_by(deliveries.c.id))).mappings()
            return [read_delivery(row) for row in rows]


@asynccontextmanager
async def alert_bench(
    bench: TowerBench, clock: Clock | None = None, names: FixedNames | None = None
) -> AsyncIterator[AlertBench]:
    """Put the parts of one more Tower on the bench's database."""
    database = Database(DatabaseUrl.parse(bench.database_url))
    try:
        await database.prepare()
        yield AlertBench(database, clock or Clock(), names)
    finally:
        await database.close()
