"""The rules of SDK keys: made, listed, revoked. That NATS and Redis come to know is the business of `publishing`."""

import secrets
import string
from collections.abc import Callable

import structlog

from tailslide_core.sdk_keys import SdkKey
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.apps.errors import app_not_found
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import Author
from tailslide_tower.database import Database
from tailslide_tower.keys.models import KeptKey, KeyCreate
from tailslide_tower.keys.store import KeyStore
from tailslide_tower.requests import Page

log = structlog.get_logger()

MAX_KEYS = 100
"""Of one app: each Tower and Aerobat has all keys of all apps in memory."""
_ID_LENGTH = 8
_SECRET_BYTES = 32


def new_key(app: str) -> SdkKey:
    """Make a key that nobody can guess."""
    key_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(_ID_LENGTH))
    return SdkKey(app, key_id, secrets.token_urlsafe(_SECRET_BYTES))


class KeyService:
    """SDK keys, for people: raises `ApiError` on what they ask in vain. `changed` is called after each commit."""

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database = database
        self._changed = changed

    async def page(self, app: str, page: Page) -> list[KeptKey]:
        """Return the keys of a page and, if there are more, one of them."""
        async with self._database.begin() as connection:
            if await AppStore(connection).get(app) is None:
                raise app_not_found(app)
            return await KeyStore(connection).page(app, page)

    async def create(self, app: str, request: KeyCreate, author: Author) -> tuple[SdkKey, KeptKey]:
        """Make a key; return it, which is kept nowhere, and what is kept of it."""
        key = new_key(app)
        kept = KeptKey(key.record, request.name, times.now(), author.name)
        async with self._database.begin() as connection:
            if await AppStore(connection).lock(app) is None:
                raise app_not_found(app)
            store = KeyStore(connection)
            if await store.count(app) >= MAX_KEYS:
                raise ApiError(
                    409,
                    "TOO_MANY_KEYS",
                    f"the app {app!r} has {MAX_KEYS} keys; that is the most it can have; revoke those that nobody uses",
                    "app",
                )
            if not await store.add(kept):
                raise ApiError(503, "TRY_AGAIN", "the id of the new key is taken; send the request again", "app")
            await record(connection, entry("sdk_key.created", author, None, kept))
        self._changed()
        log.info("sdk_key_created", who=author.name, app=app, key_id=key.key_id)
        return key, kept

    async def revoke(self, app: str, key_id: str, author: Author) -> None:
        """Revoke a key, for good."""
        async with self._database.begin() as connection:
            kept = await KeyStore(connection).revoke(app, key_id, times.now())
            if kept is None:
                if await AppStore(connection).get(app) is None:
                    raise app_not_found(app)
                raise ApiError(404, "KEY_NOT_FOUND", f"the app {app!r} has no key with the id {key_id[:40]!r}", "key")
            await record(connection, entry("sdk_key.revoked", author, kept, None))
        self._changed()
        log.info("sdk_key_revoked", who=author.name, app=app, key_id=key_id)


def entry(action: str, author: Author, before: KeptKey | None, after: KeptKey | None) -> LogEntry:
    """Return the log's entry about a key."""
    key = after or before
    assert key is not None
    return LogEntry(
        action,
        Subject(SubjectKind.SDK_KEY, key.record.app, key.record.key_id),
        author,
        None if before is None else before.json(),
        None if after is None else after.json(),
    )
