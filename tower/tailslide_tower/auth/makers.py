"""Whoever hands out access and is then shut out has handed out nothing: what they made ends with their own access."""

from typing import Any

import sqlalchemy as sa

from tailslide_tower.auth.principal import Role
from tailslide_tower.users.store import users


def still_admin(made_by: "sa.ColumnElement[Any]") -> "sa.ColumnElement[bool]":
    """Return the condition that the user in a column is an admin; without a user, the environment's token made it."""
    maker = users.alias("maker")
    admin = sa.exists().where(maker.c.id == made_by, maker.c.disabled.is_(False), maker.c.role == Role.ADMIN.value)
    return sa.or_(made_by.is_(None), admin)
