"""Sessions in the database: by the hash of their cookie's secret."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.auth.makers import still_admin
from tailslide_tower.auth.principal import Principal, PrincipalKind, Role
from tailslide_tower.auth.rights_store import apps_of, rights_of
from tailslide_tower.auth.secret_texts import SecretKind, hash_of, new_id, new_secret
from tailslide_tower.database import metadata
from tailslide_tower.sessions.session import MAX_SESSIONS, MAX_USER_AGENT, Client, Lifetimes, Method, Session
from tailslide_tower.users.store import users
from tailslide_tower.viewer_links.store import viewer_links

_MOMENT = sa.DateTime(timezone=True)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("secret_hash", sa.Text, nullable=False, unique=True),
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=True),
    sa.Column("link_id", sa.Text, sa.ForeignKey("viewer_links.id", ondelete="CASCADE"), nullable=True),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("user_agent", sa.Text, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("last_used_at", _MOMENT, nullable=False),
    sa.Column("expires_at", _MOMENT, nullable=False),
    sa.CheckConstraint("(user_id IS NULL) <> (link_id IS NULL)", name="holder"),
)
sa.Index("sessions_user_id_idx", sessions.c.user_id)
sa.Index("sessions_link_id_idx", sessions.c.link_id)

_FOUND = (
    sa.select(
        sessions,
        users.c.email,
        users.c.role,
        users.c.disabled,
        apps_of(users.c.id),
        viewer_links.c.name.label("link_name"),
        viewer_links.c.app.label("link_app"),
        # A link counts for as long as the one who made it might make it.
        sa.or_(sessions.c.link_id.is_(None), still_admin(viewer_links.c.made_by)).label("is_let_in"),
    )
    .select_from(sessions)
    .outerjoin(users, users.c.id == sessions.c.user_id)
    .outerjoin(viewer_links, viewer_links.c.id == sessions.c.link_id)
)


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A session that lives, and who has it."""

    session: Session
    principal: Principal


class SessionStore:
    """Reads and writes sessions inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, secret: str, now: datetime, lifetimes: Lifetimes) -> FoundSession | None:
        """Return the session of a cookie, unless it has ended or the one who has it may not get in any more."""
        row = (
            (await self._connection.execute(_FOUND.where(sessions.c.secret_hash == hash_of(secret)))).mappings().first()
        )
        if row is None:
            return None
        session = _session(row)
        if session.ends_at(lifetimes) <= now or row["disabled"] or not row["is_let_in"]:
            return None
        return FoundSession(session, _principal(row))

    async def touch(self, session_id: str, now: datetime) -> None:
        """Note that a session was used."""
        await self._connection.execute(
            sa.update(sessions)
            .where(sessions.c.id == session_id, sessions.c.last_used_at < now)
            .values(last_used_at=now)
        )

    async def open(
        self,
        *,
        method: Method,
        client: Client,
        now: datetime,
        expires_at: datetime,
        user_id: str | None = None,
        link_id: str | None = None,
    ) -> tuple[Session, str]:
        """Open a session for a user or a viewer link; return it and the secret of its cookie."""
        secret = new_secret(SecretKind.SESSION)
        client = Client(client.address, client.user_agent[:MAX_USER_AGENT].replace("\0", ""))
        session = Session(new_id("ses"), user_id, link_id, method, client, now, now, expires_at)
        await self._connection.execute(
            sa.insert(sessions).values(
                id=session.id,
                secret_hash=hash_of(secret),
                user_id=user_id,
                link_id=link_id,
                method=method.value,
                address=client.address,
                user_agent=client.user_agent,
                created_at=now,
                last_used_at=now,
                expires_at=expires_at,
            )
        )
        if user_id is not None:
            newest = (
                sa.select(sessions.c.id)
                .where(sessions.c.user_id == user_id)
                .order_by(sessions.c.created_at.desc(), sessions.c.id)
                .limit(MAX_SESSIONS)
                .correlate(None)
            )
            await self._connection.execute(
                sa.delete(sessions).where(sessions.c.user_id == user_id, sessions.c.id.not_in(newest))
            )
        return session, secret

    async def of_user(self, user_id: str, now: datetime, lifetimes: Lifetimes) -> list[Session]:
        """Return the sessions of a user that live, the one used last first."""
        query = (
            sa.select(sessions)
            .where(
                sessions.c.user_id == user_id,
                sessions.c.expires_at > now,
                sessions.c.last_used_at > now - lifetimes.idle,
            )
            .order_by(sessions.c.last_used_at.desc(), sessions.c.id)
        )
        return [_session(row) for row in (await self._connection.execute(query)).mappings()]

    async def end(self, session_id: str, user_id: str | None = None) -> bool:
        """End a session, for a given user only if it is that one's; False when there is none."""
        condition = sessions.c.id == session_id
        if user_id is not None:
            condition = sa.and_(condition, sessions.c.user_id == user_id)
        ended = await self._connection.scalar(sa.delete(sessions).where(condition).returning(sessions.c.id))
        return ended is not None

    async def end_all(self, user_id: str, keep: str | None = None) -> int:
        """End all sessions of a user but `keep`; return how many."""
        statement = sa.delete(sessions).where(sessions.c.user_id == user_id)
        if keep is not None:
            statement = statement.where(sessions.c.id != keep)
        return len((await self._connection.scalars(statement.returning(sessions.c.id))).all())


def _session(row: sa.RowMapping) -> Session:
    return Session(
        id=row["id"],
        user_id=row["user_id"],
        link_id=row["link_id"],
        method=row["method"],
        client=Client(row["address"], row["user_agent"]),
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
    )


def _principal(row: sa.RowMapping) -> Principal:
    if row["user_id"] is not None:
        rights = rights_of(row["role"], row["app_roles"])
        return Principal(PrincipalKind.USER, row["user_id"], row["email"], rights.role, rights.apps, row["user_id"])
    return link_principal(row["link_id"], row["link_name"], row["link_app"])


def link_principal(link_id: str, name: str, app: str | None) -> Principal:
    """Return who has come by a viewer link: it sees one app, or all."""
    role, roles = (Role.VIEWER, {}) if app is None else (None, {app: Role.VIEWER})
    return Principal(PrincipalKind.LINK, link_id, f"link “{name}”", role, roles)
