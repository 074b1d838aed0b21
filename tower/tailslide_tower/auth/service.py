"""The rules of API tokens: how one is recognised, and the one that the environment sets."""

import hashlib
from datetime import UTC, datetime

import structlog

from tailslide_runtime.errors import StartError
from tailslide_tower.auth.store import TokenStore
from tailslide_tower.settings import MIN_TOKEN_LENGTH

log = structlog.get_logger()

ENVIRONMENT = "environment"
"""Name of the token that the environment sets."""


def hash_of(token: str) -> str:
    """Return the SHA-256 of a token, in hexadecimal.

    A token is long and random, so it needs no salt and no slow hash; and comparing hashes, by looking one up, tells
    nothing of the token by the time it takes.
    """
    return hashlib.sha256(token.encode()).hexdigest()


class TokenService:
    """Recognises tokens."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store

    async def name_of(self, token: str) -> str | None:
        """Return the name of a token, None when there is no such token."""
        return await self._store.name_of(hash_of(token))

    async def ensure_environment(self, token: str | None) -> None:
        """Let the environment's token in, in place of the one that it set before; other tokens stay.

        Without one, raise `StartError` when the database has none either: nobody could use the API.
        """
        if token is not None:
            if await self._store.put(ENVIRONMENT, hash_of(token), datetime.now(UTC)):
                log.info("api token set", token=ENVIRONMENT)
        elif not await self._store.has_any():
            raise StartError(
                f"TAILSLIDE_API_TOKEN: expected a token of at least {MIN_TOKEN_LENGTH} characters at the first start, "
                "since the database has none yet"
            )
