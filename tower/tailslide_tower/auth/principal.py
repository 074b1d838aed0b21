"""Who asks, and what they may do. Pure; who makes principals of tokens and cookies is decided elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do: each role may do all that the ones before it may."""

    VIEWER = "viewer"
    """Reads."""
    EDITOR = "editor"
    """Changes flags, segments, and what belongs to an app."""
    ADMIN = "admin"
    """Manages apps, users, keys, and what belongs to all apps; deletes for good."""

    @property
    def rank(self) -> int:
        """Return the role's place among the roles, the least one being 1."""
        return list(Role).index(self) + 1

    def covers(self, other: "Role") -> bool:
        """Whether whoever has this role may do what `other` may."""
        return self.rank >= other.rank


class PrincipalKind(StrEnum):
    """How somebody has got in."""

    USER = "user"
    TOKEN = "token"  # noqa: S105 # a kind, not a secret
    ENVIRONMENT = "environment"
    """The token that Tower's environment sets."""
    LINK = "link"
    """A one-time viewer link."""
    SYSTEM = "system"
    """Tower itself, or a fact that it has seen: nobody has asked."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks. `role` holds for all apps, `roles` for single ones; the larger of the two counts."""

    kind: PrincipalKind
    principal_id: str
    name: str
    """For people: an e-mail address, the name of a token."""
    role: Role | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    user_id: str | None = None
    """The user that this is, or whose token it is, and who so answers for what it makes."""
    has_old_secret: bool = False
    """Whether a token was presented by the secret that it had before its last rotation."""

    def role_in(self, app: str | None) -> Role | None:
        """Return the role in an app, or, for None, the one over all apps."""
        mine = [role for role in (self.role, None if app is None else self.roles.get(app)) if role is not None]
        return max(mine, key=lambda role: role.rank, default=None)

    def may(self, role: Role, app: str | None = None) -> bool:
        """Whether this one may do what `role` may in an app or, for None, over all apps."""
        mine = self.role_in(app)
        return mine is not None and mine.covers(role)

    def apps_with(self, role: Role) -> frozenset[str] | None:
        """Return the apps in which this one may do what `role` may; None stands for all of them."""
        if self.role is not None and self.role.covers(role):
            return None
        return frozenset(app for app, mine in self.roles.items() if mine.covers(role))

    def may_anywhere(self, role: Role) -> bool:
        """Whether there is an app in which this one may do what `role` may."""
        return self.apps_with(role) != frozenset()


ENVIRONMENT = Principal(PrincipalKind.ENVIRONMENT, "environment", "environment", Role.ADMIN)
SYSTEM = Principal(PrincipalKind.SYSTEM, "tower", "Tower")


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change, from where, and why."""

    principal: Principal
    address: str | None = None
    """The client's address, as far as known."""
    reason: str | None = None

    @property
    def name(self) -> str:
        """Return what people call the one who makes the change."""
        return self.principal.name


BY_SYSTEM = Author(SYSTEM)
"""For what nobody has asked for."""
