"""The state beside the flag, in answers with one flag or many."""

from collections.abc import Sequence

from aiohttp import web

from tailslide_core.contracts import Json
from tailslide_tower.flag_states.service import FlagStates, ShownFlag

STATES = web.AppKey("flag_states", FlagStates)


async def with_state(request: web.Request, flag: ShownFlag, shown: Json) -> Json:
    """Return a flag as JSON, its state in it."""
    return shown | {"state": await request.app[STATES].describe(flag)}


async def with_states(request: web.Request, flags: Sequence[ShownFlag], shown: Sequence[Json]) -> list[Json]:
    """Return flags as JSON, each with its state."""
    states = await request.app[STATES].describe_all(flags)
    return [each | {"state": state} for each, state in zip(shown, states, strict=True)]
