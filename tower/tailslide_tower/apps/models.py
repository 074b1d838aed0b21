"""What people say of apps, and what they get to see."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from tailslide_tower.requests import STORABLE, RequestBody
from tailslide_tower.times import timestamp

AppName = Annotated[str, Field(min_length=1, max_length=200), STORABLE]


class AppCreate(RequestBody):
    """A new app; without a name it is called as its key."""

    key: str
    name: AppName | None = None


class AppChange(RequestBody):
    """A change of an app: what is missing stays."""

    name: AppName = ""


@dataclass(frozen=True, slots=True)
class App:
    """An app."""

    key: str
    name: str
    created_at: datetime
    updated_at: datetime

    def json(self) -> dict[str, object]:
        """Return the app as the API shows it."""
        return {
            "key": self.key,
            "name": self.name,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
        }
