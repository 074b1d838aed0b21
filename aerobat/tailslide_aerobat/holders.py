"""Which Aerobats live, by the leases that they hold, and which apps are ours by that.

Pure but for the clock that it is handed, a monotonic one: no two hosts ever compare theirs. Leases are written and
watched in `leases`. A division is only an agreement on who does the work; what keeps two that disagree from harm is the
compare-and-set of each verdict.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from tailslide_core.contracts import decode_lease
from tailslide_core.errors import ContractError
from tailslide_core.naming import is_app_key, worker_of_lease
from tailslide_core.rendezvous import owner_of
from tailslide_runtime.bucket_watch import Entry, Listing

LIFETIME_S = 2.0
"""For how long a lease holds after it was renewed."""
FORGOTTEN_AFTER_S = 120.0
"""For how long a lapsed lease is remembered: longer than the bucket has it, so that listing it again revives nobody."""
_LONGEST_HOST = 40


def worker_id(host: str, start: str) -> str:
    """Return the id of an Aerobat: its host's name, as far as a key can say it, and what tells its starts apart."""
    name = re.sub(r"[^a-z0-9_-]+", "-", host.lower()).strip("-_")[:_LONGEST_HOST]
    worker = f"{name or 'aerobat'}-{start}"
    assert is_app_key(worker), worker
    return worker


@dataclass(frozen=True, slots=True)
class Holder:
    """An Aerobat that lives. `since_ms`: when it says that it started, Unix milliseconds, None when it cannot be read.

    `renewed_at`: when its lease was renewed, by our own monotonic clock in seconds; it is gone `LIFETIME_S` later.
    """

    worker: str
    since_ms: int | None
    revision: int
    renewed_at: float


class Holders:
    """The leases, as the watch and our own renewals have them. The division is worked out again by `refresh` alone."""

    def __init__(self, worker: str, clock: Callable[[], float]) -> None:
        """`worker`: our own id. `clock`: monotonic, in seconds."""
        self.worker = worker
        self.living: tuple[str, ...] = ()
        """Who lives, in order, ourselves included while our own lease holds; nobody before the listing."""
        self.divisions = 0
        """How often the division has changed."""
        self._clock = clock
        self._listed = False
        self._own: Holder | None = None
        self._others: dict[str, Holder] = {}
        self._owners: dict[str, str | None] = {}
        self._changed = asyncio.Event()

    def now(self) -> float:
        """Return the time by the clock that leases lapse by."""
        return self._clock()

    def take(self, item: Listing | Entry) -> None:
        """Remember what the watch of the bucket has delivered; our own lease in it is old news.

        The key says whose lease it is; a value that cannot be read hides no more than since when.
        """
        now = self._clock()
        if isinstance(item, Entry):
            self._take_entry(item, now)
            return
        # A lease missing from a listing has not ended, or its deletion would be listed: the bucket is new, and each has
        # its time to renew.
        for entry in item.entries.values():
            self._take_entry(entry, now)
        self._listed = True

    def _take_entry(self, entry: Entry, now: float) -> None:
        worker = worker_of_lease(entry.key)
        if worker is None or worker == self.worker:
            return
        if entry.value is None:
            self._others.pop(worker, None)
            return
        known = self._others.get(worker)
        if known is not None and known.revision == entry.revision:  # listed again, and not renewed since
            return
        self._others[worker] = Holder(worker, _since_ms(entry.value), entry.revision, now)

    def renewed(self, began_at: float | None = None, since_ms: int | None = None) -> None:
        """Note that our own lease was written; it holds from the moment when the writing began, now by default.

        The others count from when they hear of it, which is later: we step down before anybody takes over.
        """
        self._own = Holder(self.worker, since_ms, 0, self._clock() if began_at is None else began_at)

    def released(self) -> None:
        """Note that our own lease was deleted."""
        self._own = None
        self.refresh()

    def disconnected(self) -> None:
        """Own nothing until the next listing and the next renewal."""
        self._listed = False
        self.released()

    def refresh(self) -> bool:
        """Work out who lives now, and return whether that changes the division."""
        now = self._clock()
        latest, oldest = now - LIFETIME_S, now - FORGOTTEN_AFTER_S
        self._others = {worker: holder for worker, holder in self._others.items() if holder.renewed_at > oldest}
        known = self._others if self._own is None else {**self._others, self.worker: self._own}
        living = tuple(sorted(worker for worker, holder in known.items() if holder.renewed_at > latest))
        if not self._listed:  # then nothing is known, and nothing would tell who goes
            living = ()
        if living == self.living:
            return False
        self.living = living
        self.divisions += 1
        self._owners = {}
        self._changed.set()
        self._changed = asyncio.Event()
        return True

    async def changed_since(self, divisions: int) -> None:
        """Wait until the division is another one than when `divisions` was read."""
        while self.divisions == divisions:
            await self._changed.wait()

    @property
    def holds(self) -> bool:
        """Whether our own lease held when last looked at, so that we may own anything."""
        return self.worker in self.living

    def owner(self, app: str) -> str | None:
        """Return the worker that an app belongs to; None when nobody lives."""
        try:
            return self._owners[app]
        except KeyError:
            owner = self._owners[app] = owner_of(app, self.living)
            return owner

    def owns(self, app: str) -> bool:
        """Whether an app is ours."""
        return self.owner(app) == self.worker

    def held(self) -> list[Holder]:
        """Return those who live, in order."""
        known = self._others if self._own is None else {**self._others, self.worker: self._own}
        return [known[worker] for worker in self.living if worker in known]

    def renewed_ms_ago(self, holder: Holder) -> int:
        """Return how long ago a lease was renewed, in milliseconds."""
        return max(0, round((self._clock() - holder.renewed_at) * 1000))


def _since_ms(value: bytes) -> int | None:
    try:
        return decode_lease(value).since_ms
    except ContractError:
        return None
