"""What needs attention, as the API shows it."""

from typing import Annotated

from pydantic import BaseModel, Field

from tailslide_runtime.settings import Closed
from tailslide_tower.flag_states.models import FlagStateOut


class StatusQuery(Closed):
    """Whose flags are asked for."""

    app: Annotated[str, Field(max_length=100, description="Only the flags of this app.")] = ""


class FlagInTrouble(BaseModel):
    """A flag whose users do not get what was asked for, and its state."""

    app: str
    key: str
    name: str
    state: FlagStateOut


class NotPublishing(BaseModel):
    """That no change reaches a sidecar until a person decides which database fills NATS."""

    cause: str = Field(description="another_database, older_database, unknown_flags, newer_flags")
    problem: str = Field(description="What is the matter, in a sentence.")
    remedy: str = Field(description="What to do about it.")


class StatusOut(BaseModel):
    """What needs attention: circuits that are open, then those that recover, then flags that a person holds off."""

    sentence: str = Field(description="All of it in one sentence; with nothing open, when the last trip was.")
    flags: list[FlagInTrouble]
    troubles: list[str] = Field(description="What keeps Tailslide from its work now, a sentence each.")
    not_publishing: NotPublishing | None = Field(description="Null where this Tower may publish.")
