"""The rules of sessions: who may open one with a password, how long it lives, and who ends it."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.attempts import LimitedBy
from tailslide_tower.auth.client_address import limited_as
from tailslide_tower.auth.failures import LoginFailures
from tailslide_tower.auth.passwords import Passwords
from tailslide_tower.auth.principal import Author, Principal, PrincipalKind
from tailslide_tower.database import Database
from tailslide_tower.sessions.session import Client, Lifetimes, Method, OpenedSession, Session
from tailslide_tower.sessions.store import SessionStore, link_principal
from tailslide_tower.users.store import UserStore
from tailslide_tower.users.user import Email, User, read_email
from tailslide_tower.viewer_links.store import ViewerLink

log = structlog.get_logger()


class SessionService:
    """Opens, lists and ends sessions."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        failures: LoginFailures,
        lifetimes: Lifetimes,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._failures = failures
        self._clock = clock
        self.lifetimes = lifetimes

    async def log_in(self, email_text: str, password: str, client: Client) -> OpenedSession:
        """Open a session with a password; raise 401, or 429 after too many wrong ones.

        An account that is unknown, disabled or without a password takes as long as one with a wrong password, and is
        limited like one.
        """
        email = read_email("email", email_text)
        user = await self.check_password(email, password, client)
        async with self._database.begin() as connection:
            locked = await UserStore(connection).get(user.id, lock=True)
            if locked is None or locked.disabled or locked.password_hash != user.password_hash:
                raise _wrong()
            opened = await self.open(connection, locked, Method.PASSWORD, client)
            await record_login(connection, opened, client)
        if self._passwords.is_outdated(user.password_hash or ""):
            await self._rehash(user, password)
        return opened

    async def check_password(self, email: Email, password: str, client: Client) -> User:
        """Return the user of an address and a password; raise 401 or 429. For whoever has to show it again, too."""
        refused = self._failures.begin(email.key, client)
        if refused is not None and refused.by is LimitedBy.ACCOUNT and await self._is_known(email, client):
            refused = self._failures.begin(email.key, client, is_known_address=True)
        if refused is not None:
            raise self._failures.refusal(Method.PASSWORD, refused)
        try:
            async with self._database.begin() as connection:
                user = await UserStore(connection).by_email(email)
            stored = None if user is None or user.disabled else user.password_hash
            matches = await self._passwords.matches(stored, password)
        except Exception:  # raised again: the try was not decided, so it does not count
            self._failures.withdraw(email.key, client)
            raise
        if user is None or not matches:
            await self._failures.failed(Method.PASSWORD, email.key, client)
            raise _wrong()
        self._failures.succeeded(Method.PASSWORD, email.key, client)
        return user

    async def _is_known(self, email: Email, client: Client) -> bool:
        async with self._database.begin() as connection:
            return await UserStore(connection).is_known_address(email, limited_as(client.address), self._clock())

    async def _rehash(self, user: User, password: str) -> None:
        assert user.password_hash is not None
        password_hash = await self._passwords.hash(password)
        async with self._database.begin() as connection:
            await UserStore(connection).put_password_hash(user.id, password_hash, before=user.password_hash)
        log.info("password_rehashed", user=user.id)

    async def open(self, connection: AsyncConnection, user: User, method: Method, client: Client) -> OpenedSession:
        """Open a session for a user inside the transaction of a caller, who records it in the log."""
        now = self._clock()
        session, secret = await SessionStore(connection).open(
            method=method, client=client, now=now, expires_at=now + self.lifetimes.total, user_id=user.id
        )
        await UserStore(connection).logged_in(user.id, limited_as(client.address), now)
        return OpenedSession(session, principal_of(user), secret)

    async def open_by_link(self, connection: AsyncConnection, link: ViewerLink, client: Client) -> OpenedSession:
        """Open the session of a viewer link that was just used up."""
        now = self._clock()
        session, secret = await SessionStore(connection).open(
            method=Method.VIEWER_LINK, client=client, now=now, expires_at=now + link.session_life, link_id=link.id
        )
        return OpenedSession(session, link_principal(link.id, link.name, link.app), secret)

    async def of_user(self, user_id: str) -> list[Session]:
        """Return the sessions of a user that live."""
        async with self._database.begin() as connection:
            return await SessionStore(connection).of_user(user_id, self._clock(), self.lifetimes)

    async def end(self, session_id: str, author: Author, user_id: str | None = None) -> None:
        """End a session, for a given user only one of that user's; raise 404 when there is none."""
        async with self._database.begin() as connection:
            if not await SessionStore(connection).end(session_id, user_id):
                raise ApiError(404, "SESSION_NOT_FOUND", f"there is no session {session_id[:80]!r}", "session")
            subject = Subject(SubjectKind.SESSION, key=session_id)
            await record(connection, LogEntry("session.ended", subject, author))
        log.info("session_ended", who=author.name, session=session_id)

    async def end_all(self, user_id: str, author: Author, keep: str | None = None) -> int:
        """End all sessions of a user but `keep`; return how many there were."""
        async with self._database.begin() as connection:
            if await UserStore(connection).get(user_id, lock=True) is None:
                raise ApiError(404, "USER_NOT_FOUND", f"there is no user {user_id[:80]!r}", "user")
            ended = await SessionStore(connection).end_all(user_id, keep)
            if ended:
                subject = Subject(SubjectKind.USER, key=user_id)
                await record(connection, LogEntry("user.sessions_ended", subject, author, details={"sessions": ended}))
        log.info("sessions_ended", who=author.name, user=user_id, sessions=ended)
        return ended


def principal_of(user: User) -> Principal:
    """Return who a user is when asking."""
    rights = user.rights
    return Principal(PrincipalKind.USER, user.id, user.email.text, rights.role, rights.apps, user.id)


async def record_login(connection: AsyncConnection, opened: OpenedSession, client: Client) -> None:
    """Write in the log that a session was opened, as the last thing of a transaction."""
    session = opened.session
    entry = LogEntry(
        "login.succeeded",
        Subject(SubjectKind.SESSION, key=session.id),
        Author(opened.principal, client.address),
        details={"method": session.method, "user_agent": session.client.user_agent},
    )
    await record(connection, entry)
    log.info("login_succeeded", who=opened.principal.name, method=session.method, address=client.address)


def cookie_life(session: Session) -> timedelta:
    """Return how long a browser keeps the cookie of a new session."""
    return session.expires_at - session.created_at


def _wrong() -> ApiError:
    return ApiError(
        401,
        "LOGIN_FAILED",
        "the e-mail address or the password is wrong, or the account is disabled",
        headers={"WWW-Authenticate": "Bearer"},
    )
