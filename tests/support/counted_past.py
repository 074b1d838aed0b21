"""What sidecars would have counted, and Aerobat's rules for it: for tests of whoever reads the series."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tailslide_aerobat.series_rules import RedisCommands, SeriesRules
from tailslide_core.naming import FlagId, Metric
from tailslide_runtime.server_urls import RedisUrl
from tailslide_sidecar.timeseries import RedisSeries


@dataclass
class CountedPast:
    """Writes as the sidecars of one app do. Without `rules` no Aerobat has seen the series yet."""

    app: str
    series: RedisSeries
    commands: RedisCommands

    def flag(self, key: str) -> FlagId:
        return FlagId(self.app, key)

    async def count(
        self, flag: str, counts: Mapping[str, int], at_ms: int | None = None, *, rules: bool = True
    ) -> None:
        """Count some metrics of a flag, now or at a time."""
        assert await self.series.add({(flag, metric): count for metric, count in counts.items()}, at_ms) == 0
        if rules:
            await SeriesRules(self.commands, made=lambda _: None, refused=_none).look([self.app])

    async def seconds(self, flag: str, ago_s: int, count: int, *, good: int, bad: int = 0, slow: int = 0) -> None:
        """Count so many calls in each of `count` seconds, of which the first was so long ago."""
        counts = {Metric.SUCCESS: good, Metric.FAILURE: bad, Metric.SLOW: slow}
        now_ms = await self.series.now_ms()
        for second in range(count):
            given = {metric: number for metric, number in counts.items() if number}
            await self.count(flag, given, now_ms - (ago_s - second) * 1000, rules=second == 0)


def _none(count: int) -> None:
    assert count == 0, "a rule was refused"


@asynccontextmanager
async def counted_past(redis_url: str, app: str) -> AsyncIterator[CountedPast]:
    """Write into the series of an app until the end of the block."""
    url = RedisUrl.parse(redis_url)
    series, commands = RedisSeries(url, app), RedisCommands(url)
    try:
        yield CountedPast(app, series, commands)
    finally:
        await series.close()
        await commands.close()
