"""The rules of API tokens: who makes which, who sees them, how one is rotated without locking anybody out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from tailslide_core.errors import ContractError
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import Author, Principal, PrincipalKind, Role
from tailslide_tower.auth.rights import Rights, read_rights
from tailslide_tower.auth.secret_texts import SecretKind, new_id, new_secret
from tailslide_tower.database import Database
from tailslide_tower.tokens.models import TokenCreate, TokenRotate
from tailslide_tower.tokens.store import TokenStore
from tailslide_tower.tokens.token import Token

log = structlog.get_logger()

MAX_TOKENS = 200
"""So many tokens one user has at most, and so many are nobody's own."""


class TokenService:
    """API tokens: raises `ApiError` and `ContractError` on what is asked in vain."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = times.now) -> None:
        self._database = database
        self._clock = clock

    async def page(self, asker: Principal, limit: int, after: str, *, mine: bool) -> list[Token]:
        """Return the tokens of a page and, if there are more, one of them: one's own, for admins all."""
        owner = asker.user_id if mine or not asker.may(Role.ADMIN) else None
        if owner is None and not asker.may(Role.ADMIN):
            return []
        async with self._database.begin() as connection:
            return await TokenStore(connection).page(limit, after, owner)

    async def get(self, token_id: str, asker: Principal) -> Token:
        """Return a token that one may see."""
        async with self._database.begin() as connection:
            return self._visible(token_id, await TokenStore(connection).get(token_id), asker)

    async def create(self, request: TokenCreate, author: Author) -> tuple[Token, str]:
        """Make a token with at most the rights of whoever makes it; return it and its secret."""
        maker = author.principal
        shared = request.shared or maker.user_id is None
        if maker.kind is not PrincipalKind.USER and not maker.may(Role.ADMIN):
            raise _not_a_manager()
        if shared and not maker.may(Role.ADMIN):
            raise ApiError(403, "FORBIDDEN", "only an admin over all apps may make a shared token", "shared")
        own = Rights(maker.role, maker.roles)
        given = request.model_fields_set
        rights = read_rights(request.role, request.apps) if given & {"role", "apps"} else own
        _check_covered(own, rights)
        now = self._clock()
        token = Token(
            id=new_id("tok"),
            name=request.name,
            owner=None if shared else maker.user_id,
            owner_email=None,
            owner_rights=None,
            owner_disabled=False,
            made_by_name=author.name,
            rights=rights,
            created_at=now,
            expires_at=None if request.expires_in_s is None else now + timedelta(seconds=request.expires_in_s),
        )
        secret = new_secret(SecretKind.API_TOKEN)
        async with self._database.begin() as connection:
            store = TokenStore(connection)
            if await store.count(token.owner) >= MAX_TOKENS:
                raise ApiError(
                    409, "TOO_MANY_TOKENS", f"there are {MAX_TOKENS} tokens, the most there can be; revoke some first"
                )
            await store.add(token, secret)
            made = await store.get(token.id)
            assert made is not None
            await record(connection, _entry("token.created", author, None, made))
        log.info("token_created", who=author.name, token=token.id)
        return made, secret

    async def rotate(self, token_id: str, request: TokenRotate, author: Author) -> tuple[Token, str]:
        """Give a token another secret; the present one counts for `grace_s` seconds more.

        A token may rotate itself, so that a script can do it. It cannot give itself a longer life; nor can whoever has
        only the secret before the last rotation, which may have been the reason for it, make theirs the last one again.
        """
        asker, now = author.principal, self._clock()
        itself = asker.kind is PrincipalKind.TOKEN and asker.principal_id == token_id
        secret = new_secret(SecretKind.API_TOKEN)
        async with self._database.begin() as connection:
            store = TokenStore(connection)
            before = await store.get(token_id, lock=True)
            if not itself:
                before = self._changeable(token_id, before, asker)
            if before is None:
                raise _not_found(token_id)
            if itself and asker.has_old_secret:
                raise ApiError(
                    403, "FORBIDDEN", "expected the token's present secret, not the one before", "Authorization"
                )
            expires_at = before.expires_at
            if request.expires_in_s is not None:
                if itself:
                    raise ApiError(403, "FORBIDDEN", "a token cannot change its own expiry", "expires_in_s")
                expires_at = now + timedelta(seconds=request.expires_in_s)
            token = replace(
                before,
                rotated_at=now,
                previous_until=now + timedelta(seconds=request.grace_s),
                expires_at=expires_at,
            )
            await store.rotate(token, secret)
            await record(connection, _entry("token.rotated", author, before, token))
        log.info("token_rotated", who=author.name, token=token_id)
        return token, secret

    async def revoke(self, token_id: str, author: Author) -> None:
        """Delete a token. From the next request on it opens nothing, at any Tower."""
        async with self._database.begin() as connection:
            store = TokenStore(connection)
            token = self._changeable(token_id, await store.get(token_id, lock=True), author.principal)
            await store.delete(token_id)
            await record(connection, _entry("token.revoked", author, token, None))
        log.info("token_revoked", who=author.name, token=token_id)

    @staticmethod
    def _visible(token_id: str, token: Token | None, asker: Principal) -> Token:
        own = token is not None and (
            asker.may(Role.ADMIN)
            or (token.owner is not None and token.owner == asker.user_id)
            or (asker.kind is PrincipalKind.TOKEN and asker.principal_id == token_id)
        )
        if token is None or not own:
            raise _not_found(token_id)
        return token

    def _changeable(self, token_id: str, token: Token | None, asker: Principal) -> Token:
        token = self._visible(token_id, token, asker)
        itself = asker.kind is PrincipalKind.TOKEN and asker.principal_id == token_id
        if asker.kind is not PrincipalKind.USER and not itself and not asker.may(Role.ADMIN):
            raise _not_a_manager()
        return token


def _check_covered(own: Rights, wanted: Rights) -> None:
    if wanted.role is None and not wanted.apps:
        raise ContractError("role", "expected a role over all apps, or roles in some (apps)")
    if wanted.role is not None and not own.may(None, wanted.role):
        raise ApiError(403, "FORBIDDEN", f"expected at most your own role over all apps, got {wanted.role}", "role")
    for app, role in wanted.apps.items():
        if not own.may(app, role):
            raise ApiError(403, "FORBIDDEN", f"expected at most your own role in {app!r}, got {role}", f"apps.{app}")


def _not_a_manager() -> ApiError:
    return ApiError(
        403, "FORBIDDEN", "only a user who has logged in, or a token with the role admin, may make or change tokens"
    )


def _not_found(token_id: str) -> ApiError:
    return ApiError(404, "TOKEN_NOT_FOUND", f"there is no token {token_id[:80]!r}", "token")


def _entry(action: str, author: Author, before: Token | None, after: Token | None) -> LogEntry:
    token = after or before
    assert token is not None
    return LogEntry(
        action,
        Subject(SubjectKind.TOKEN, key=token.id),
        author,
        None if before is None else before.logged(),
        None if after is None else after.logged(),
    )
