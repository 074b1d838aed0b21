"""When flags were last asked for, out of series and of what sidecars say of themselves; and what is refused by it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from tailslide_core.naming import FlagId
from tailslide_core.presence import Presence, encode_presence
from tailslide_runtime.bucket_watch import Entry
from tailslide_runtime.http import ApiError
from tailslide_tower.flag_use import FlagUse
from tailslide_tower.flags.last_asked import DAY_MS, Asked, LastAskedUnknownError, refuse_if_asked_for
from tailslide_tower.sidecars.registry import SidecarRegistry
from tailslide_tower.timeseries.series import NoSeries, Wanted

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


class MemorySeries:
    def __init__(self, counted: Mapping[Wanted, int]) -> None:
        self.counted = counted

    async def now_ms(self) -> int:
        return NOW_MS

    async def last_counted(self, wanted: Sequence[Wanted], since_ms: int) -> Mapping[Wanted, int]:
        return {each: at for each in wanted if (at := self.counted.get(each, 0)) >= since_ms}


def variant(flag: str, name: str) -> Wanted:
    return Wanted(FlagId("shop", flag), f"variant:{name}")


def registry(*route_flags: str) -> SidecarRegistry:
    known = SidecarRegistry()
    if route_flags:
        presence = Presence("shop", "pay-1", "pay", "1", 1, 0, 0, None, None, (), route_flags, len(route_flags))
        known.take(Entry("shop.pay-1", encode_presence(presence), 1))
    return known


async def test_the_last_evaluation_of_any_variant_counts() -> None:
    series = MemorySeries({variant("a", "on"): NOW_MS - 5_000, variant("a", "off"): NOW_MS - 2_000})
    asked = await FlagUse(series, registry()).last_asked("shop", {"a": ["on", "off"], "b": ["on", "off"]})
    assert asked == {"a": Asked(NOW_MS - 2_000)}


async def test_a_route_counts_whatever_was_evaluated() -> None:
    asked = await FlagUse(MemorySeries({}), registry("a", "z")).last_asked("shop", {"a": ["on"], "b": ["on"]})
    assert asked == {"a": Asked(None, ("pay-1",))}


async def test_without_series_it_is_not_known() -> None:
    with pytest.raises(LastAskedUnknownError, match="TAILSLIDE_REDIS_URL"):
        await FlagUse(NoSeries(), registry()).last_asked("shop", {"a": ["on"]})


async def refusal(*counted: tuple[str, float]) -> ApiError | None:
    """Return why flags `a` to `h` are not archived that were counted so many days ago."""
    series = MemorySeries({variant(flag, "on"): NOW_MS - int(days * DAY_MS) for flag, days in counted})
    use, flags = FlagUse(series, registry()), {flag: ["on"] for flag in "abcdefgh"}
    try:
        await refuse_if_asked_for(use, "shop", flags, NOW, code="APP_IN_USE_RECENTLY")
    except ApiError as error:
        return error
    return None


async def test_seven_days_are_recent() -> None:
    assert await refusal() is None
    assert await refusal(("a", 7.01)) is None
    error = await refusal(("a", 6.99))
    assert error is not None
    assert (error.status, error.code, error.field) == (409, "APP_IN_USE_RECENTLY", "force")
    assert "'a' was last asked for at 2026-11-15T10:14" in error.message
    assert "set force to true" in error.message


async def test_of_many_flags_the_first_are_named() -> None:
    error = await refusal(*((flag, 1) for flag in "abcdefgh"))
    assert error is not None
    assert "and 3 more" in error.message
    assert len(error.message) < 600
