"""API tokens in the database: their names and hashes. A token itself is nowhere kept."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from tailslide_tower.database import Database, metadata

api_tokens = sa.Table(
    "api_tokens",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
)


class TokenStore:
    """Reads and writes tokens; raises `DatabaseUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def name_of(self, token_hash: str) -> str | None:
        """Return the name of the token with this hash, or None."""
        query = sa.select(api_tokens.c.name).where(api_tokens.c.token_hash == token_hash)
        async with self._database.begin() as connection:
            name: str | None = await connection.scalar(query)
            return name

    async def has_any(self) -> bool:
        """Whether there is a token at all."""
        async with self._database.begin() as connection:
            return bool(await connection.scalar(sa.select(sa.exists(sa.select(api_tokens.c.name)))))

    async def put(self, name: str, token_hash: str, now: datetime) -> bool:
        """Make `token_hash` the one of this name; return whether that changed anything."""
        statement = insert(api_tokens).values(name=name, token_hash=token_hash, created_at=now)
        statement = statement.on_conflict_do_update(
            index_elements=[api_tokens.c.name],
            set_={"token_hash": token_hash, "created_at": now},
            where=api_tokens.c.token_hash != token_hash,
        )
        async with self._database.begin() as connection:
            return (await connection.execute(statement)).rowcount > 0
