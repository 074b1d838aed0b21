"""What browsers say on their way to a provider and back."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tailslide_runtime.settings import Closed
from tailslide_tower.auth.entry_links import MAX_PATH
from tailslide_tower.requests import STORABLE


class BeginQuery(Closed):
    """Where the browser goes on afterwards."""

    next: Annotated[str, Field(max_length=MAX_PATH, description="A page of the dashboard."), STORABLE] = "/"


class CallbackQuery(BaseModel):
    """What the provider sends the browser back with; providers add parameters of their own."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    # How long they may be is bounded by how long the target of a request may be.
    state: str = ""
    code: str = ""
    error: Annotated[str, Field(description="Why the provider has let nobody in.")] = ""
