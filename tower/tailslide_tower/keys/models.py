"""What people say of SDK keys, and what they get to see. The key itself is shown once, to whoever makes it."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from tailslide_core.sdk_keys import SdkKeyRecord
from tailslide_tower.auth.models import DisplayName
from tailslide_tower.requests import RequestBody
from tailslide_tower.times import timestamp


class KeyCreate(RequestBody):
    """A new SDK key. Its name is for people: where it is used, as a rule."""

    name: DisplayName


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key as it is kept."""

    record: SdkKeyRecord
    name: str
    created_at: datetime
    created_by: str

    def json(self) -> dict[str, object]:
        """Return the key as the API shows it, without what lets anybody in."""
        return {
            "app": self.record.app,
            "id": self.record.key_id,
            "name": self.name,
            "created_at": timestamp(self.created_at),
            "created_by": self.created_by,
        }


class KeyOut(BaseModel):
    """An SDK key, as it is shown: `id` is its third part."""

    app: str
    id: str
    name: str
    created_at: str
    created_by: str


class NewKeyOut(KeyOut):
    """A new SDK key. `key` is shown this once, and set as `TAILSLIDE_SDK_KEY` where the app's sidecars run."""

    key: str


class KeyList(BaseModel):
    """A page of an app's keys. `next` is where to go on (`after`), null at the end."""

    keys: list[KeyOut]
    next: str | None
