"""Viewer links in the database: by the hash of their secret."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.auth.makers import still_admin
from tailslide_tower.auth.secret_texts import hash_of
from tailslide_tower.database import metadata
from tailslide_tower.times import timestamp

_MOMENT = sa.DateTime(timezone=True)

viewer_links = sa.Table(
    "viewer_links",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("app", sa.Text(collation="C"), sa.ForeignKey("apps.key", ondelete="CASCADE"), nullable=True),
    sa.Column("secret_hash", sa.Text, nullable=False, unique=True),
    sa.Column("session_s", sa.BigInteger, nullable=False),
    sa.Column("made_by", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=True),
    sa.Column("made_by_name", sa.Text, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("expires_at", _MOMENT, nullable=False),
    sa.Column("used_at", _MOMENT, nullable=True),
    sa.Column("used_from", sa.Text, nullable=True),
)


@dataclass(frozen=True, slots=True)
class ViewerLink:
    """A link that opens one read-only session, which lives for `session_life`."""

    id: str
    name: str
    app: str | None
    """The only app that is seen; None for all."""
    session_life: timedelta
    made_by: str | None
    made_by_name: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    used_from: str | None = None

    def json(self) -> dict[str, object]:
        """Return it as the API and the log show it."""
        return {
            "id": self.id,
            "name": self.name,
            "app": self.app,
            "session_s": int(self.session_life.total_seconds()),
            "made_by": self.made_by_name,
            "created_at": timestamp(self.created_at),
            "expires_at": timestamp(self.expires_at),
            "used_at": None if self.used_at is None else timestamp(self.used_at),
            "used_from": self.used_from,
        }


class ViewerLinkStore:
    """Reads and writes viewer links inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, limit: int, after: str) -> list[ViewerLink]:
        """Return up to `limit` + 1 links in the order of their ids, behind `after`."""
        query = sa.select(viewer_links).where(viewer_links.c.id > after).order_by(viewer_links.c.id).limit(limit + 1)
        return [_link(row) for row in (await self._connection.execute(query)).mappings()]

    async def add(self, link: ViewerLink, secret: str) -> None:
        """Add a link."""
        await self._connection.execute(
            sa.insert(viewer_links).values(
                id=link.id,
                name=link.name,
                app=link.app,
                secret_hash=hash_of(secret),
                session_s=int(link.session_life.total_seconds()),
                made_by=link.made_by,
                made_by_name=link.made_by_name,
                created_at=link.created_at,
                expires_at=link.expires_at,
            )
        )

    async def use(self, secret: str, address: str, now: datetime) -> ViewerLink | None:
        """Use a link up and return it; None when it was used, has expired, or its maker might not make it any more."""
        statement = (
            sa.update(viewer_links)
            .where(
                viewer_links.c.secret_hash == hash_of(secret),
                viewer_links.c.used_at.is_(None),
                viewer_links.c.expires_at > now,
                still_admin(viewer_links.c.made_by),
            )
            .values(used_at=now, used_from=address)
            .returning(viewer_links)
        )
        row = (await self._connection.execute(statement)).mappings().first()
        return None if row is None else _link(row)

    async def delete(self, link_id: str) -> ViewerLink | None:
        """Delete a link and the session that it has opened; return it, None when there is none."""
        statement = sa.delete(viewer_links).where(viewer_links.c.id == link_id).returning(viewer_links)
        row = (await self._connection.execute(statement)).mappings().first()
        return None if row is None else _link(row)


def _link(row: sa.RowMapping) -> ViewerLink:
    return ViewerLink(
        id=row["id"],
        name=row["name"],
        app=row["app"],
        session_life=timedelta(seconds=row["session_s"]),
        made_by=row["made_by"],
        made_by_name=row["made_by_name"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        used_at=row["used_at"],
        used_from=row["used_from"],
    )
