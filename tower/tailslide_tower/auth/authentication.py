"""Who asks: by the bearer token (RFC 6750) or by the cookie of a session. Nothing is kept between two requests.

So a token that was revoked, a session that was ended, and a role that was taken away count no more from the next
request on, at every Tower. Fails closed: without PostgreSQL only the environment's token is known.
"""

import hmac
from collections.abc import Callable
from datetime import datetime

from tailslide_tower import times
from tailslide_tower.auth.principal import ENVIRONMENT, Principal
from tailslide_tower.auth.secret_texts import hash_of
from tailslide_tower.database import Database
from tailslide_tower.sessions.session import TOUCHED_EVERY, Client, Lifetimes
from tailslide_tower.sessions.store import FoundSession, SessionStore
from tailslide_tower.tokens.store import TokenStore


class Authentication:
    """Finds out who asks.

    The token of the environment is nowhere stored. It holds at each Tower for as long as that runs with it: Towers with
    different tokens do not throw each other's out, and a token that was replaced ends with the last process that was
    started with it.
    """

    def __init__(
        self,
        database: Database,
        environment_token: str | None,
        lifetimes: Lifetimes,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self._database = database
        self._environment = None if environment_token is None else hash_of(environment_token)
        self._lifetimes = lifetimes
        self._clock = clock

    async def by_token(self, token: str, client: Client) -> Principal | None:
        """Return who has an API token; None when it is not known, has expired, or its owner is shut out."""
        if self._environment is not None and hmac.compare_digest(hash_of(token), self._environment):
            return ENVIRONMENT
        now = self._clock()
        async with self._database.begin() as connection:
            store = TokenStore(connection)
            found = await store.find(token, now)
            if found is None:
                return None
            if found.last_used_at is None or now - found.last_used_at >= TOUCHED_EVERY:
                await store.touch(found.id, client.address, now)
        return found.principal

    async def by_cookie(self, secret: str) -> FoundSession | None:
        """Return the session of a cookie and who has it; None when it has ended."""
        now = self._clock()
        async with self._database.begin() as connection:
            store = SessionStore(connection)
            found = await store.find(secret, now, self._lifetimes)
            if found is not None and now - found.session.last_used_at >= TOUCHED_EVERY:
                await store.touch(found.session.id, now)
        return found
