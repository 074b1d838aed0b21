"""A user, and how people write e-mail addresses. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_tower.auth.rights import Rights

MAX_EMAIL = 254
"""RFC 5321, section 4.5.3.1.3, as erratum 1690 of RFC 3696 has it."""
_EMAIL = re.compile(
    r"[^\s@\"(),:;<>\[\]\\\x00-\x1f\x7f]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)*[^\W_](?:[\w-]{0,61}[^\W_])?"
)


@dataclass(frozen=True, slots=True)
class Email:
    """An e-mail address as people see it, and the key by which it is one account's."""

    text: str
    key: str

    @property
    def domain(self) -> str:
        """Return what stands behind the `@`, in lower case."""
        return self.key.rpartition("@")[2]


def read_email(field: str, text: str) -> Email:
    """Read an address; raise `ContractError`.

    Mail servers may tell upper and lower case apart in the part before the `@`, and none does: two accounts that differ
    in case alone would be one person's, or a forgery.
    """
    written = unicodedata.normalize("NFC", text.strip())
    if len(written) > MAX_EMAIL or _EMAIL.fullmatch(written) is None:
        raise ContractError(field, f"expected an e-mail address, like editor@example.org, got {shown(text, 100)}")
    local, _, domain = written.rpartition("@")
    return Email(f"{local}@{domain.lower()}", unicodedata.normalize("NFC", written.casefold()))


@dataclass(frozen=True, slots=True)
class User:
    """A user."""

    id: str
    email: Email
    name: str
    rights: Rights
    disabled: bool
    version: int
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None = None
    password_hash: str | None = None
    oidc_issuer: str | None = None
    oidc_subject: str | None = None

    def __repr__(self) -> str:
        return f"<User {self.id} {self.email.text}{' disabled' if self.disabled else ''}>"

    def logged(self) -> dict[str, object]:
        """Return the user as the log keeps it: nothing of the password but whether there is one."""
        return {
            "email": self.email.text,
            "name": self.name,
            **self.rights.json(),
            "disabled": self.disabled,
            "has_password": self.password_hash is not None,
            "oidc": self.oidc_subject is not None,
        }
