"""Whoever hands out access and is then shut out has handed out nothing: what they made ends with their own access."""

from typing import Any

import sqlalchemy as sa

from tailslide_tower.auth.principal import Role
from tailslide_tower.users.store import users


def still_admin(made_by: "sa.ColumnElement[Any]") -> "sa.ColumnElement[bool]":
    """Return the condition that the user in a column is an admin; without a user, the environment's token made it."""
    admin = sa.exists().where(users.c.id == made_by, users.c.disabled.is_(False), users.c.role == Role.ADMIN.value)
    return sa.or_(made_by.is_(None), admin)

