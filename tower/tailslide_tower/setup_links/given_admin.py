"""The admin that the environment names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GivenAdmin:
    """The admin that the environment names for a database without users."""

    email: str
    password: str

    def __repr__(self) -> str:
        return f"<GivenAdmin {self.email}>"
