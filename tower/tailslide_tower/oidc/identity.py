"""Who a provider says somebody is, and what that person may do here. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tailslide_core.errors import ContractError
from tailslide_tower.auth.principal import Role
from tailslide_tower.users.user import Email, read_email


class RefusedError(Exception):
    """The provider knows somebody who does not get in; the text says why, for that person.

    `reason` is the same for the log-in page, which has a sentence for each: one of few words, and nothing from outside.
    """

    def __init__(self, text: str, reason: str = "refused") -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """A provider, and who of its users gets in."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str = "single sign-on"
    """What people call it."""
    domains: frozenset[str] = frozenset()
    """Domains of e-mail addresses that get in; none stands for all."""
    default_role: Role | None = None
    """What somebody may do who is new here and was not invited; None lets nobody in who was not."""
    role_claim: str = "groups"
    """The claim that has the groups."""
    roles: Mapping[str, Role] = field(default_factory=dict)
    """What the members of a group may do. Where there are any, the provider decides over the role over all apps."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as the provider knows them."""

    issuer: str
    subject: str
    email: Email
    name: str
    role: Role | None
    """The role that the groups give; the default one where they give none."""


def identity_of(claims: Mapping[str, object], settings: OidcSettings) -> Identity:
    """Return who the claims of a verified ID token are about; raise `RefusedError`.

    Only a verified address counts (OpenID Connect Core 1.0, section 5.1): with one that anybody may enter at the
    provider, anybody could become a user here that has it.
    """
    subject, email = claims.get("sub"), claims.get("email")
    if not isinstance(subject, str) or not subject:
        raise RefusedError("the provider did not say who you are (claim sub)")
    if not isinstance(email, str) or not email:
        raise RefusedError("the provider did not give your e-mail address (claim email, scope email)", "no_address")
    # Some providers write it as a text.
    if claims.get("email_verified") not in (True, "true"):
        raise RefusedError("the provider has not verified your e-mail address (claim email_verified)", "unverified")
    try:
        address = read_email("email", email)
    except ContractError as error:
        raise RefusedError(f"the provider gave no e-mail address that can be used: {error.problem}") from None
    if settings.domains and address.domain not in settings.domains:
        raise RefusedError(f"addresses of {address.domain} may not log in here", "domain")
    name = claims.get("name")
    shown = " ".join(name.split())[:100] if isinstance(name, str) else ""
    if not shown.isprintable() or not shown:
        shown = address.text.partition("@")[0]
    return Identity(settings.issuer, subject, address, shown, _role_of(claims, settings))


def _role_of(claims: Mapping[str, object], settings: OidcSettings) -> Role | None:
    value = claims.get(settings.role_claim)
    groups = value if isinstance(value, list) else [value]
    found = [settings.roles[group] for group in groups if isinstance(group, str) and group in settings.roles]
    return max(found, key=lambda role: role.rank, default=settings.default_role)


def read_roles(value: object) -> dict[str, Role]:
    """Read `group=role` pairs, separated by commas; raise `ValueError`."""
    if isinstance(value, dict):
        return value
    roles: dict[str, Role] = {}
    for pair in value.split(",") if isinstance(value, str) else ():
        group, separator, role = pair.rpartition("=")
        if not separator or not group.strip() or role.strip() not in list(Role):
            raise ValueError("expected group=role pairs with viewer, editor or admin, like ops=admin,dev=editor")
        roles[group.strip()] = Role(role.strip())
    return roles
