"""API tokens in the database: their names and hashes. A token itself is nowhere kept."""

import sqlalchemy as sa

from tailslide_tower.database import Database, metadata

api_tokens = sa.Table(
    "api_tokens",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
)


ENVIRONMENT = "environment"
"""Name of the token that the environment sets. A row of this name is left of a Tower that stored it, and no token."""


class TokenStore:
    """Reads tokens; raises `DatabaseUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def name_of(self, token_hash: str) -> str | None:
        """Return the name of the token with this hash, or None."""
        query = sa.select(api_tokens.c.name).where(
            api_tokens.c.token_hash == token_hash, api_tokens.c.name != ENVIRONMENT
        )
        async with self._database.begin() as connection:
            name: str | None = await connection.scalar(query)
            return name

    async def has_any(self) -> bool:
        """Whether there is a token at all."""
        async with self._database.begin() as connection:
            kept = sa.select(api_tokens.c.name).where(api_tokens.c.name != ENVIRONMENT)
            return bool(await connection.scalar(sa.select(sa.exists(kept))))
