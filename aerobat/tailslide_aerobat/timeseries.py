"""Where counts are read from: a port, RedisTimeSeries behind it, and a twin in memory for tests.

Series, and the marks that say which of them are counted, are made and written by sidecars; the marks are taken from
them and dated here. When a flag is judged is not decided here, rules of series are `series_rules`. Why series are read
by key, and by scripts, is in `docs/decisions/0011`.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import ReadOnlyError, RedisError

from tailslide_aerobat.history import FINE_MS, SECONDS, TENS, Samples, edge_ms
from tailslide_core.fields import MAX_INTEGER, is_integer
from tailslide_core.naming import (
    JUDGED_METRICS,
    RAW_RETENTION_MS,
    RESOLUTIONS,
    FlagId,
    Metric,
    busy_key,
    counted_key,
    counted_late_key,
    is_flag_key,
    late_key,
    series_key,
)
from tailslide_runtime.redis_connections import connection_pool
from tailslide_runtime.server_urls import RedisUrl

CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 5.0
NO_SERIES = REFUSED = -1
"""What the script says of a key that is no series, and of a sum that is no count: no integer from 0 to 2^53."""
LONG_TICK_MS = 2_500
"""Ticks that take long would read more buckets for it, and take longer still."""


class TimeSeriesError(Exception):
    """The counts cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Which flags were counted lately, as sidecars have marked them.

    `now_ms` is the clock of the server. `late` are those of which something was counted at an earlier time, after an
    outage, with the time at which that was marked. `unreadable` are the apps whose marks are none, and why: of their
    flags nothing is known.
    """

    now_ms: int
    busy: Collection[FlagId] = ()
    late: Mapping[FlagId, int] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)


class Wanted(NamedTuple):
    """A flag whose samples are asked for; slow calls cost a third more, so they are read only where they are judged."""

    flag_id: FlagId
    slow: bool


Range = tuple[int, int, int]
"""From, to (the end included), and the width of its buckets, in milliseconds.

None goes beyond now: what a server has stamped before its clock was set back counts when its time comes.
"""


@dataclass(frozen=True, slots=True)
class New:
    """What is new since a look: samples from `from_ms` to now, of 100 ms from `fine_from_ms` on, of a second before.

    Both begin a bucket of either width, or are the same.
    """

    from_ms: int
    fine_from_ms: int
    now_ms: int

    @classmethod
    def since(cls, last_ms: int, now_ms: int) -> "New":
        """Return what is new since the last look; after a long time not more buckets than are needed."""
        if now_ms - last_ms <= LONG_TICK_MS:
            from_ms = last_ms // FINE_MS * FINE_MS
            return cls(from_ms, from_ms, now_ms)
        second = SECONDS.bucket_ms
        return cls(last_ms // second * second, (now_ms // second - 1) * second, now_ms)

    def ranges(self) -> list[Range]:
        """Return what to ask for, ascending."""
        fine = (self.fine_from_ms, self.now_ms, FINE_MS)
        return [fine] if self.from_ms == self.fine_from_ms else [(self.from_ms, fine[0] - 1, SECONDS.bucket_ms), fine]


class TimeSeries(Protocol):
    """Counts of outcomes. Every method raises `TimeSeriesError`."""

    async def marks(self, apps: Sequence[str], from_ms: int | None) -> Marks:
        """Return the time, and which flags of `apps` were marked from `from_ms` on; None for all there are."""

    async def read_new(self, flags: Sequence[Wanted], new: New) -> list[Samples | None]:
        """Read what is new; flag by flag, in the order asked. None for one with a series that is something else."""

    async def read_whole(self, flags: Sequence[Wanted], now_ms: int, reach_ms: int) -> list[Samples | None]:
        """Read everything of the last `reach_ms`, coarser with age; as `read_new`."""


LONGEST_MEMBER = 255
"""Bytes of what may be the key of a flag; what is longer is not even looked at, as that would be remembered."""
MOST_MARKED = 50_000
"""Flags of one app that may be marked at once; beyond that its marks are not what sidecars write."""

_MARKS_SCRIPT = f"""#!lua
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most = tonumber(ARGV[2])

local function add(marked, scored)
  local added = redis.pcall('ZADD', marked, unpack(scored))
  return type(added) == 'table' and added or nil
end

local function take(counted, marked)
  local size = redis.pcall('SCARD', counted)
  if type(size) == 'table' then
    return size
  end
  if size == 0 then
    return nil
  end
  if size >= most then
    redis.call('UNLINK', counted)
    return {{err = 'WRONGTYPE more than ' .. (most - 1) .. ' flags are marked'}}
  end
  local scored = {{}}
  for _, member in ipairs(redis.call('SMEMBERS', counted)) do
    if #member <= {LONGEST_MEMBER} then
      scored[#scored + 1] = now
      scored[#scored + 1] = member
    end
    if #scored == 1000 then
      local refusal = add(marked, scored)
      if refusal then
        return refusal
      end
      scored = {{}}
    end
  end
  local refusal = #scored > 0 and add(marked, scored) or nil
  if refusal then
    return refusal
  end
  redis.call('ZREMRANGEBYSCORE', marked, '-inf', now - {RAW_RETENTION_MS})
  redis.call('PEXPIRE', marked, {RAW_RETENTION_MS})
  redis.call('UNLINK', counted)
  return nil
end

local answer = {{now}}
for i = 1, #KEYS, 4 do
  local refusal
  if redis.call('EXISTS', KEYS[i], KEYS[i + 1]) > 0 then
    refusal = take(KEYS[i], KEYS[i + 2]) or take(KEYS[i + 1], KEYS[i + 3])
  end
  for j = 2, 3 do
    local members = refusal
    if not members and j == 2 then
      members = redis.pcall('ZRANGE', KEYS[i + j], ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[2])
    elseif not members then
      members = redis.pcall('ZRANGE', KEYS[i + j], ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[2], 'WITHSCORES')
    end
    if members.err then
      if not string.find(members.err, 'WRONGTYPE') then
        return members
      end
      members = members.err
    end
    answer[#answer + 1] = members
  end
end
return answer
"""
"""KEYS: four for each app: the sets of flags counted and counted late, the sorted sets of the busy and the late ones.
ARGV: the time from which on, and how many of each at most, and one more.

What is in the first two is moved to the others, with the time. Whoever reads those misses nothing: what was counted
before a look is dated no earlier than the look before. Returns the time, then the members of each sorted set, or the
error where a key is no set or one with too many members, which is deleted. Any other error is the answer for all.

It is refused wherever sidecars cannot write, by a replica, or by a Redis that is full. Else their silence would be
taken for that of their callers.
"""

_RANGES_SCRIPT = f"""
local answer = {{}}
for _, key in ipairs(KEYS) do
  local head = #answer + 1
  local last = head
  local series = true
  for i = 1, #ARGV, 4 do
    local points
    if ARGV[i] == '' then
      points = redis.pcall('TS.RANGE', key, ARGV[i + 1], ARGV[i + 2], 'AGGREGATION', 'sum', ARGV[i + 3])
    else
      local most = math.floor((ARGV[i + 2] - ARGV[i + 1]) / ARGV[i + 3]) + 2
      points = redis.pcall('TS.RANGE', key .. ARGV[i], ARGV[i + 1], ARGV[i + 2], 'LATEST', 'COUNT', most)
    end
    if points.err then
      if string.find(points.err, 'WRONGTYPE') or string.find(points.err, 'not a TSDB key') then
        series = false
      elseif not string.find(points.err, 'does not exist') then
        return points
      end
    else
      for _, point in ipairs(points) do
        local count = tonumber(point[2].ok or point[2]) or {REFUSED}
        if count < 0 or count > {MAX_INTEGER} or count % 1 ~= 0 then
          count = {REFUSED}
        end
        answer[last + 1] = point[1]
        answer[last + 2] = count
        last = last + 2
      end
    end
  end
  answer[head] = last - head
  if not series then
    for i = last, head + 1, -1 do
      answer[i] = nil
    end
    answer[head] = {NO_SERIES}
  end
end
return answer
"""
"""KEYS: series. ARGV: ranges, each as the suffix of a coarser copy or nothing, from, to, bucket. Returns one flat list:
for each key how many numbers follow, then the time and the sum of each bucket. A series that does not exist has none;
a key of another type gives `NO_SERIES`, a sum that cannot be a count `REFUSED`. Any other error of one key, such as a
user without the right to read it, is the answer for all.
"""


class RedisTimeSeries:
    """RedisTimeSeries. Fails closed: every error is a `TimeSeriesError`, and the reader keeps what it has decided.

    It does not retry; the next tick does. `close` it at the end.
    """

    def __init__(self, url: RedisUrl) -> None:
        self._redis = Redis.from_pool(
            connection_pool(url, connect_timeout_s=CONNECT_TIMEOUT_S, answer_timeout_s=ANSWER_TIMEOUT_S, protocol=3)
        )
        self._marks = self._redis.register_script(_MARKS_SCRIPT)
        self._ranges = self._redis.register_script(_RANGES_SCRIPT)

    async def marks(self, apps: Sequence[str], from_ms: int | None) -> Marks:
        """Take the marks of all apps, and ask for the time, in one round trip."""
        keys = [key for app in apps for key in (counted_key(app), counted_late_key(app), busy_key(app), late_key(app))]
        arguments = ["-inf" if from_ms is None else from_ms, MOST_MARKED + 1]
        return _marks_of(apps, await self._ask(self._marks, keys, arguments))

    async def read_new(self, flags: Sequence[Wanted], new: New) -> list[Samples | None]:
        """Read by key, in one round trip."""
        return await self._read(flags, *(("", *each) for each in new.ranges()))

    async def read_whole(self, flags: Sequence[Wanted], now_ms: int, reach_ms: int) -> list[Samples | None]:
        """Read by key, in one round trip; what is far back from the series' coarser copies."""
        return await self._read(
            flags,
            *(
                (f":{_TENS_COPY}" if bucket_ms == TENS.bucket_ms else "", from_ms, to, bucket_ms)
                for from_ms, to, bucket_ms in _whole(now_ms, reach_ms)
            ),
        )

    async def _read(self, flags: Sequence[Wanted], *ranges: tuple[str, int, int, int]) -> list[Samples | None]:
        keys = [key for flag in flags for key in _keys(flag)]
        return _samples(flags, await self._ask(self._ranges, keys, [part for each in ranges for part in each]))

    async def _ask(
        self, script: AsyncScript, keys: Sequence[str] | Sequence[bytes], arguments: Sequence[str | int]
    ) -> list[Any]:
        try:
            answer: list[Any] = await script(keys, arguments)
        except ReadOnlyError as error:
            # What was the master is a replica now. The address may lead to the new one, on a connection of its own.
            await self._redis.connection_pool.disconnect()
            raise TimeSeriesError("expected a Redis that takes writes, got a replica") from error
        except (RedisError, OSError, TimeoutError) as error:
            raise TimeSeriesError(str(error) or type(error).__name__) from error
        return answer

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()


_TENS_COPY = next(copy.label for copy in RESOLUTIONS if copy.bucket_ms == TENS.bucket_ms)
_WITHOUT_SLOW = tuple(metric for metric in JUDGED_METRICS if metric != Metric.SLOW)


@lru_cache(maxsize=65_536)
def _keys(flag: Wanted) -> tuple[bytes, ...]:
    """Return the series of a flag; as bytes, since making these of texts is much of what a query costs."""
    metrics = JUDGED_METRICS if flag.slow else _WITHOUT_SLOW
    return tuple(series_key(flag.flag_id, metric).encode() for metric in metrics)


def _marks_of(apps: Sequence[str], answer: Sequence[Any]) -> Marks:
    """Read the answer to the script of the marks; members that can be no flag are somebody else's."""
    busy: list[FlagId] = []
    late: dict[FlagId, int] = {}
    unreadable: dict[str, str] = {}
    for index, app in enumerate(apps):
        flags, scored = answer[1 + 2 * index], answer[2 + 2 * index]
        problem = _problem_of_marks(flags, scored)
        if problem is not None:
            unreadable[app] = problem
            continue
        busy += [
            flag_id for flag in flags if len(flag) <= LONGEST_MEMBER and (flag_id := _flag_id(app, flag)) is not None
        ]
        for flag, score in zip(scored[::2], scored[1::2], strict=True):
            flag_id = _flag_id(app, flag) if len(flag) <= LONGEST_MEMBER else None
            if flag_id is not None:
                late[flag_id] = int(max(0, min(float(score), MAX_INTEGER)))  # a score may be infinite
    return Marks(int(answer[0]), busy, late, unreadable)


def _problem_of_marks(busy: Sequence[bytes] | bytes, late: Sequence[bytes] | bytes) -> str | None:
    for members in (busy, late):
        if isinstance(members, bytes):
            return members.decode(errors="replace")
    if max(len(busy), len(late) // 2) > MOST_MARKED:
        return f"more than {MOST_MARKED} flags are marked"
    return None


@lru_cache(maxsize=65_536)
def _flag_id(app: str, member: bytes) -> FlagId | None:
    flag = member.decode(errors="replace")
    return FlagId(app, flag) if is_flag_key(flag) else None


def _whole(now_ms: int, reach_ms: int) -> list[Range]:
    """Return the ranges that a whole reading is made of."""
    tens_ms, seconds_ms = edge_ms(TENS, now_ms), edge_ms(SECONDS, now_ms)
    first_ms = max(0, now_ms - reach_ms) // TENS.bucket_ms * TENS.bucket_ms
    return [
        (min(first_ms, tens_ms - 1), tens_ms - 1, TENS.bucket_ms),
        (tens_ms, seconds_ms - 1, SECONDS.bucket_ms),
        (seconds_ms, now_ms, FINE_MS),
    ]


def _samples(flags: Sequence[Wanted], answer: Sequence[int]) -> list[Samples | None]:
    """Put the metrics of each flag together, bucket by bucket."""
    found: list[Samples | None] = []
    start = 0
    for flag in flags:
        columns: list[_Column] = []
        keys = _keys(flag)
        for _ in keys:
            if answer[start] == NO_SERIES:
                start += 1
                continue
            end = start + 1 + answer[start]
            columns.append((answer[start + 1 : end : 2], answer[start + 2 : end : 2]))
            start = end
        found.append(_counts(columns) if len(columns) == len(keys) else None)
    return found


def _counts(columns: "Sequence[_Column]") -> Samples:
    """Put the metrics of a flag together; a bucket of which any is no count is left out with all of them.

    What is left of such a bucket would be calls without their failures, or failures without their calls.
    """
    if not any(sums and min(sums) < 0 for _, sums in columns):
        return _together(*columns)
    refused = {at_ms for times, sums in columns for at_ms, value in zip(times, sums, strict=True) if value < 0}
    kept = ([(at_ms, value) for at_ms, value in zip(*each, strict=True) if at_ms not in refused] for each in columns)
    samples = _together(*(([at_ms for at_ms, _ in each], [value for _, value in each]) for each in kept))
    return samples._replace(refused=len(refused))


_Column = tuple[Sequence[int], Sequence[int]]
"""The times of buckets, and the sum of each."""


def _together(success: _Column, failure: _Column, slow: _Column = ((), ())) -> Samples:
    times, calls = success
    if not failure[0] and not slow[0]:
        nothing = (0,) * len(times)
        return Samples(times, calls, nothing, nothing)
    failures, slows = dict(zip(*failure, strict=True)), dict(zip(*slow, strict=True))
    successes = dict(zip(times, calls, strict=True))
    times = sorted({*times, *failure[0], *slow[0]})
    return Samples(
        times,
        [successes.get(at_ms, 0) + failures.get(at_ms, 0) for at_ms in times],
        [failures.get(at_ms, 0) for at_ms in times],
        [slows.get(at_ms, 0) for at_ms in times],
    )


class InMemoryTimeSeries:
    """The twin: its clock is `now_ms`, its points are added by hand, and it fails while `error` is set."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.error: str | None = None
        self.read: list[tuple[int | None, set[FlagId]]] = []
        """What was read, from when on; None for a whole reading."""
        self._busy: dict[FlagId, int] = {}
        self._late: dict[FlagId, int] = {}
        self._points: list[tuple[FlagId, int, tuple[int, int, int]]] = []
        self.no_series: set[FlagId] = set()
        """Flags of which something else has the name of a series."""
        self.no_marks: dict[str, str] = {}
        """Apps whose marks cannot be read, and why."""

    def add(
        self, flag_id: FlagId, *, at_ms: int | None = None, success: int = 0, failure: int = 0, slow: int = 0
    ) -> None:
        """Count calls of a flag now or, as after an outage, at an earlier time; either way it is marked."""
        if not (success or failure or slow):
            return
        marks = self._busy if at_ms is None else self._late
        marks[flag_id] = self.now_ms
        self._points.append((flag_id, self.now_ms if at_ms is None else at_ms, (success, failure, slow)))

    async def marks(self, apps: Sequence[str], from_ms: int | None) -> Marks:
        """Answer as Redis would."""
        self._check()

        def marked(marks: Mapping[FlagId, int]) -> dict[FlagId, int]:
            since_ms = 0 if from_ms is None else from_ms
            return {flag_id: at_ms for flag_id, at_ms in marks.items() if flag_id.app in apps and at_ms >= since_ms}

        unreadable = {app: self.no_marks[app] for app in apps if app in self.no_marks}
        apps = [app for app in apps if app not in unreadable]
        return Marks(self.now_ms, list(marked(self._busy)), marked(self._late), unreadable)

    async def read_new(self, flags: Sequence[Wanted], new: New) -> list[Samples | None]:
        """Read as Redis would."""
        self._check()
        self.read.append((new.from_ms, {flag.flag_id for flag in flags}))
        return self._ranges(flags, new.ranges())

    async def read_whole(self, flags: Sequence[Wanted], now_ms: int, reach_ms: int) -> list[Samples | None]:
        """Read as Redis would."""
        self._check()
        self.read.append((None, {flag.flag_id for flag in flags}))
        return self._ranges(flags, _whole(now_ms, reach_ms))

    def _check(self) -> None:
        if self.error is not None:
            raise TimeSeriesError(self.error)

    def _ranges(self, flags: Sequence[Wanted], ranges: Sequence[Range]) -> list[Samples | None]:
        """Answer as the script does."""
        answer: list[int] = []
        for flag in flags:
            for metric in range(len(_keys(flag))):
                if flag.flag_id in self.no_series:
                    answer.append(NO_SERIES)
                    continue
                points = [
                    number
                    for from_ms, last_ms, bucket_ms in ranges
                    for at_ms, value in sorted(self._sums(flag.flag_id, metric, from_ms, last_ms, bucket_ms).items())
                    for number in (at_ms, value if is_integer(value, 0, MAX_INTEGER) else REFUSED)
                ]
                answer += [len(points), *points]
        return _samples(flags, answer)

    def _sums(self, flag_id: FlagId, metric: int, from_ms: int, last_ms: int, bucket_ms: int) -> dict[int, int]:
        sums: Counter[int] = Counter()
        for known, at_ms, values in self._points:
            if known == flag_id and from_ms <= at_ms <= last_ms and values[metric]:
                sums[at_ms // bucket_ms * bucket_ms] += values[metric]
        return sums
