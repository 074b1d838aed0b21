"""API tokens in the database: by the hash of their secret."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.auth.rights_store import apps_of, forget_app_roles, rights_of, set_app_roles
from tailslide_tower.auth.secret_texts import hash_of
from tailslide_tower.database import metadata
from tailslide_tower.tokens.token import Token
from tailslide_tower.users.store import users

_MOMENT = sa.DateTime(timezone=True)

api_tokens = sa.Table(
    "api_tokens",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("owner", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=True),
    sa.Column("made_by_name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=True),
    sa.Column("previous_hash", sa.Text, nullable=True, unique=True),
    sa.Column("previous_until", _MOMENT, nullable=True),
    sa.Column("expires_at", _MOMENT, nullable=True),
    sa.Column("rotated_at", _MOMENT, nullable=True),
    sa.Column("last_used_at", _MOMENT, nullable=True),
    sa.Column("last_used_from", sa.Text, nullable=True),
)
sa.Index("api_tokens_owner_idx", api_tokens.c.owner)

_SELECT = (
    sa.select(
        api_tokens,
        apps_of(api_tokens.c.id),
        users.c.email.label("owner_email"),
        users.c.role.label("owner_role"),
        users.c.disabled.label("owner_disabled"),
        apps_of(users.c.id, "owner_app_roles"),
    )
    .select_from(api_tokens)
    .outerjoin(users, users.c.id == api_tokens.c.owner)
)


class TokenStore:
    """Reads and writes tokens inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, secret: str, now: datetime) -> Token | None:
        """Return the token of a secret that counts now; also of the one before, in the time after a rotation."""
        hashed = hash_of(secret)
        previous = sa.and_(api_tokens.c.previous_hash == hashed, api_tokens.c.previous_until > now)
        row = await self._first(_SELECT.where(sa.or_(api_tokens.c.token_hash == hashed, previous)), hashed)
        return None if row is None or row.is_over(now) else row

    async def touch(self, token_id: str, address: str, now: datetime) -> None:
        """Note that a token was used."""
        await self._connection.execute(
            sa.update(api_tokens)
            .where(
                api_tokens.c.id == token_id,
                sa.or_(api_tokens.c.last_used_at.is_(None), api_tokens.c.last_used_at < now),
            )
            .values(last_used_at=now, last_used_from=address)
        )

    async def page(self, limit: int, after: str, owner: str | None) -> list[Token]:
        """Return up to `limit` + 1 tokens, of one owner or of all, in the order of their ids, behind `after`."""
        query = _SELECT.where(api_tokens.c.id > after).order_by(api_tokens.c.id).limit(limit + 1)
        if owner is not None:
            query = query.where(api_tokens.c.owner == owner)
        return [_token(row) for row in (await self._connection.execute(query)).mappings()]

    async def get(self, token_id: str, *, lock: bool = False) -> Token | None:
        """Return a token; with `lock`, nobody else changes it until the end of the transaction."""
        query = _SELECT.where(api_tokens.c.id == token_id)
        return await self._first(query.with_for_update(of=api_tokens) if lock else query)

    async def count(self, owner: str | None) -> int:
        """Return how many tokens an owner has, or, for None, how many have none."""
        query = sa.select(sa.func.count()).where(api_tokens.c.owner.is_not_distinct_from(owner))
        return int(await self._connection.scalar(query) or 0)

    async def _first(self, query: "sa.Select[Any]", presented: str | None = None) -> Token | None:
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _token(row, presented)

    async def add(self, token: Token, secret: str) -> None:
        """Add a token."""
        await self._connection.execute(
            sa.insert(api_tokens).values(
                id=token.id,
                name=token.name,
                token_hash=hash_of(secret),
                created_at=token.created_at,
                owner=token.owner,
                made_by_name=token.made_by_name,
                role=None if token.rights.role is None else token.rights.role.value,
                expires_at=token.expires_at,
            )
        )
        await set_app_roles(self._connection, token.id, token.rights)

    async def rotate(self, token: Token, secret: str) -> None:
        """Give a token, as it is to be from now on, another secret; the one it has counts until `previous_until`."""
        await self._connection.execute(
            sa.update(api_tokens)
            .where(api_tokens.c.id == token.id)
            .values(
                token_hash=hash_of(secret),
                previous_hash=api_tokens.c.token_hash,
                previous_until=token.previous_until,
                rotated_at=token.rotated_at,
                expires_at=token.expires_at,
            )
        )

    async def delete(self, token_id: str) -> None:
        """Delete a token; both of its secrets end at once."""
        await self._connection.execute(sa.delete(api_tokens).where(api_tokens.c.id == token_id))
        await forget_app_roles(self._connection, [token_id])


def _token(row: sa.RowMapping, presented: str | None = None) -> Token:
    """Return the token of a row; `presented` is the hash that it was found by, if it was."""
    owned = row["owner"] is not None
    return Token(
        id=row["id"],
        name=row["name"],
        owner=row["owner"],
        owner_email=row["owner_email"],
        owner_rights=rights_of(row["owner_role"], row["owner_app_roles"]) if owned else None,
        owner_disabled=bool(row["owner_disabled"]),
        made_by_name=row["made_by_name"],
        rights=rights_of(row["role"], row["app_roles"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        rotated_at=row["rotated_at"],
        previous_until=row["previous_until"],
        last_used_at=row["last_used_at"],
        last_used_from=row["last_used_from"],
        has_old_secret=presented is not None and presented != row["token_hash"],
    )
