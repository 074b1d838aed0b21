"""What people say of apps, and what they get to see."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

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
    version: int
    created_at: datetime
    updated_at: datetime

    def json(self) -> dict[str, object]:
        """Return the app as the API shows it."""
        return {
            "key": self.key,
            "name": self.name,
            "version": self.version,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
        }


class AppOut(BaseModel):
    """An app, as it is shown."""

    key: str
    name: str
    version: int
    created_at: str
    updated_at: str


class AppList(BaseModel):
    """A page of apps. `next` is where to go on (`after`), null at the end."""

    apps: list[AppOut]
    next: str | None
