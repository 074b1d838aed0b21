"""What somebody says who comes with a set-up link."""

from tailslide_tower.auth.models import DisplayName, EmailText, PasswordText, SecretText
from tailslide_tower.requests import RequestBody


class SetUp(RequestBody):
    """The admin to be made, or to be let in again: the secret is what follows `#` in the link."""

    secret: SecretText
    email: EmailText
    name: DisplayName | None = None
    password: PasswordText
