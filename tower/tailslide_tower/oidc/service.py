"""Logging in through a provider: what the browser keeps meanwhile, and which user somebody is here."""

import base64
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.entry_links import is_page_path
from tailslide_tower.auth.failures import LoginFailures
from tailslide_tower.auth.principal import Author, Role
from tailslide_tower.auth.rights import Rights
from tailslide_tower.auth.secret_texts import new_id
from tailslide_tower.database import Database
from tailslide_tower.invitations.service import new_user
from tailslide_tower.invitations.store import InvitationStore
from tailslide_tower.oidc.identity import Identity, RefusedError, identity_of
from tailslide_tower.oidc.provider import Provider, ProviderUnavailableError
from tailslide_tower.sessions.service import SessionService, principal_of, record_login
from tailslide_tower.sessions.session import Client, Method, OpenedSession
from tailslide_tower.users.store import UserStore
from tailslide_tower.users.user import User

log = structlog.get_logger()

PENDING_LIFE = timedelta(minutes=10)
RETRY_AFTER_S = 10


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """What the browser keeps, in a cookie of its own, while somebody logs in at the provider.

    So any Tower may finish what another has begun, and nothing is kept here for whoever only begins. The `state` ties
    the answer to this very browser, the `nonce` the ID token to it, the `verifier` the code (RFC 7636).
    """

    state: str
    nonce: str
    verifier: str
    next: str

    @classmethod
    def new(cls, next_path: str) -> "PendingLogin":
        """Return one that goes on at a path of ours afterwards."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, next_path)

    def __str__(self) -> str:
        path = base64.urlsafe_b64encode(self.next.encode()).rstrip(b"=").decode()
        return f"{self.state}.{self.nonce}.{self.verifier}.{path}"

    @classmethod
    def parse(cls, text: str | None) -> "PendingLogin | None":
        """Read what a cookie has; None when it is nothing of ours."""
        parts = (text or "").split(".")
        if len(parts) != 4 or any(len(part) != 43 for part in parts[:3]):
            return None
        try:
            path = base64.urlsafe_b64decode(parts[3] + "=" * (-len(parts[3]) % 4)).decode()
        except ValueError:
            return None
        return cls(parts[0], parts[1], parts[2], path) if is_page_path(path) else None


class OidcService:
    """Begins and finishes log-ins at the provider."""

    def __init__(
        self,
        provider: Provider,
        database: Database,
        sessions: SessionService,
        failures: LoginFailures,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self.provider = provider
        self._database = database
        self._sessions = sessions
        self._failures = failures
        self._clock = clock

    async def begin(self, next_path: str) -> tuple[str, PendingLogin]:
        """Return where the browser goes, and what it keeps meanwhile; raise 503 while the provider is away."""
        pending = PendingLogin.new(next_path if is_page_path(next_path) else "/")
        try:
            url = await self.provider.login_url(state=pending.state, nonce=pending.nonce, verifier=pending.verifier)
        except ProviderUnavailableError as error:
            raise _unavailable(error) from error
        return url, pending

    async def finish(self, pending: PendingLogin | None, state: str, code: str, client: Client) -> OpenedSession:
        """Return the session of whoever comes back from the provider with a code."""
        if pending is None or not hmac.compare_digest(pending.state.encode(), state.encode(errors="surrogateescape")):
            raise ApiError(
                400, "OIDC_STATE", "this log-in was started in another browser, or too long ago; log in again", "state"
            )
        try:
            claims = await self.provider.claims_of(code, nonce=pending.nonce, verifier=pending.verifier)
            identity = identity_of(claims, self.provider.settings)
            async with self._database.begin() as connection:
                return await self._opened(connection, identity, client)
        except ProviderUnavailableError as error:
            raise _unavailable(error) from error
        except RefusedError as error:
            await self._failures.refused(Method.OIDC, client, str(error))
            raise ApiError(403, "OIDC_REFUSED", str(error), more={"reason": error.reason}) from error

    async def _opened(self, connection: AsyncConnection, identity: Identity, client: Client) -> OpenedSession:
        store = UserStore(connection)
        await store.lock_accounts()
        before = await store.by_oidc(identity.issuer, identity.subject)
        if before is None:
            before = await store.by_email(identity.email, lock=True)
            if before is not None and before.oidc_subject is not None:
                raise RefusedError(
                    "your e-mail address is that of a user here whom the provider knows as another one",
                    "another_person",
                )
        if before is None:
            user, how = await self._new_user(connection, identity)
            await store.add(user)
        else:
            if before.disabled:
                raise RefusedError("your account is disabled; ask an admin", "disabled")
            user, how = await self._known_user(store, before, identity), None
            if user != before:
                user = replace(user, version=before.version + 1, updated_at=self._clock())
                await store.put(user, before)
        opened = await self._sessions.open(connection, user, Method.OIDC, client)
        if user != before:
            await record(
                connection,
                LogEntry(
                    "user.created" if before is None else "user.changed",
                    Subject(SubjectKind.USER, key=user.id),
                    Author(principal_of(user), client.address),
                    None if before is None else before.logged(),
                    user.logged(),
                    user.version,
                    details={"issuer": identity.issuer, **({} if how is None else {"invitation": how})},
                ),
            )
        await record_login(connection, opened, client)
        return opened

    async def _new_user(self, connection: AsyncConnection, identity: Identity) -> tuple[User, str | None]:
        now = self._clock()
        invitation = await InvitationStore(connection).take_of(identity.email, now)
        if invitation is not None:
            user = new_user(invitation, identity.name, None, now)
            if identity.role is not None:
                user = replace(user, rights=user.rights.raised(identity.role))
        elif identity.role is not None:
            user = User(
                id=new_id("usr"),
                email=identity.email,
                name=identity.name,
                rights=Rights(identity.role),
                disabled=False,
                version=1,
                created_at=now,
                updated_at=now,
            )
        else:
            raise RefusedError("you have no account here; ask an admin to invite you", "no_account")
        user = replace(user, oidc_issuer=identity.issuer, oidc_subject=identity.subject)
        return user, None if invitation is None else invitation.id

    async def _known_user(self, store: UserStore, before: User, identity: Identity) -> User:
        user = replace(before, oidc_issuer=identity.issuer, oidc_subject=identity.subject)
        if not self.provider.settings.roles:
            return user
        user = replace(user, rights=Rights(identity.role, before.rights.apps))
        loses = before.rights.role is Role.ADMIN and identity.role is not Role.ADMIN
        if loses and not await store.other_admins(before.id):
            log.warning("last_admin_kept", user=before.id, role=identity.role)
            return replace(user, rights=before.rights)
        return user


def _unavailable(error: ProviderUnavailableError) -> ApiError:
    log.warning("oidc_provider_unavailable", error=str(error))
    return ApiError(
        503,
        "OIDC_UNAVAILABLE",
        "the OpenID Connect provider cannot be reached; try again shortly, or log in with a password",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
