"""The first app and its first SDK key, on an empty database: for those who name both before Tower has ever run."""

import sqlalchemy as sa
import structlog

from tailslide_core.sdk_keys import SdkKey
from tailslide_tower import times
from tailslide_tower.apps.models import App
from tailslide_tower.apps.store import AppStore, apps
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import log_entries, record
from tailslide_tower.auth.principal import ENVIRONMENT, Author
from tailslide_tower.database import MIGRATIONS_LOCK, Database
from tailslide_tower.keys.models import KeptKey
from tailslide_tower.keys.service import entry
from tailslide_tower.keys.store import KeyStore

log = structlog.get_logger()

KEY_NAME = "bootstrap"


async def bootstrap(database: Database, key: SdkKey) -> bool:
    """Make the app of a key, and the key, unless there is an app or there was one; return whether it was done."""
    now, author = times.now(), Author(ENVIRONMENT, reason="TAILSLIDE_BOOTSTRAP_APP is set")
    async with database.begin() as connection:
        # Of Towers that start together one does it.
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATIONS_LOCK)))
        there = sa.exists(sa.select(apps.c.key)) | sa.exists(
            sa.select(log_entries.c.id).where(log_entries.c.kind == SubjectKind.APP)
        )
        if await connection.scalar(sa.select(there)):
            return False
        app = App(key.app, key.app, 1, now, now)
        kept = KeptKey(key.record, KEY_NAME, now, author.name)
        await AppStore(connection).add(app)
        await KeyStore(connection).add(kept)
        await record(
            connection,
            LogEntry("app.created", Subject(SubjectKind.APP, app.key, app.key), author, None, app.json(), app.version),
        )
        await record(connection, entry("sdk_key.created", author, None, kept))
    log.info("bootstrapped", app=app.key, key_id=key.key_id)
    return True
