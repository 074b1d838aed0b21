"""How the first admin comes to be, and how whoever is locked out gets back in: by a link that works once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from tailslide_core.errors import ContractError
from tailslide_runtime.errors import StartError
from tailslide_tower import times
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.entry_links import entry_url
from tailslide_tower.auth.failures import LoginFailures
from tailslide_tower.auth.passwords import Passwords, check_password
from tailslide_tower.auth.principal import BY_SYSTEM, Author, Role
from tailslide_tower.auth.rights import Rights
from tailslide_tower.auth.secret_texts import new_id
from tailslide_tower.database import Database
from tailslide_tower.invitations.service import link_invalid
from tailslide_tower.sessions.service import SessionService, principal_of
from tailslide_tower.sessions.session import Client, Method, OpenedSession
from tailslide_tower.sessions.store import SessionStore
from tailslide_tower.setup_links.given_admin import GivenAdmin
from tailslide_tower.setup_links.models import SetUp
from tailslide_tower.setup_links.store import Purpose, SetupLinkStore
from tailslide_tower.times import timestamp
from tailslide_tower.users.store import UserStore
from tailslide_tower.users.user import Email, User, read_email

log = structlog.get_logger()

FIRST_ADMIN_LIFE = timedelta(days=1)
ADMIN_LINK_LIFE = timedelta(hours=1)


async def ensure_first_admin(
    database: Database,
    passwords: Passwords,
    given: GivenAdmin | None,
    public_url: str,
    announce: Callable[[str], None],
    clock: Callable[[], datetime] = times.now,
) -> None:
    """On a database without users, make the admin that is given, or a set-up link, which is announced once.

    Two Towers that start at once make one of them together. Raises `StartError` where the given admin is not valid.
    """
    now = clock()
    async with database.begin() as connection:
        if await UserStore(connection).has_any():
            return
    admin = None if given is None else await _given_admin(given, passwords, now)
    secret = None
    async with database.begin() as connection:
        users, links = UserStore(connection), SetupLinkStore(connection)
        await users.lock_accounts()
        if await users.has_any():
            return
        if admin is not None:
            await users.add(admin)
            subject = Subject(SubjectKind.USER, key=admin.id)
            await record(connection, LogEntry("user.created", subject, BY_SYSTEM, None, admin.logged(), admin.version))
            log.info("first_admin_created", email=admin.email.text)
        elif not await links.has(Purpose.FIRST_ADMIN, now):
            _, secret = await links.add(Purpose.FIRST_ADMIN, now, now + FIRST_ADMIN_LIFE)
        else:
            log.info(
                "setup_link_waits", remedy="use the link that an earlier start has printed, or tailslide admin-link"
            )
    if secret is not None:
        announce(
            f"There is no user yet. Open this link to become the first admin; it works once, until "
            f"{timestamp(now + FIRST_ADMIN_LIFE)}:\n  {entry_url(public_url, secret)}"
        )


async def make_first_admin_link(
    database: Database, public_url: str, clock: Callable[[], datetime] = times.now
) -> tuple[str, datetime] | None:
    """Make a link for the first admin in the place of earlier ones; None where there is a user.

    For whoever starts Tower and shows its links on a screen of their own: an earlier one can be read nowhere.
    """
    now = clock()
    async with database.begin() as connection:
        users, links = UserStore(connection), SetupLinkStore(connection)
        await users.lock_accounts()
        if await users.has_any():
            return None
        await links.delete_all(Purpose.FIRST_ADMIN)
        _, secret = await links.add(Purpose.FIRST_ADMIN, now, now + FIRST_ADMIN_LIFE)
    return entry_url(public_url, secret), now + FIRST_ADMIN_LIFE


async def _given_admin(given: GivenAdmin, passwords: Passwords, now: datetime) -> User:
    try:
        email = read_email("TAILSLIDE_ADMIN_EMAIL", given.email)
        check_password("TAILSLIDE_ADMIN_PASSWORD", given.password, email.text)
    except ContractError as error:
        raise StartError(str(error)) from None
    return _admin(email, None, await passwords.hash(given.password), now)


async def make_admin_link(
    database: Database, public_url: str, clock: Callable[[], datetime] = times.now
) -> tuple[str, datetime]:
    """Make a link for whoever is locked out; return it, and when it expires."""
    now = clock()
    async with database.begin() as connection:
        link, secret = await SetupLinkStore(connection).add(Purpose.ADMIN, now, now + ADMIN_LINK_LIFE)
        subject = Subject(SubjectKind.LINK, key=link.id)
        await record(connection, LogEntry("admin_link.created", subject, BY_SYSTEM, details={"made": "on the host"}))
    return entry_url(public_url, secret), now + ADMIN_LINK_LIFE


class SetupService:
    """Lets people in who come with a set-up link."""

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

    async def use(self, request: SetUp, client: Client) -> OpenedSession:
        """Use a link up: make its user an admin with this password, enabled, and open a session.

        An account that exists is logged out everywhere else.
        """
        email = read_email("email", request.email)
        check_password("password", request.password, email.text)
        async with self._database.begin() as connection:
            link = await SetupLinkStore(connection).find(request.secret, self._clock())
        # Looked at before the password is hashed, which costs more than whoever has no link should be able to ask for.
        if link is None:
            await self._failures.wrong_secret(Method.SETUP_LINK, client)
            raise link_invalid()
        password_hash = await self._passwords.hash(request.password)
        now = self._clock()
        async with self._database.begin() as connection:
            store, links = UserStore(connection), SetupLinkStore(connection)
            await store.lock_accounts()
            link = await links.find(request.secret, now)
            if link is None:
                raise link_invalid()
            await links.delete(link)
            before = await store.by_email(email, lock=True)
            if before is None:
                user = _admin(email, request.name, password_hash, now)
                await store.add(user)
            else:
                user = replace(
                    before,
                    name=request.name or before.name,
                    rights=Rights(Role.ADMIN, before.rights.apps),
                    disabled=False,
                    password_hash=password_hash,
                    version=before.version + 1,
                    updated_at=now,
                )
                await store.put(user, before)
                await SessionStore(connection).end_all(user.id)
            opened = await self._sessions.open(connection, user, Method.SETUP_LINK, client)
            await record(
                connection,
                LogEntry(
                    "user.created" if before is None else "user.let_in_again",
                    Subject(SubjectKind.USER, key=user.id),
                    Author(principal_of(user), client.address),
                    None if before is None else before.logged(),
                    user.logged(),
                    user.version,
                    details={"setup_link": link.id, "purpose": link.purpose.value},
                ),
            )
        log.info("setup_link_used", user=user.id, purpose=link.purpose.value)
        return opened


def _admin(email: Email, name: str | None, password_hash: str, now: datetime) -> User:
    return User(
        id=new_id("usr"),
        email=email,
        name=name or email.text.partition("@")[0],
        rights=Rights(Role.ADMIN),
        disabled=False,
        version=1,
        created_at=now,
        updated_at=now,
        password_hash=password_hash,
    )
