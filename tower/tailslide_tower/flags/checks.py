"""What the database has to say to a change of a flag, inside its transaction: what refers to what, and what is missing.

What flags may say of each other is in `relations`.
"""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core import relations
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import Ruleset
from tailslide_runtime.http import ApiError
from tailslide_tower.apps.errors import app_not_found, named
from tailslide_tower.apps.store import AppStore
from tailslide_tower.flags.store import FlagStore
from tailslide_tower.segments.store import SegmentStore


def is_related(ruleset: Ruleset) -> bool:
    """Whether a flag names other flags or segments."""
    return bool(ruleset.requires or relations.segments_named(ruleset))


async def check_related(connection: AsyncConnection, ruleset: Ruleset) -> None:
    """Raise `ContractError` unless a flag can name the flags and segments that it names."""
    await check_requirements(connection, ruleset)
    await check_segments(connection, ruleset)


async def check_requirements(connection: AsyncConnection, ruleset: Ruleset) -> None:
    """Raise `ContractError` unless a flag can require what it does."""
    if ruleset.requires:
        store = FlagStore(connection)
        variants = await store.variants(ruleset.app, [requirement.flag for requirement in ruleset.requires])
        relations.check_requirements(ruleset, variants, await store.requirements(ruleset.app))


async def check_segments(connection: AsyncConnection, ruleset: Ruleset) -> None:
    """Raise `ContractError` unless the app has the segments that a flag names."""
    segments = relations.segments_named(ruleset)
    if segments:
        relations.check_segments(ruleset, await SegmentStore(connection).known(ruleset.app, segments))


async def refuse_to_take_away(connection: AsyncConnection, before: Ruleset, after: Ruleset) -> None:
    """Refuse a change that removes a variant that other flags require."""
    gone = {variant.key for variant in before.variants} - {variant.key for variant in after.variants}
    if gone:
        requirements = await FlagStore(connection).requirements(after.app)
        for variant in sorted(gone):
            if others := relations.requiring(after.key, {variant}, requirements):
                raise _in_use(f"{named(others)} {_require(others)} its variant {variant!r}", "variants")


async def refuse_while_required(connection: AsyncConnection, flag_id: FlagId, *, archived: bool) -> None:
    """Refuse to take a flag away that others require; those that are archived count if `archived`."""
    if others := await FlagStore(connection).that_require(flag_id, archived=archived):
        raise _in_use(f"{named(others)} {_require(others)} the flag {flag_id.flag!r}", "flag")


def _require(flags: Collection[str]) -> str:
    return "requires" if len(flags) == 1 else "require"


def _in_use(why: str, field: str) -> ApiError:
    return ApiError(409, "FLAG_IN_USE", f"{why}; change the field requires there first", field)


def flag_not_found(flag_id: FlagId) -> ApiError:
    """Return the error for a flag that an app does not have."""
    return ApiError(404, "FLAG_NOT_FOUND", f"the app {flag_id.app!r} has no flag {flag_id.flag!r}", "flag")


async def not_found(connection: AsyncConnection, flag_id: FlagId) -> ApiError:
    """Return the error for a flag that is not there, or whose app is not."""
    if await AppStore(connection).get(flag_id.app) is None:
        return app_not_found(flag_id.app)
    return flag_not_found(flag_id)
