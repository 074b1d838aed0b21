"""The other ways to read the graphs of many flags: one TS.MRANGE over all series, and a script over the keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from tailslide_core.naming import FlagId, Metric, series_key
from tailslide_tower.timeseries.grid import Grid, Source

_METRICS = (Metric.SUCCESS, Metric.FAILURE)
_SCRIPT = """
local answer = {}
for i, key in ipairs(KEYS) do
  local points = redis.pcall('TS.RANGE', key, ARGV[1], ARGV[2], 'LATEST', 'AGGREGATION', 'sum', ARGV[3])
  answer[#answer + 1] = points.err and 0 or #points
  if not points.err then
    for _, point in ipairs(points) do
      answer[#answer + 1] = point[1]
      answer[#answer + 1] = tonumber(point[2].ok or point[2])
    end
  end
end
return answer
"""


@dataclass(frozen=True)
class Question:
    """What is asked: the same in all ways."""

    flags: Sequence[FlagId]
    grid: Grid
    source: Source
    now_ms: int


async def mrange(redis: Redis, question: Question) -> None:
    """Read with one TS.MRANGE, which looks at the series of all flags that there are, and have redis-py parse it."""
    grid = question.grid
    await redis.execute_command(  # type: ignore[no-untyped-call] # redis-py has no types here
        "TS.MRANGE",
        grid.start_ms,
        grid.end_ms - 1,
        *("LATEST", "SELECTED_LABELS", "app", "flag", "metric", "AGGREGATION", "sum", grid.bucket_ms),
        *("FILTER", f"metric=({','.join(_METRICS)})", f"resolution={question.source.label}"),
    )


async def script(redis: Redis, question: Question) -> None:
    """Read with one script over the keys."""
    keys = [series_key(flag_id, metric) + question.source.suffix for flag_id in question.flags for metric in _METRICS]
    grid = question.grid
    await redis.register_script(_SCRIPT)(keys, [grid.start_ms, grid.end_ms - 1, grid.bucket_ms])
