"""The rules of viewer links: each opens one read-only session, for whoever comes with it first."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from tailslide_core.naming import check_app_key
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.apps.errors import app_not_found
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.failures import LoginFailures
from tailslide_tower.auth.principal import Author
from tailslide_tower.auth.secret_texts import SecretKind, new_id, new_secret
from tailslide_tower.database import Database
from tailslide_tower.invitations.service import link_invalid
from tailslide_tower.sessions.service import SessionService, record_login
from tailslide_tower.sessions.session import Client, Method, OpenedSession
from tailslide_tower.viewer_links.models import LinkCreate
from tailslide_tower.viewer_links.store import ViewerLink, ViewerLinkStore

log = structlog.get_logger()


class ViewerLinkService:
    """Viewer links: raises `ApiError` and `ContractError` on what is asked in vain."""

    def __init__(
        self,
        database: Database,
        sessions: SessionService,
        failures: LoginFailures,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._failures = failures
        self._clock = clock

    async def page(self, limit: int, after: str) -> list[ViewerLink]:
        """Return the links of a page and, if there are more, one of them."""
        async with self._database.begin() as connection:
            return await ViewerLinkStore(connection).page(limit, after)

    async def create(self, request: LinkCreate, author: Author) -> tuple[ViewerLink, str]:
        """Make a link; return it and its secret."""
        app = None if request.app is None else check_app_key("app", request.app)
        now = self._clock()
        link = ViewerLink(
            id=new_id("lnk"),
            name=request.name,
            app=app,
            session_life=timedelta(seconds=request.session_s),
            made_by=author.principal.user_id,
            made_by_name=author.name,
            created_at=now,
            expires_at=now + timedelta(seconds=request.expires_in_s),
        )
        secret = new_secret(SecretKind.VIEWER_LINK)
        async with self._database.begin() as connection:
            if app is not None and not await AppStore(connection).keep(app):
                raise app_not_found(app)
            await ViewerLinkStore(connection).add(link, secret)
            await record(connection, _entry("link.created", author, None, link))
        log.info("viewer_link_created", who=author.name, link=link.id)
        return link, secret

    async def withdraw(self, link_id: str, author: Author) -> None:
        """Delete a link; a session that it has opened ends with it."""
        async with self._database.begin() as connection:
            link = await ViewerLinkStore(connection).delete(link_id)
            if link is None:
                raise ApiError(404, "LINK_NOT_FOUND", f"there is no link {link_id[:80]!r}", "link")
            await record(connection, _entry("link.withdrawn", author, link, None))
        log.info("viewer_link_withdrawn", who=author.name, link=link_id)

    async def use(self, secret: str, client: Client) -> OpenedSession:
        """Use a link up; return the session that it opens."""
        async with self._database.begin() as connection:
            link = await ViewerLinkStore(connection).use(secret, client.address, self._clock())
            if link is not None:
                opened = await self._sessions.open_by_link(connection, link, client)
                await record_login(connection, opened, client)
                return opened
        await self._failures.wrong_secret(Method.VIEWER_LINK, client)
        raise link_invalid()


def _entry(action: str, author: Author, before: ViewerLink | None, after: ViewerLink | None) -> LogEntry:
    link = after or before
    assert link is not None
    return LogEntry(
        action,
        Subject(SubjectKind.LINK, link.app, link.id),
        author,
        None if before is None else before.json(),
        None if after is None else after.json(),
    )
