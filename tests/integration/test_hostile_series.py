"""What a real Redis says of series and marks that are none, as Aerobat reads it: each costs its own flag, or app."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tailslide_aerobat.history import Samples
from tailslide_aerobat.timeseries import MOST_MARKED, New, RedisTimeSeries, Wanted
from tailslide_core.naming import (
    FlagId,
    Metric,
    busy_key,
    counted_key,
    counted_late_key,
    late_key,
    series_key,
)
from tailslide_embedded.stack import Endpoints
from tailslide_runtime.server_urls import RedisUrl

BUCKET_MS = 100


@pytest.fixture
async def redis(servers: Endpoints) -> AsyncIterator[Redis]:
    async with Redis.from_url(servers.redis_url) as client:
        yield client


@pytest.fixture
async def series(servers: Endpoints) -> AsyncIterator[RedisTimeSeries]:
    series = RedisTimeSeries(RedisUrl.parse(servers.redis_url))
    yield series
    await series.close()


@pytest.fixture
def app(request: pytest.FixtureRequest) -> str:
    """Return an app of the test's own."""
    return str(request.node.name).replace("[", "-").replace("]", "").lower()[:60]


async def now_of(redis: Redis) -> int:
    seconds, microseconds = await redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


async def add(redis: Redis, flag_id: FlagId, metric: str, at_ms: int, value: str) -> None:
    await redis.execute_command("TS.ADD", series_key(flag_id, metric), at_ms, value, "DUPLICATE_POLICY", "SUM")  # type: ignore[no-untyped-call] # redis-py has no types here


async def take_name(redis: Redis, key: str, kind: str) -> None:
    """Make something else than a series, or a sorted set, under a key."""
    match kind:
        case "string":
            await redis.set(key, "x")
        case "list":
            await redis.rpush(key, "x")
        case "hash":
            await redis.hset(key, "x", "y")
        case "stream":
            await redis.xadd(key, {"x": "y"})


KINDS = ["string", "list", "hash", "stream"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_that_is_no_series_costs_its_own_flag(
    redis: Redis, series: RedisTimeSeries, app: str, kind: str
) -> None:
    now_ms = await now_of(redis)
    good = FlagId(app, "good")
    await add(redis, good, Metric.SUCCESS, now_ms, "7")
    flags = [Wanted(good, slow=False)]
    for metric in (Metric.SUCCESS, Metric.FAILURE, Metric.SLOW):
        bad = FlagId(app, f"bad-{metric}")
        await add(redis, bad, Metric.SUCCESS, now_ms, "5")
        await redis.delete(series_key(bad, metric))
        await take_name(redis, series_key(bad, metric), kind)
        flags = [Wanted(bad, slow=True), *flags]
    copied = FlagId(app, "copied")
    await add(redis, copied, Metric.SUCCESS, now_ms, "5")
    await take_name(redis, f"{series_key(copied, Metric.SUCCESS)}:10s", kind)
    flags = [*flags, Wanted(copied, slow=False), Wanted(good, slow=True)]
    begun_ms = now_ms // BUCKET_MS * BUCKET_MS
    whole = await series.read_whole(flags, now_ms, 1_800_000)
    assert whole == [None, None, None, Samples([begun_ms], [7], (0,), (0,)), None, Samples([begun_ms], [7], (0,), (0,))]
    new = await series.read_new(flags, New(begun_ms, begun_ms, now_ms))
    assert [each is None for each in new] == [True, True, True, False, False, False]


@pytest.mark.parametrize("value", ["9e18", "1e19", "-5", "0.5", "9007199254740994", "nan", "inf", "-1e300"])
async def test_a_sample_that_is_no_count_costs_its_bucket(
    redis: Redis, series: RedisTimeSeries, app: str, value: str
) -> None:
    now_ms = await now_of(redis) // BUCKET_MS * BUCKET_MS
    flag_id = FlagId(app, "f")
    await add(redis, flag_id, Metric.SUCCESS, now_ms - 300, "3")
    await add(redis, flag_id, Metric.FAILURE, now_ms - 300, "9007199254740992")
    try:
        await add(redis, flag_id, Metric.SUCCESS, now_ms - 200, value)
    except ResponseError:
        pytest.skip(f"this Redis takes no {value}")
    await add(redis, flag_id, Metric.FAILURE, now_ms - 200, "5")
    await add(redis, flag_id, Metric.FAILURE, now_ms - 100, "2")
    expected = Samples([now_ms - 300, now_ms - 100], [2**53 + 3, 2], [2**53, 2], [0, 0], refused=1)
    wanted = [Wanted(flag_id, slow=True)]
    assert await series.read_whole(wanted, now_ms, 1_800_000) == [expected]
    assert await series.read_new(wanted, New(now_ms - 300, now_ms - 300, now_ms)) == [expected]


async def test_samples_ahead_of_the_clock_are_not_read(redis: Redis, series: RedisTimeSeries, app: str) -> None:
    now_ms = await now_of(redis)
    flag_id = FlagId(app, "f")
    for at_ms in (now_ms + 1, now_ms + 86_400_000, 9_000_000_000_000_000_000):
        await add(redis, flag_id, Metric.FAILURE, at_ms, "1000")
    assert await series.read_whole([Wanted(flag_id, slow=False)], now_ms, 1_800_000) == [Samples([], [], (), ())]


async def test_a_copy_of_a_series_that_is_too_fine_is_not_read_in_full(
    redis: Redis, series: RedisTimeSeries, app: str
) -> None:
    now_ms = await now_of(redis)
    flag_id = FlagId(app, "f")
    copy = f"{series_key(flag_id, Metric.FAILURE)}:10s"
    for first in range(0, 20_000, 2_000):
        madd = [part for n in range(2_000) for part in (copy, now_ms - 1_700_000 + first + n, 1)]
        if not first:
            await redis.execute_command("TS.CREATE", copy)  # type: ignore[no-untyped-call] # as above
        await redis.execute_command("TS.MADD", *madd)  # type: ignore[no-untyped-call] # as above
    (samples,) = await series.read_whole([Wanted(flag_id, slow=False)], now_ms, 1_800_000)
    assert samples is not None
    assert 0 < len(samples.at_ms) <= 182


@pytest.mark.parametrize("kind", KINDS)
async def test_marks_that_are_no_set_cost_their_app(redis: Redis, series: RedisTimeSeries, app: str, kind: str) -> None:
    for suffix, key in (("busy", busy_key), ("late", late_key)):
        await take_name(redis, key(f"{app}-{suffix}"), kind)
    await redis.zadd(busy_key(app), {b"f": 5, b"No Flag": 5, b"\xff": 5, b"g": float("inf")})
    await redis.zadd(late_key(app), {"f": float("inf"), "g": 7.5})
    marks = await series.marks([f"{app}-busy", app, f"{app}-late"], None)
    assert {app: problem.partition(" ")[0] for app, problem in marks.unreadable.items()} == {
        f"{app}-busy": "WRONGTYPE",
        f"{app}-late": "WRONGTYPE",
    }
    assert set(marks.busy) == {FlagId(app, "f"), FlagId(app, "g")}
    assert marks.late == {FlagId(app, "f"): 2**53, FlagId(app, "g"): 7}


async def test_more_marks_than_an_app_can_have_flags_cost_their_app(
    redis: Redis, series: RedisTimeSeries, app: str
) -> None:
    await redis.zadd(busy_key(app), {f"f{number}": number for number in range(MOST_MARKED + 1)})
    marks = await series.marks([app], None)
    assert list(marks.unreadable) == [app]
    assert len((await series.marks([app], 1)).busy) == MOST_MARKED
    await redis.delete(busy_key(app))


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_marked_in_no_set_costs_its_app(
    redis: Redis, series: RedisTimeSeries, app: str, kind: str
) -> None:
    for suffix, key in (("a", counted_key), ("b", counted_late_key)):
        await take_name(redis, key(f"{app}-{suffix}"), kind)
    await redis.sadd(counted_key(app), "f")
    marks = await series.marks([f"{app}-a", app, f"{app}-b"], None)
    assert marks.unreadable.keys() == {f"{app}-a", f"{app}-b"}
    assert set(marks.busy) == {FlagId(app, "f")}


async def test_what_is_marked_is_dated_once_and_kept_for_every_aerobat(
    redis: Redis, series: RedisTimeSeries, app: str
) -> None:
    await redis.sadd(counted_key(app), "f", "g", b"No Flag", b"\xff", "x" * 300)
    await redis.sadd(counted_late_key(app), "g")
    first = await series.marks([app], None)
    assert set(first.busy) == {FlagId(app, "f"), FlagId(app, "g")}
    assert first.late == {FlagId(app, "g"): first.now_ms}
    assert await redis.exists(counted_key(app), counted_late_key(app)) == 0
    assert await redis.zscore(busy_key(app), "x" * 300) is None
    again = await series.marks([app], first.now_ms)
    assert (set(again.busy), again.late) == (set(first.busy), first.late)
    assert again.now_ms >= first.now_ms
    assert (await series.marks([app], again.now_ms + 1)).busy == []


async def test_more_than_an_app_can_have_flags_are_no_marks_and_go(
    redis: Redis, series: RedisTimeSeries, app: str
) -> None:
    await redis.sadd(counted_key(app), *(f"f{number}" for number in range(MOST_MARKED + 1)))
    marks = await series.marks([app], None)
    assert list(marks.unreadable) == [app]
    await redis.sadd(counted_key(app), *(f"f{number}" for number in range(MOST_MARKED)))
    assert len((await series.marks([app], None)).busy) == MOST_MARKED
