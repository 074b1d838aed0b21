"""A sidecar as the API shows it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tailslide_tower.requests import PageQuery


class Status(StrEnum):
    """Whether a sidecar is heard from, and up to date."""

    CURRENT = "current"
    BEHIND = "behind"
    SILENT = "silent"


class SidecarQuery(PageQuery):
    """Which sidecars are asked for."""

    status: Annotated[
        Literal["current", "behind", "silent"] | None, Field(description="Only those that are in this state.")
    ] = None


class SidecarOut(BaseModel):
    """A sidecar, by its own account, and when this Tower has last heard from it.

    `status`: `current` has taken in all that is published of its app, `behind` has not, `silent` has not been heard
    from for 30 s. `revision` is that of the bucket of rulesets; `age_ms` is how long ago the sidecar heard from NATS
    when it wrote this. Of many flags only some are named, and all are counted.
    """

    app: str
    instance: str
    status: Literal["current", "behind", "silent"]
    host: str
    version: str
    started_at: str
    last_heard_at: str
    silent_ms: int = Field(description="For how long nothing was heard from it.")
    revision: int
    age_ms: int | None
    source: str | None = Field(description="`jetstream`, `snapshot`, or null while it knows nothing.")
    listeners: list[str]
    route_flags: list[str]
    route_flags_count: int
    refused: list[str] = Field(description="Flags whose last ruleset it could not read.")
    refused_count: int


class SidecarList(BaseModel):
    """A page of sidecars. `next` is where to go on (`after`), null at the end.

    `listening` is false while this Tower hears nothing of sidecars itself; then nothing follows from their silence. A
    Tower that has just started knows only those that it has heard from since.
    """

    sidecars: list[SidecarOut]
    next: str | None
    listening: bool
    counts: dict[Status, int] = Field(description="Of all sidecars that the list is about, not of the page alone.")
