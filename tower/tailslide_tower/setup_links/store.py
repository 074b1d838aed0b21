"""Set-up links in the database: by the hash of their secret. One that was used is no longer there."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.auth.secret_texts import SecretKind, hash_of, new_id, new_secret
from tailslide_tower.database import metadata
from tailslide_tower.users.store import users

setup_links = sa.Table(
    "setup_links",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("secret_hash", sa.Text, nullable=False, unique=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
)


class Purpose(StrEnum):
    """What a link is for."""

    FIRST_ADMIN = "first_admin"
    """Made by the first start; opens nothing any more once there is a user."""
    ADMIN = "admin"
    """Made on the host, for whoever is locked out."""


@dataclass(frozen=True, slots=True)
class SetupLink:
    """A link that makes its user an admin."""

    id: str
    purpose: Purpose


class SetupLinkStore:
    """Reads and writes set-up links inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def has(self, purpose: Purpose, now: datetime) -> bool:
        """Whether there is a link of this purpose that has not expired."""
        query = sa.select(setup_links.c.id).where(
            setup_links.c.purpose == purpose.value, setup_links.c.expires_at > now
        )
        return bool(await self._connection.scalar(sa.select(sa.exists(query))))

    async def add(self, purpose: Purpose, now: datetime, expires_at: datetime) -> tuple[SetupLink, str]:
        """Make a link; return it and its secret."""
        link, secret = SetupLink(new_id("set"), purpose), new_secret(SecretKind.SETUP_LINK)
        await self._connection.execute(
            sa.insert(setup_links).values(
                id=link.id,
                secret_hash=hash_of(secret),
                purpose=purpose.value,
                created_at=now,
                expires_at=expires_at,
            )
        )
        return link, secret

    async def find(self, secret: str, now: datetime) -> SetupLink | None:
        """Return a link that may be used now, locked until the end of the transaction."""
        nobody = sa.not_(sa.exists(sa.select(users.c.id)))
        query = (
            sa.select(setup_links.c.id, setup_links.c.purpose)
            .where(
                setup_links.c.secret_hash == hash_of(secret),
                setup_links.c.expires_at > now,
                sa.or_(setup_links.c.purpose == Purpose.ADMIN.value, nobody),
            )
            .with_for_update()
        )
        row = (await self._connection.execute(query)).first()
        return None if row is None else SetupLink(row.id, Purpose(row.purpose))

    async def delete_all(self, purpose: Purpose) -> None:
        """Delete the links of a purpose: none of them opens anything any more."""
        await self._connection.execute(sa.delete(setup_links).where(setup_links.c.purpose == purpose.value))

    async def delete(self, link: SetupLink) -> None:
        """Delete a link that was used."""
        await self._connection.execute(sa.delete(setup_links).where(setup_links.c.id == link.id))
