"""Fields that requests about access share."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

from tailslide_core.sentences.quoted import named
from tailslide_tower.auth.principal import Role
from tailslide_tower.auth.rights import MAX_APP_ROLES
from tailslide_tower.requests import STORABLE


def one_line(text: str) -> str:
    """Return a name without blanks around it; raise `ValueError` where it cannot be shown on one line."""
    text = unicodedata.normalize("NFC", text.strip())
    if not named(text) or not text.isprintable():
        raise ValueError("expected a name on one line, of printable characters")
    return text


DisplayName = Annotated[str, Field(min_length=1, max_length=100), STORABLE, AfterValidator(one_line)]
"""What people call a user, a token, a link."""
RoleName = Annotated[str, Field(pattern=f"^({'|'.join(Role)})$", description="viewer, editor or admin")]
AppRoles = Annotated[
    dict[str, RoleName],
    Field(max_length=MAX_APP_ROLES, description="Roles in single apps, by their keys; they add to the role over all."),
]
EmailText = Annotated[str, Field(max_length=300), STORABLE]
PasswordText = Annotated[str, Field(max_length=1000), STORABLE]
"""Its length is checked where one is set; where one is presented, any wrong one is just wrong."""
SecretText = Annotated[str, Field(min_length=1, max_length=200), STORABLE]
