"""Following a flag over Tower's live socket."""

from typing import Any

from tailslide_cli.tower_api import TowerApi
from tailslide_core.naming import FlagId


async def watch(tower: TowerApi, flag: FlagId, *, as_json: bool) -> Any:
    """Print what happens to a flag until cancelled."""
    raise NotImplementedError
