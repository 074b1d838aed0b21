"""One client of the live socket: what it wants, how far it was told, and what is sent to it next.

Nothing is queued. A session knows up to which entry of the log its client was told, and which flags and sidecars differ
since they were sent; what it sends is what is true then. So a slow client costs no more memory than a quick one, and
gets the latest state, once. Entries of the log are never skipped: they are read again from where it stands.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

import orjson

from tailslide_core.naming import FlagId
from tailslide_tower.audit.queries import Scope
from tailslide_tower.auth.principal import Principal, Role
from tailslide_tower.database import DatabaseUnavailableError
from tailslide_tower.live.messages import PROTOCOL_VERSION, Asked, CloseCode, Json, Wanted
from tailslide_tower.live.sources import Bounds, FlagViews, LiveEntry, SidecarKey, SidecarViews, Socket

SEND_TIMEOUT_S = 20.0
"""How long a client may take no message."""
BATCH = 200
"""Entries, and flags, that are read and sent at once."""
MAX_SNAPSHOT_FLAGS = 2_000
MAX_DIRTY = 2_000
"""So many flags may differ at once; when there are more, the client is told to read them again."""
MAX_BEHIND = 10_000
"""Entries of the log that a client may have missed."""
RETRY_S = 1.0


class Ended(Exception):  # noqa: N818 # named after what happened
    """The socket is to be closed, with this code and for this reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Log(Protocol):
    """The log as the hub has it. Raises `DatabaseUnavailableError`."""

    @property
    def newest(self) -> int:
        """Return the id of the newest entry that is known."""

    async def after(self, entry_id: int, limit: int) -> Sequence[LiveEntry]:
        """Return up to `limit` entries behind an id, oldest first, from memory where they are there."""

    async def bounds(self) -> Bounds:
        """Return how far the log reaches."""


class Session:
    """A client. `run` is its writer; the rest is called by others and never waits."""

    def __init__(
        self, socket: Socket, principal: Principal, *, log: Log, flags: FlagViews, sidecars: SidecarViews
    ) -> None:
        self.socket = socket
        self.principal = principal
        self.wanted = Wanted()
        self.sent = 0
        """Messages that were sent."""
        self._log = log
        self._flags = flags
        self._sidecars = sidecars
        self._asked: Asked | None = None
        self._errors: list[Json] = []
        self._position: int | None = None
        """The entry up to which the client was told; None before it has subscribed."""
        self._dirty_flags: dict[FlagId, None] = {}
        self._dirty_sidecars: dict[SidecarKey, None] = {}
        self._arriving: set[FlagId] = set()
        """Flags that were last sent as ones that not all sidecars have taken in."""
        self._refreshes = False
        self._last_shown: dict[FlagId, Json | None] = {}
        """Of flags that are looked at again and again: what the client has."""
        self._overflowed = False
        self._points: Json | None = None
        self._following = True
        self._woken = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Session of {self.principal.name} at {self._position}, {len(self._dirty_flags)} flags differ>"

    # What others say

    def ask(self, asked: Asked) -> None:
        """Take a subscription; the last one counts."""
        self._asked = asked
        self.wake()

    def object_to(self, code: str, field: str, detail: str) -> None:
        """Tell the client that its message was not taken."""
        self._errors.append({"type": "error", "code": code, "field": field, "detail": detail})
        self.wake()

    def wake(self) -> None:
        """Look whether there is something to send."""
        self._woken.set()

    def flag_differs(self, flag_id: FlagId) -> None:
        """Note that a flag is to be sent again, if the client follows it."""
        if self._position is None or not self.wanted.has_flag(flag_id) or not self.may_view(flag_id.app):
            return
        if len(self._dirty_flags) >= MAX_DIRTY and flag_id not in self._dirty_flags:
            self._overflowed = True
        else:
            self._dirty_flags[flag_id] = None
        self.wake()

    def sidecar_differs(self, key: SidecarKey) -> None:
        """Note that a sidecar is to be sent again, if it is followed, and the flags that it may have taken in now."""
        if self._position is None:
            return
        for flag_id in [flag_id for flag_id in self._arriving if flag_id.app == key[0]]:
            self.flag_differs(flag_id)
        if not self._follows_sidecars(key[0]):
            return
        if len(self._dirty_sidecars) >= MAX_DIRTY and key not in self._dirty_sidecars:
            self._overflowed = True
        else:
            self._dirty_sidecars[key] = None
        self.wake()

    def show_points(self, message: Json) -> None:
        """Send graph points; those that were not sent yet are given up for them."""
        self._points = message
        self.wake()

    def refresh(self) -> None:
        """Look again at the single flags that the client follows; those that differ are sent."""
        self._refreshes = True
        self.wake()

    def may_view(self, app: str) -> bool:
        """Whether the client may see an app."""
        return self.principal.may(Role.VIEWER, app)

    def _follows_sidecars(self, app: str) -> bool:
        return self.wanted.sidecars and self.wanted.has_app(app) and self.may_view(app)

    def takes(self, entry: LiveEntry) -> bool:
        """Whether the client is told of an entry of the log."""
        if not Scope.of(self.principal).sees(entry.kind, entry.app):
            return False
        if entry.app is None:
            return self.wanted.every_app
        flag_id = entry.flag_id
        return self.wanted.has_app(entry.app) or (flag_id is not None and flag_id in self.wanted.flags)

    # What is sent

    async def run(self) -> None:
        """Send what there is to send, until cancelled; raise `Ended` when the client takes nothing any more."""
        await self._send({"type": "hello", "version": PROTOCOL_VERSION, "cursor": str(self._log.newest)})
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._send_all()
            except DatabaseUnavailableError as error:
                await self._tell_following(False, f"the database cannot be reached: {error}")
                await asyncio.sleep(RETRY_S)
                self.wake()
            else:
                await self._tell_following(True)

    async def _send_all(self) -> None:
        errors, self._errors = self._errors, []
        for error in errors:
            await self._send(error)
        asked = self._asked
        if asked is not None:
            await self._begin(asked)
            if self._asked is asked:
                self._asked = None
        if self._position is not None:
            await self._catch_up()
            await self._send_differing()
            if self._refreshes:
                self._refreshes = False
                await self._send_flags(self.wanted.flags, only_others=True)
        points, self._points = self._points, None
        if points is not None:
            await self._send(points)

    async def _begin(self, asked: Asked) -> None:
        """Take up a subscription: go on from a cursor, or send what is true now."""
        bounds = await self._log.bounds()
        since, resync = asked.since, None
        if since is not None and since > bounds.newest:
            since, resync = None, "cursor_unknown"  # of another database, or of an older copy's future
        elif since is not None and (bounds.newest - since > MAX_BEHIND or since < bounds.oldest - 1):
            since, resync = None, "cursor_too_old"
        self.wanted = asked.wanted
        if self._position is None or since is None:
            self._dirty_flags.clear()
            self._arriving.clear()
        else:
            # The client goes on, so nothing tells it anew what it has not been told yet.
            followed = asked.wanted.has_flag
            self._dirty_flags = {flag_id: None for flag_id in self._dirty_flags if followed(flag_id)}
            self._arriving = {flag_id for flag_id in self._arriving if followed(flag_id)}
        self._position = bounds.newest if since is None else since
        self._dirty_sidecars.clear()
        self._last_shown.clear()
        self._overflowed = False
        self._points = None
        await self._send({"type": "subscribed", "cursor": str(self._position), "resync": resync})
        if self.wanted.sidecars:
            for (app, instance), shown in self._sidecars.of(self._apps()).items():
                if self._follows_sidecars(app):
                    await self._send({"type": "sidecar", "app": app, "instance": instance, "sidecar": shown})
        if since is None and self.wanted.snapshot:
            complete = await self._send_snapshot()
            more = None if complete else "too_many_flags"
            await self._send({"type": "current", "cursor": str(self._position), "resync": more})

    def _apps(self) -> Collection[str] | None:
        """Return the apps that are followed as a whole and may be viewed; None for all."""
        visible = self.principal.apps_with(Role.VIEWER)
        if self.wanted.every_app:
            return visible
        return self.wanted.apps if visible is None else self.wanted.apps & visible

    async def _send_snapshot(self) -> bool:
        """Send all flags that are followed; False where they are too many, of which the first were sent."""
        single = [flag_id for flag_id in self.wanted.flags if self.may_view(flag_id.app)]
        await self._send_flags(single)
        apps, after, sent = self._apps(), None, 0
        if apps is not None and not apps:
            return True
        while True:
            some = await self._flags.page(apps, after, BATCH)
            if not some:
                return True
            if sent >= MAX_SNAPSHOT_FLAGS:
                return False
            for flag_id, shown in some:
                if flag_id not in self.wanted.flags:
                    await self._send_flag(flag_id, shown)
            sent += len(some)
            after = some[-1][0]

    async def _catch_up(self) -> None:
        """Tell of all entries of the log up to now: the flags that they touch first, so that no cursor is ahead."""
        assert self._position is not None
        while self._position < self._log.newest and self._asked is None:
            entries = await self._log.after(self._position, BATCH)
            if not entries:
                return
            taken = [entry for entry in entries if self.takes(entry)]
            touched = dict.fromkeys(flag_id for entry in taken if (flag_id := entry.flag_id) is not None)
            for flag_id in touched:
                self._dirty_flags.pop(flag_id, None)
            await self._send_flags(list(touched))
            for entry in taken:
                await self._send_entry(entry)
            self._position = entries[-1].id
            if not taken or taken[-1].id != self._position:
                await self._send({"type": "cursor", "cursor": str(self._position)})

    async def _send_entry(self, entry: LiveEntry) -> None:
        cursor = str(entry.id)
        if self.wanted.log:
            await self._send({"type": "log", "cursor": cursor, "entry": entry.shown})
        elif entry.flag_id is None:
            await self._send(
                {
                    "type": "changed",
                    "cursor": cursor,
                    "kind": entry.kind,
                    "app": entry.app,
                    "key": entry.key,
                    "action": entry.action,
                }
            )
        else:
            await self._send({"type": "cursor", "cursor": cursor})

    async def _send_differing(self) -> None:
        if self._overflowed:
            self._overflowed = False
            self._dirty_flags.clear()
            self._dirty_sidecars.clear()
            await self._send({"type": "resync", "reason": "too_many_changes"})
        flags, sidecars = list(self._dirty_flags), list(self._dirty_sidecars)
        for first in range(0, len(flags), BATCH):
            some = flags[first : first + BATCH]
            await self._send_flags(some)
            for flag_id in some:
                self._dirty_flags.pop(flag_id, None)
        self._dirty_sidecars.clear()
        known = self._sidecars.some(sidecars)
        for app, instance in sidecars:
            if self._follows_sidecars(app):
                shown = known.get((app, instance))
                await self._send({"type": "sidecar", "app": app, "instance": instance, "sidecar": shown})

    async def _send_flags(self, flag_ids: Collection[FlagId], *, only_others: bool = False) -> None:
        """Send flags as they are now; `only_others` than what the client has."""
        visible = [flag_id for flag_id in flag_ids if self.may_view(flag_id.app)]
        if not visible:
            return
        found = await self._flags.some(visible)
        for flag_id in visible:
            shown = found.get(flag_id)
            if not only_others or flag_id not in self._last_shown or self._last_shown[flag_id] != shown:
                await self._send_flag(flag_id, shown)

    async def _send_flag(self, flag_id: FlagId, shown: Json | None) -> None:
        if shown is not None and _is_arriving(shown):
            self._arriving.add(flag_id)
        else:
            self._arriving.discard(flag_id)
        if self.wanted.refresh_ms is not None and flag_id in self.wanted.flags:
            self._last_shown[flag_id] = shown
        await self._send({"type": "flag", "app": flag_id.app, "key": flag_id.flag, "flag": shown})

    async def _tell_following(self, following: bool, detail: str | None = None) -> None:
        if following is not self._following:
            self._following = following
            await self._send({"type": "status", "following": following, "detail": detail})

    async def _send(self, message: Json) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self.socket.send(orjson.dumps(message).decode())
        except TimeoutError:
            raise Ended(CloseCode.TOO_SLOW, "the client has taken nothing for too long") from None
        self.sent += 1


def _is_arriving(shown: Json) -> bool:
    """Whether there are sidecars that have not taken a flag in, by its state, if it has one."""
    arrived = shown.get("state", {}).get("arrived")
    return arrived is not None and arrived["arrived"] < arrived["of"]
