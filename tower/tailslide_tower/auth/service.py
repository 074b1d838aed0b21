"""The rules of API tokens: how one is recognised, and the one that the environment sets."""

import hashlib
import hmac

from tailslide_runtime.errors import StartError
from tailslide_tower.auth.principal import ENVIRONMENT, Principal, PrincipalKind, Role
from tailslide_tower.auth.store import TokenStore
from tailslide_tower.settings import MIN_TOKEN_LENGTH


def hash_of(token: str) -> str:
    """Return the SHA-256 of a token, in hexadecimal.

    A token is long and random, so it needs no salt and no slow hash; and comparing hashes, by looking one up, tells
    nothing of the token by the time it takes.
    """
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


class TokenService:
    """Recognises tokens: those in the database, and the one that this Tower's environment sets.

    The latter is nowhere stored. It holds at each Tower for as long as that runs with it: Towers with different tokens
    do not throw each other's out, and a token that was replaced ends with the last process that was started with it.
    """

    def __init__(self, store: TokenStore, environment: str | None) -> None:
        self._store = store
        self._environment = None if environment is None else hash_of(environment)

    async def principal_of(self, token: str) -> Principal | None:
        """Return who has a token, None when there is no such token."""
        token_hash = hash_of(token)
        if self._environment is not None and hmac.compare_digest(token_hash, self._environment):
            return ENVIRONMENT
        name = await self._store.name_of(token_hash)
        return None if name is None else Principal(PrincipalKind.TOKEN, name, name, Role.ADMIN)

    async def ensure_any(self) -> None:
        """Raise `StartError` when nobody could use the API."""
        if self._environment is None and not await self._store.has_any():
            raise StartError(
                f"TAILSLIDE_API_TOKEN: expected a token of at least {MIN_TOKEN_LENGTH} characters, "
                "without which nobody could use the API"
            )
