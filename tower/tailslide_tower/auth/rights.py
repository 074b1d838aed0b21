"""What somebody may do: a role over all apps, and roles in single apps. Pure.

Roles add up: a role in an app never takes away what the role over all apps gives.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tailslide_core.errors import ContractError
from tailslide_core.naming import check_app_key
from tailslide_tower.auth.principal import Role

MAX_APP_ROLES = 500
"""So many apps may be named for one person or token; who needs more has a role over all apps."""


def _higher(one: Role | None, other: Role | None) -> Role | None:
    if one is None or other is None:
        return one or other
    return one if one.covers(other) else other


def _lower(one: Role | None, other: Role | None) -> Role | None:
    if one is None or other is None:
        return None
    return other if one.covers(other) else one


@dataclass(frozen=True, slots=True)
class Rights:
    """The role over all apps, None for none, and the roles in single apps."""

    role: Role | None = None
    apps: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))

    def in_app(self, app: str) -> Role | None:
        """Return the role in an app."""
        return _higher(self.role, self.apps.get(app))

    def may(self, app: str | None, role: Role) -> bool:
        """Whether they allow what `role` may do in an app; None asks for all apps."""
        have = self.role if app is None else self.in_app(app)
        return have is not None and have.covers(role)

    def narrowed(self, bound: "Rights") -> "Rights":
        """Return what both allow. So a token never does more than its owner may do now."""
        apps = {
            app: role
            for app in sorted({*self.apps, *bound.apps})
            if (role := _lower(self.in_app(app), bound.in_app(app))) is not None
        }
        return Rights(_lower(self.role, bound.role), apps)

    def raised(self, role: Role) -> "Rights":
        """Return them with at least this role over all apps."""
        return Rights(_higher(self.role, role), self.apps)

    def covers(self, other: "Rights") -> bool:
        """Whether they allow all that the other ones allow."""
        return (other.role is None or self.may(None, other.role)) and all(
            self.may(app, role) for app, role in other.apps.items()
        )

    def json(self) -> dict[str, object]:
        """Return them as the API and the log show them."""
        return {"role": self.role, "apps": dict(sorted(self.apps.items()))}


EVERYTHING = Rights(Role.ADMIN)
NOTHING = Rights()


def read_rights(role: str | None, apps: Mapping[str, str]) -> Rights:
    """Read roles as they are kept and asked for; raise `ContractError` that names the field."""
    if len(apps) > MAX_APP_ROLES:
        raise ContractError("apps", f"expected at most {MAX_APP_ROLES} apps, got {len(apps)}")
    return Rights(
        None if role is None else read_role("role", role),
        {check_app_key("apps", app): read_role(f"apps.{app}", value) for app, value in sorted(apps.items())},
    )


def read_role(name: str, text: str) -> Role:
    """Read a role; raise `ContractError`."""
    try:
        return Role(text)
    except ValueError:
        raise ContractError(name, f"expected one of {_listed(Role)}") from None


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)
