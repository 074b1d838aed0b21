"""What people say of apps, and what they get to see."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from tailslide_core.contracts import Json
from tailslide_core.naming import APP_KEY_RULE
from tailslide_tower.flags.models import Description, FlagDefaults, TowersOwn, one_line, refuse, says
from tailslide_tower.requests import STORABLE, PageQuery, RequestBody
from tailslide_tower.times import timestamp

AppName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(one_line)]
Label = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(one_line)]


class AppFields(RequestBody):
    """The fields of both a new app and a change. In a change, a missing field stays as it is."""

    name: Annotated[AppName | None, says("What people call the app; null is its key.")] = None
    description: Annotated[Description, says("What the app is.")] = ""
    service: Annotated[Label | None, says("The service that the app is of; several apps may be of one.")] = None
    environment: Annotated[Label | None, says("Where it runs: production, staging, anything.")] = None
    defaults: Annotated[
        FlagDefaults | None, says("What a new flag has where nobody says otherwise; replaced whole, null is nothing.")
    ] = None
    requires_reason: Annotated[
        bool, says("Whether whoever changes a flag or a segment has to say why (Tailslide-Reason).")
    ] = False
    version: TowersOwn = None
    archived_at: TowersOwn = None
    created_at: TowersOwn = None
    updated_at: TowersOwn = None


class AppCreate(AppFields):
    """A new app; without a name it is called as its key."""

    key: Annotated[str, says(f"The app's key: {APP_KEY_RULE}.", pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]


class AppChange(AppFields):
    """A change of an app, which keeps its key."""

    key: Annotated[None, refuse("expected to be left out: an app keeps its key; make another app instead")] = None


class AppQuery(PageQuery):
    """Which apps are asked for; filters add up."""

    q: Annotated[
        str, Field(max_length=200, description="A text in the key, name, service or environment."), STORABLE
    ] = ""
    archived: Annotated[Literal["false", "true", "all"], Field(description="Whether the app is archived.")] = "false"


@dataclass(frozen=True, slots=True)
class App:
    """An app. Nothing of one with `archived_at` is published. `defaults` is as people have written it."""

    key: str
    name: str
    version: int
    created_at: datetime
    updated_at: datetime
    description: str = ""
    service: str | None = None
    environment: str | None = None
    defaults: Json = field(default_factory=dict)
    requires_reason: bool = False
    archived_at: datetime | None = None

    def json(self) -> Json:
        """Return the app as the API shows it."""
        return {
            "key": self.key,
            "name": self.name,
            "description": self.description,
            "service": self.service,
            "environment": self.environment,
            "defaults": self.defaults,
            "requires_reason": self.requires_reason,
            "archived_at": None if self.archived_at is None else timestamp(self.archived_at),
            "version": self.version,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
        }


class AppOut(BaseModel):
    """An app, as it is shown."""

    key: str
    name: str
    description: str
    service: str | None
    environment: str | None
    defaults: dict[str, Any] = Field(description="What a new flag has where nobody says otherwise.")
    requires_reason: bool = Field(description="Whether changes of flags and segments need Tailslide-Reason.")
    archived_at: str | None = Field(description="Since when nothing of the app is published; null: it is.")
    version: int
    created_at: str
    updated_at: str


class AppList(BaseModel):
    """A page of apps."""

    apps: list[AppOut]
    next: str | None = Field(description="Where to go on (`after`), null at the end.")
