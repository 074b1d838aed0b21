"""The rules of invitations: who is invited to what, and what accepting does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.failures import LoginFailures
from tailslide_tower.auth.passwords import Passwords, check_password
from tailslide_tower.auth.principal import Author
from tailslide_tower.auth.rights import NOTHING, Rights, read_rights
from tailslide_tower.auth.secret_texts import SecretKind, new_id, new_secret
from tailslide_tower.database import Database
from tailslide_tower.invitations.invitation import Invitation
from tailslide_tower.invitations.models import InvitationAccept, InvitationCreate
from tailslide_tower.invitations.store import InvitationStore
from tailslide_tower.sessions.service import SessionService, principal_of
from tailslide_tower.sessions.session import Client, Method, OpenedSession
from tailslide_tower.sessions.store import SessionStore
from tailslide_tower.users.store import UserStore
from tailslide_tower.users.user import Email, User, read_email

log = structlog.get_logger()


class InvitationService:
    """Invitations: raises `ApiError` and `ContractError` on what is asked in vain."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        sessions: SessionService,
        failures: LoginFailures,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._sessions = sessions
        self._failures = failures
        self._clock = clock

    async def page(self, limit: int, after: str) -> list[Invitation]:
        """Return the invitations of a page and, if there are more, one of them."""
        async with self._database.begin() as connection:
            return await InvitationStore(connection).page(limit, after)

    async def invite(self, request: InvitationCreate, author: Author) -> tuple[Invitation, str]:
        """Invite somebody; return the invitation and its secret. An earlier one for the same address ends."""
        email = read_email("email", request.email)
        rights = read_rights(request.role, request.apps)
        invitation = self._invitation(author, email, None, rights, request.expires_in_s)
        async with self._database.begin() as connection:
            await UserStore(connection).lock_accounts()
            if await UserStore(connection).by_email(email) is not None:
                raise ApiError(409, "USER_EXISTS", f"the user {email.text} already exists", "email")
            return invitation, await self._put(connection, invitation, author)

    async def offer_reset(self, user_id: str, expires_in_s: int, author: Author) -> tuple[Invitation, str]:
        """Make a link by which a user sets a new password; return it and its secret."""
        async with self._database.begin() as connection:
            await UserStore(connection).lock_accounts()
            user = await UserStore(connection).get(user_id)
            if user is None:
                raise ApiError(404, "USER_NOT_FOUND", f"there is no user {user_id[:80]!r}", "user")
            invitation = self._invitation(author, user.email, user.id, NOTHING, expires_in_s)
            return invitation, await self._put(connection, invitation, author)

    def _invitation(
        self, author: Author, email: Email, user_id: str | None, rights: Rights, expires_in_s: int
    ) -> Invitation:
        now = self._clock()
        return Invitation(
            id=new_id("inv"),
            email=email,
            user_id=user_id,
            rights=rights,
            made_by=author.principal.user_id,
            made_by_name=author.name,
            created_at=now,
            expires_at=now + timedelta(seconds=expires_in_s),
        )

    @staticmethod
    async def _put(connection: AsyncConnection, invitation: Invitation, author: Author) -> str:
        secret = new_secret(SecretKind.INVITATION)
        before = await InvitationStore(connection).put(invitation, secret)
        action = "invitation.created" if invitation.user_id is None else "user.reset_link_created"
        await record(connection, _entry(action, author, before, invitation))
        log.info("invitation_created", who=author.name, invitation=invitation.id)
        return secret

    async def withdraw(self, invitation_id: str, author: Author) -> None:
        """Take an invitation back: its link opens nothing any more."""
        async with self._database.begin() as connection:
            invitation = await InvitationStore(connection).delete(invitation_id)
            if invitation is None:
                raise ApiError(
                    404, "INVITATION_NOT_FOUND", f"there is no invitation {invitation_id[:80]!r}", "invitation"
                )
            await record(connection, _entry("invitation.withdrawn", author, invitation, None))
        log.info("invitation_withdrawn", who=author.name, invitation=invitation_id)

    async def accept(self, request: InvitationAccept, client: Client) -> OpenedSession:
        """Make the user that was invited, or give the one that was meant a new password; return a session."""
        async with self._database.begin() as connection:
            invitation = await InvitationStore(connection).find(request.secret, self._clock())
        # Looked at before the password is hashed, which costs more than whoever has no link should be able to ask for.
        if invitation is None:
            await self._failures.wrong_secret(Method.INVITATION, client)
            raise link_invalid()
        check_password("password", request.password, invitation.email.text)
        password_hash = await self._passwords.hash(request.password)
        async with self._database.begin() as connection:
            # Before the invitation, as whoever deletes its user does.
            await UserStore(connection).lock_accounts()
            invitation = await InvitationStore(connection).take(request.secret, self._clock())
            if invitation is None:
                raise link_invalid()
            return await self._accepted(connection, invitation, request.name, password_hash, client)

    async def _accepted(
        self,
        connection: AsyncConnection,
        invitation: Invitation,
        name: str | None,
        password_hash: str,
        client: Client,
    ) -> OpenedSession:
        store, now = UserStore(connection), self._clock()
        before = None if invitation.user_id is None else await store.get(invitation.user_id, lock=True)
        if before is not None:
            if before.disabled:
                raise ApiError(403, "USER_DISABLED", "this account is disabled; ask an admin")
            user = replace(before, password_hash=password_hash, version=before.version + 1, updated_at=now)
            await store.put(user, before)
            await SessionStore(connection).end_all(user.id)
        else:
            user = new_user(invitation, name, password_hash, now)
            if not await store.add(user):
                raise ApiError(409, "USER_EXISTS", f"the user {user.email.text} already exists", "email")
        opened = await self._sessions.open(connection, user, Method.INVITATION, client)
        action = "user.created" if before is None else "user.password_changed"
        await record(
            connection,
            LogEntry(
                action,
                Subject(SubjectKind.USER, key=user.id),
                Author(principal_of(user), client.address),
                None if before is None else before.logged(),
                user.logged(),
                user.version,
                details={"invitation": invitation.id, "invited_by": invitation.made_by_name},
            ),
        )
        log.info("invitation_accepted", user=user.id, invitation=invitation.id)
        return opened


def new_user(invitation: Invitation, name: str | None, password_hash: str | None, now: datetime) -> User:
    """Return the user that an invitation makes."""
    return User(
        id=new_id("usr"),
        email=invitation.email,
        name=name or invitation.email.text.partition("@")[0],
        rights=invitation.rights,
        disabled=False,
        version=1,
        created_at=now,
        updated_at=now,
        password_hash=password_hash,
    )


def link_invalid() -> ApiError:
    """Return the answer to a one-time link that opens nothing."""
    return ApiError(
        401,
        "LINK_INVALID",
        "this link is not valid: it was used, has expired, was withdrawn, or never existed; ask for another one",
        "secret",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _entry(action: str, author: Author, before: Invitation | None, after: Invitation | None) -> LogEntry:
    invitation = after or before
    assert invitation is not None
    if invitation.user_id is None:
        subject = Subject(SubjectKind.INVITATION, key=invitation.id)
    else:
        subject = Subject(SubjectKind.USER, key=invitation.user_id)
    return LogEntry(
        action, subject, author, None if before is None else before.json(), None if after is None else after.json()
    )
