"""Roles in single apps, in the database: of users, API tokens and invitations, by their ids.

An app that is deleted takes the roles in it along, so that a later app of the same key gives nobody anything.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_tower.apps.store import apps
from tailslide_tower.auth.rights import Rights, read_rights
from tailslide_tower.database import metadata

app_roles = sa.Table(
    "app_roles",
    metadata,
    sa.Column("holder", sa.Text, primary_key=True),
    sa.Column("app", sa.Text(collation="C"), sa.ForeignKey("apps.key", ondelete="CASCADE"), primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Index("app_roles_app_idx", "app"),
)


def apps_of(holder: "sa.ColumnElement[Any]", label: str = "app_roles") -> "sa.Label[Any]":
    """Return a column with the roles of a holder in single apps, as a JSON object; null for none."""
    return (
        sa.select(sa.func.jsonb_object_agg(app_roles.c.app, app_roles.c.role))
        .where(app_roles.c.holder == holder)
        .scalar_subquery()
        .label(label)
    )


def rights_of(role: str | None, app_roles: Mapping[str, str] | None) -> Rights:
    """Return the rights of a row: its role over all apps, and the column that `apps_of` gives."""
    return read_rights(role, app_roles or {})


async def set_app_roles(connection: AsyncConnection, holder: str, rights: Rights) -> None:
    """Make the roles of a holder in single apps these; raise `ContractError` on `apps` when there is no such app."""
    if rights.apps:
        # Locked, so that none of them is deleted before this is committed; and before the roles, as a deletion does.
        named = sa.select(apps.c.key).where(apps.c.key.in_(list(rights.apps))).order_by(apps.c.key)
        known = (await connection.scalars(named.with_for_update(read=True, key_share=True))).all()
        if missing := set(rights.apps) - set(known):
            raise ContractError("apps", f"expected keys of apps; there is no app {shown(min(missing))}")
    await connection.execute(sa.delete(app_roles).where(app_roles.c.holder == holder))
    if not rights.apps:
        return
    rows = [{"holder": holder, "app": app, "role": role.value} for app, role in rights.apps.items()]
    await connection.execute(sa.insert(app_roles), rows)


async def forget_app_roles(connection: AsyncConnection, holders: "sa.Select[tuple[str]] | list[str]") -> None:
    """Delete the roles of holders that are deleted."""
    await connection.execute(sa.delete(app_roles).where(app_roles.c.holder.in_(holders)))
