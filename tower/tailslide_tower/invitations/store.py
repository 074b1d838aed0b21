"""Invitations in the database: by the hash of their secret. One that was accepted is no longer there."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.auth.makers import still_admin
from tailslide_tower.auth.rights_store import apps_of, forget_app_roles, rights_of, set_app_roles
from tailslide_tower.auth.secret_texts import hash_of
from tailslide_tower.database import metadata
from tailslide_tower.invitations.invitation import Invitation
from tailslide_tower.users.user import Email

_MOMENT = sa.DateTime(timezone=True)

invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("email_key", sa.Text(collation="C"), nullable=False, unique=True),
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=True),
    sa.Column("role", sa.Text, nullable=True),
    sa.Column("secret_hash", sa.Text, nullable=False, unique=True),
    sa.Column("made_by", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=True),
    sa.Column("made_by_name", sa.Text, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("expires_at", _MOMENT, nullable=False),
)

_SELECT = sa.select(invitations, apps_of(invitations.c.id))


class InvitationStore:
    """Reads and writes invitations inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, limit: int, after: str) -> list[Invitation]:
        """Return up to `limit` + 1 invitations in the order of their addresses, behind the address `after`."""
        query = _SELECT.where(invitations.c.email_key > after).order_by(invitations.c.email_key).limit(limit + 1)
        return [_invitation(row) for row in (await self._connection.execute(query)).mappings()]

    async def put(self, invitation: Invitation, secret: str) -> Invitation | None:
        """Add an invitation, in the place of another for the same address, which is returned."""
        before = await self._first(_SELECT.where(invitations.c.email_key == invitation.email.key))
        if before is not None:
            await self._remove(before)
        await self._connection.execute(
            sa.insert(invitations).values(
                id=invitation.id,
                email=invitation.email.text,
                email_key=invitation.email.key,
                user_id=invitation.user_id,
                role=None if invitation.rights.role is None else invitation.rights.role.value,
                secret_hash=hash_of(secret),
                made_by=invitation.made_by,
                made_by_name=invitation.made_by_name,
                created_at=invitation.created_at,
                expires_at=invitation.expires_at,
            )
        )
        await set_app_roles(self._connection, invitation.id, invitation.rights)
        return before

    async def find(self, secret: str, now: datetime) -> Invitation | None:
        """Return the invitation of a link; None when it has expired, or its maker might not make it any more."""
        return await self._first(
            _SELECT.where(
                invitations.c.secret_hash == hash_of(secret),
                invitations.c.expires_at > now,
                still_admin(invitations.c.made_by),
            )
        )

    async def take(self, secret: str, now: datetime) -> Invitation | None:
        """Take an invitation away and return it; None as with `find`."""
        return await self._taken(await self.find(secret, now))

    async def take_of(self, email: Email, now: datetime) -> Invitation | None:
        """Take the invitation of an address away and return it: its owner has come by another way than the link."""
        query = _SELECT.where(
            invitations.c.email_key == email.key,
            invitations.c.user_id.is_(None),
            invitations.c.expires_at > now,
            still_admin(invitations.c.made_by),
        )
        return await self._taken(await self._first(query))

    async def _taken(self, found: Invitation | None) -> Invitation | None:
        if found is not None:
            await self._remove(found)
        return found

    async def delete(self, invitation_id: str) -> Invitation | None:
        """Take an invitation back and return it; None when there is none."""
        return await self._taken(await self._first(_SELECT.where(invitations.c.id == invitation_id)))

    async def _first(self, query: "sa.Select[Any]") -> Invitation | None:
        row = (await self._connection.execute(query.with_for_update(of=invitations))).mappings().first()
        return None if row is None else _invitation(row)

    async def _remove(self, invitation: Invitation) -> None:
        await self._connection.execute(sa.delete(invitations).where(invitations.c.id == invitation.id))
        await forget_app_roles(self._connection, [invitation.id])


def _invitation(row: sa.RowMapping) -> Invitation:
    return Invitation(
        id=row["id"],
        email=Email(row["email"], row["email_key"]),
        user_id=row["user_id"],
        rights=rights_of(row["role"], row["app_roles"]),
        made_by=row["made_by"],
        made_by_name=row["made_by_name"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
