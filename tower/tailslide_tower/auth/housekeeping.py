"""What has expired is deleted: sessions, invitations, links, addresses of long ago. Nothing counts on it being done."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from tailslide_tower import times
from tailslide_tower.auth.rights_store import forget_app_roles
from tailslide_tower.database import Database, DatabaseUnavailableError
from tailslide_tower.invitations.store import invitations
from tailslide_tower.sessions.session import Lifetimes
from tailslide_tower.sessions.store import sessions
from tailslide_tower.setup_links.store import setup_links
from tailslide_tower.users.store import KNOWN_FOR, known_addresses
from tailslide_tower.viewer_links.store import viewer_links

log = structlog.get_logger()

EVERY_S = 600.0
KEPT_AFTER_USE = timedelta(days=30)
"""How long a viewer link is listed after it could be used for the last time."""


async def delete_expired(database: Database, lifetimes: Lifetimes, now: datetime) -> None:
    """Delete what counts no more."""
    async with database.begin() as connection:
        await connection.execute(
            sa.delete(sessions).where(
                sa.or_(sessions.c.expires_at <= now, sessions.c.last_used_at <= now - lifetimes.idle)
            )
        )
        over = sa.delete(invitations).where(invitations.c.expires_at <= now).returning(invitations.c.id)
        ended = list((await connection.scalars(over)).all())
        if ended:
            await forget_app_roles(connection, ended)
        await connection.execute(sa.delete(setup_links).where(setup_links.c.expires_at <= now))
        living = sa.exists().where(sessions.c.link_id == viewer_links.c.id)
        await connection.execute(
            sa.delete(viewer_links).where(viewer_links.c.expires_at <= now - KEPT_AFTER_USE, sa.not_(living))
        )
        await connection.execute(sa.delete(known_addresses).where(known_addresses.c.last_login_at <= now - KNOWN_FOR))


async def keep_house(
    database: Database, lifetimes: Lifetimes, clock: Callable[[], datetime] = times.now, every_s: float = EVERY_S
) -> None:
    """Delete what has expired every `every_s` seconds or so, until cancelled. Any number of Towers may do it."""
    while True:
        try:
            await delete_expired(database, lifetimes, clock())
        except DatabaseUnavailableError as error:
            log.debug("expired_not_deleted", error=str(error))
        await asyncio.sleep(every_s * random.uniform(0.75, 1.25))  # noqa: S311 # jitter, no secret
