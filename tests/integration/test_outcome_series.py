"""Outcomes against a Redis that is full, locked, loading, hanging, emptied or arranged by somebody else.

The writer runs in the test's own process, on a Redis of its own; with a whole sidecar it is in `test_sidecar_outcomes`.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_servers import temporary_folder, with_all_commands
from redis.asyncio import Redis
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tailslide_aerobat.series_rules import RedisCommands, SeriesRules
from tailslide_aerobat.timeseries import RedisTimeSeries
from tailslide_core.naming import (
    RAW_RETENTION_MS,
    FlagId,
    busy_key,
    counted_key,
    late_key,
    resolutions_of,
    series_key,
    series_labels,
)
from tailslide_core.sdk_keys import SdkKey
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.data_dir import open_data_dir
from tailslide_embedded.processes import Child
from tailslide_embedded.servers import redis as redis_server
from tailslide_runtime.redis_access import rules_of, user_of
from tailslide_runtime.server_urls import RedisUrl
from tailslide_sidecar.flusher import Flusher
from tailslide_sidecar.marks import mark
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.timeseries import RedisSeries, SeriesUnavailableError

APP = "shop"
FLAG = FlagId(APP, "search")
RAW = series_key(FLAG, "success")
WAIT_S = 20.0
KEY = SdkKey(APP, "abcdef", "s" * 40)


@dataclass
class Writer:
    """A flusher that flushes when it is told to, with what it has said."""

    buffer: OutcomeBuffer
    series: RedisSeries
    flusher: Flusher
    log: list[EventDict]
    written: int = 0
    unconfirmed: int = 0

    def count(self, number: int) -> None:
        self.written += number

    def count_unconfirmed(self, number: int) -> None:
        self.unconfirmed += number

    async def add(self, count: int = 1, metric: str = "success", flag: str = FLAG.flag) -> None:
        """Count something and flush."""
        self.buffer.add(flag, metric, count)
        await self.flusher.flush()

    async def until_written(self) -> None:
        """Flush until nothing waits any more."""
        async with asyncio.timeout(WAIT_S):
            while self.buffer.waiting or not self.flusher.connected:
                await self.flusher.flush()
                await asyncio.sleep(0.01)

    def said(self, text: str) -> list[EventDict]:
        return [event for event in self.log if text in event["event"]]


@dataclass
class Stage:
    """A Redis, the hands of whoever runs it, and writers as sidecars have them."""

    folder: Path
    url: str
    redis: Child
    log: list[EventDict]
    writers: list[Writer]

    def writer(self, url: str | None = None) -> Writer:
        place = self.url.partition("://")[0] + "://" + self.url.rpartition("@")[2]
        login = RedisUrl.parse(place).as_user(user_of(APP), str(KEY)) if url is None else RedisUrl.parse(url)
        buffer, series = OutcomeBuffer(), RedisSeries(login, APP)
        flusher = Flusher(
            buffer,
            series,
            0.1,
            written=lambda number: writer.count(number),
            unconfirmed=lambda number: writer.count_unconfirmed(number),
        )
        writer = Writer(buffer, series, flusher, self.log)
        self.writers.append(writer)
        return writer

    async def ask(self, *command: str | int) -> Any:
        """Have a command carried out, by nobody's rules but the server's."""
        async with Redis.from_url(self.url, decode_responses=True, protocol=3) as client:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py has no types here

    async def samples(self, key: str = RAW) -> dict[int, int]:
        return {at: round(value) for at, value in await self.ask("TS.RANGE", key, "-", "+")}

    async def total(self, key: str = RAW) -> int:
        return sum((await self.samples(key)).values())

    async def marks(self, key: str) -> dict[str, int]:
        """Return flags and when they were marked, once an Aerobat has seen to the marks of sidecars."""
        aerobat = RedisTimeSeries(RedisUrl.parse(self.url))
        await aerobat.marks([APP], None)
        await aerobat.close()
        found = await self.ask("ZRANGE", key, 0, -1, "WITHSCORES")
        return {flag: round(score) for flag, score in found}

    async def make_rules(self) -> None:
        """Do as an Aerobat does with the series that sidecars have made."""
        redis = RedisCommands(RedisUrl.parse(self.url))
        made = await SeriesRules(redis, made=lambda _: None, refused=lambda _: None).look([APP])
        await redis.close()
        assert not made.refused

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.redis.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self.redis.pid is not None
        os.kill(self.redis.pid, number)

    async def let_in(self) -> None:
        """Make the app's user, as Tower and Aerobat do; a server that was started again has none."""
        await self.ask("ACL", "SETUSER", user_of(APP), *rules_of(APP, [KEY.record.hash]))

    async def start(self) -> None:
        await self.redis.start()
        await self.let_in()

    @asynccontextmanager
    async def locked_out(self, *rules: str) -> AsyncIterator[None]:
        """Take rights away from the app's user for a while."""
        await self.ask("ACL", "SETUSER", user_of(APP), *rules)
        yield
        await self.let_in()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    with temporary_folder() as name:
        async with open_data_dir(name / "data") as data:
            server = with_all_commands(redis_server.server(data, any_free_port()))
            child = Child(server.process)
            try:
                running = Stage(server.process.cwd, server.url, child, [], [])
                await running.start()
                with capture_logs() as running.log:
                    yield running
                    for writer in running.writers:
                        await writer.series.close()
            finally:
                await child.stop()


async def test_a_flag_that_is_counted_is_found_to_be_busy(stage: Stage) -> None:
    writer = stage.writer()
    await writer.add(2)
    first = (await stage.marks(busy_key(APP)))[FLAG.flag]
    assert all(at <= first for at in await stage.samples())
    assert await stage.ask("EXISTS", counted_key(APP)) == 0
    await writer.add(3, flag="other")
    marks = await stage.marks(busy_key(APP))
    assert marks[FLAG.flag] == first
    assert marks["other"] >= first
    assert await stage.marks(late_key(APP)) == {}
    assert 0 < await stage.ask("PTTL", busy_key(APP)) <= RAW_RETENTION_MS


async def test_marks_are_forgotten_with_the_raw_samples(stage: Stage) -> None:
    writer = stage.writer()
    now_ms = await writer.series.now_ms()
    await stage.ask("ZADD", busy_key(APP), now_ms - RAW_RETENTION_MS - 1, "old", now_ms - 60_000, "young")
    await writer.add()
    assert (await stage.marks(busy_key(APP))).keys() == {"young", FLAG.flag}


async def test_thousands_of_flags_are_marked_at_once(stage: Stage) -> None:
    flags = {f"flag-{number}" for number in range(10_000)}
    await stage.ask(*mark(counted_key(APP), flags))
    assert (await stage.marks(busy_key(APP))).keys() == flags


async def test_what_is_written_late_is_marked_so_after_it_was_written(stage: Stage) -> None:
    writer = stage.writer()
    before_ms = await writer.series.now_ms()
    assert await writer.series.add({(FLAG.flag, "success"): 4}, before_ms - 60_000) == 0
    assert await stage.samples() == {before_ms - 60_000: 4}
    assert (await stage.marks(late_key(APP)))[FLAG.flag] >= before_ms
    assert await stage.marks(busy_key(APP)) == {}


async def test_marks_come_before_what_is_new_and_behind_what_is_late(stage: Stage) -> None:
    series = stage.writer().series
    counts = {(FLAG.flag, "success"): 1}
    await series.add(counts, None)
    seen: list[str] = []
    async with Redis.from_url(stage.url) as client, client.monitor() as monitor:
        await series.add(counts, None)
        await series.add(counts, await series.now_ms())
        await stage.ask("ECHO", "over")
        while "ECHO" not in seen:
            command = await monitor.next_command()
            seen.append(command["command"].partition(" ")[0])
    assert seen[:5] == ["SADD", "TS.MADD", "TIME", "TS.MADD", "SADD"]


async def test_a_flush_is_one_round_trip(stage: Stage) -> None:
    writer = stage.writer()
    await writer.add()

    async with Redis.from_url(stage.url) as client:
        await client.ping()
        before = (await client.info("stats"))["total_reads_processed"]
        for _ in range(10):
            await writer.add()
        after = (await client.info("stats"))["total_reads_processed"]
    assert after - before == 10 + 1  # and the second question itself


async def is_whole(stage: Stage, raw: str, metric: str) -> None:
    """See that a series is as a sidecar makes it."""
    await stage.make_rules()
    info = await stage.ask("TS.INFO", raw)
    assert (info["retentionTime"], info["duplicatePolicy"]) == (RAW_RETENTION_MS, "sum")
    assert info["labels"] == series_labels(FLAG, metric)
    assert set(info["rules"]) == {f"{raw}:{each.label}" for each in resolutions_of(metric)}
    for resolution in resolutions_of(metric):
        copy = await stage.ask("TS.INFO", f"{raw}:{resolution.label}")
        assert copy["retentionTime"] == resolution.retention_ms
        assert copy["labels"] == {**series_labels(FLAG, metric), "resolution": resolution.label}


QUIET = ("fallback_success", "fallback_failure", "fallback_slow", "variant:blue", "rule:beta.2")


async def test_what_is_not_of_the_feature_has_whole_series_and_marks_nothing(stage: Stage) -> None:
    writer = stage.writer()
    now_ms = await writer.series.now_ms()
    counts = {(FLAG.flag, metric): 3 for metric in QUIET}
    await writer.series.add(counts, None)
    await writer.series.add(counts, now_ms - 60_000)
    for metric in QUIET:
        assert await stage.total(series_key(FLAG, metric)) == 6
        await is_whole(stage, series_key(FLAG, metric), metric)
    assert (await stage.marks(busy_key(APP)), await stage.marks(late_key(APP))) == ({}, {})
    assert writer.log == []
    await writer.series.add({("other", "success"): 1, (FLAG.flag, "fallback_success"): 1}, None)
    assert (await stage.marks(busy_key(APP))).keys() == {"other"}


async def test_the_apps_user_is_refused_nothing_that_a_sidecar_does(stage: Stage) -> None:
    await stage.ask("ACL", "LOG", "RESET")
    writer = stage.writer()
    for metric in ("success", *QUIET):
        await writer.add(2, metric)
        await is_whole(stage, series_key(FLAG, metric), metric)
    await writer.add(1, flag="a.b")
    at_ms = await writer.series.now_ms() - 60_000
    await writer.series.add({(FLAG.flag, "success"): 4}, at_ms)
    assert await stage.total() == 6
    assert (await stage.marks(busy_key(APP))).keys() == {FLAG.flag, "a.b"}
    assert writer.log == []
    assert await stage.ask("ACL", "LOG") == []


async def test_evaluations_are_found_by_their_labels(stage: Stage) -> None:
    await stage.writer().series.add(
        {("a", "variant:on"): 1, ("a.b", "variant:on"): 2, ("a", "variant:off"): 3, ("a", "rule:on"): 4}, None
    )
    found = await stage.ask("TS.QUERYINDEX", "app=shop", "metric=variant", "variant=on", "resolution=")
    assert set(found) == {"ts:{shop}:a:variant:on", "ts:{shop}:a.b:variant:on"}
    assert await stage.ask("TS.QUERYINDEX", "metric=rule", "rule=on", "resolution=1m") == ["ts:{shop}:a:rule:on:1m"]
    assert await stage.ask("TS.QUERYINDEX", "app=shop", "resolution=10s") == []


async def test_a_series_that_somebody_else_has_made_is_put_right(stage: Stage) -> None:
    """Without labels and rules, and with a policy that refuses the second flush of a millisecond."""
    writer = stage.writer()
    now_ms = await writer.series.now_ms()
    await stage.ask("TS.ADD", RAW, now_ms, 5)
    await writer.add()
    await is_whole(stage, RAW, "success")
    assert await writer.series.add({(FLAG.flag, "success"): 2}, now_ms) == 0
    assert (await stage.samples())[now_ms] == 7
    assert await stage.total() == 8
    assert writer.log == []


async def test_a_policy_that_refuses_is_put_right_before_anything_is_lost(stage: Stage) -> None:
    writer = stage.writer()
    now_ms = await writer.series.now_ms()
    await stage.ask("TS.ADD", RAW, now_ms, 5)
    assert await writer.series.add({(FLAG.flag, "success"): 2}, now_ms) == 0
    assert await stage.samples() == {now_ms: 7}


async def test_a_copy_that_was_lost_is_made_again_by_the_next_sidecar(stage: Stage) -> None:
    await stage.writer().add()
    await stage.ask("DEL", f"{RAW}:10s")
    await stage.writer().add()
    await is_whole(stage, RAW, "success")


async def test_a_redis_that_is_emptied_gets_everything_anew(stage: Stage) -> None:
    writer = stage.writer()
    await writer.add(3)
    await stage.kill()
    shutil.rmtree(stage.folder / "appendonlydir")
    await writer.add(4)
    await stage.start()
    await writer.until_written()
    assert await stage.total() == 4
    assert FLAG.flag in await stage.marks(late_key(APP))
    await is_whole(stage, RAW, "success")
    await stage.ask("FLUSHALL")
    await writer.add(5)
    assert await stage.total() == 5
    assert FLAG.flag in await stage.marks(busy_key(APP))
    assert (writer.written, writer.buffer.dropped) == (12, 0)


async def refuses(stage: Stage, writer: Writer, reason: str) -> None:
    """See that nothing is written, that all waits, and that this is said in one sentence."""
    await writer.add(1)
    for _ in range(3):
        await writer.add(2)
    await writer.add(2, flag="another")
    assert (writer.buffer.waiting, writer.buffer.dropped, writer.flusher.connected) == (9, 0, False)
    (said,) = writer.said("redis_unreachable")
    assert reason in said["error"]


async def wrote_all(stage: Stage, writer: Writer) -> None:
    await writer.until_written()
    assert (writer.written, writer.buffer.dropped) == (10, 0)
    assert await stage.total() == 8
    assert await stage.total(series_key(FlagId(APP, "another"), "success")) == 2
    assert (await stage.marks(late_key(APP))).keys() == {FLAG.flag, "another"}


async def test_a_full_redis_is_waited_for(stage: Stage) -> None:
    writer = stage.writer()
    await writer.add()
    await stage.ask("CONFIG", "SET", "maxmemory", "1")
    await refuses(stage, writer, "Redis refused: command not allowed when used memory > 'maxmemory'")
    await stage.ask("CONFIG", "SET", "maxmemory", "0")
    await wrote_all(stage, writer)


async def test_a_replica_is_waited_for(stage: Stage) -> None:
    writer = stage.writer()
    await writer.add()
    await stage.ask("REPLICAOF", "127.0.0.1", any_free_port())
    await refuses(stage, writer, "Redis refused: You can't write against a read only replica")
    await stage.ask("REPLICAOF", "NO", "ONE")
    await wrote_all(stage, writer)


async def test_a_replica_is_left_for_whoever_the_address_leads_to_now(stage: Stage) -> None:
    """What was the master goes on answering. Only a new connection finds the one that took its place."""
    writer = stage.writer()
    await writer.add()
    await stage.ask("REPLICAOF", "127.0.0.1", any_free_port())
    received = (await stage.ask("INFO", "stats"))["total_connections_received"]
    await writer.add()
    await stage.ask("REPLICAOF", "NO", "ONE")
    await writer.until_written()
    # Our own two beside it.
    assert (await stage.ask("INFO", "stats"))["total_connections_received"] == received + 3


async def test_another_reason_for_the_same_outage_is_told_as_well(stage: Stage) -> None:
    writer = stage.writer()
    await writer.add()
    await stage.kill()
    await writer.add()
    with (stage.folder / "redis.conf").open("a") as file:
        file.write(f"replicaof 127.0.0.1 {any_free_port()}\n")
    await stage.start()
    async with asyncio.timeout(WAIT_S):
        while not any("read only replica" in event["error"] for event in writer.said("redis_still_unreachable")):
            await writer.flusher.flush()
            await asyncio.sleep(0.01)
    assert len(writer.said("redis_unreachable")) == 1
    await stage.ask("REPLICAOF", "NO", "ONE")
    await writer.until_written()
    assert await stage.total() == 2


async def test_a_key_that_is_not_known_is_waited_for(stage: Stage) -> None:
    writer = stage.writer()
    await writer.add()
    await stage.ask("ACL", "DELUSER", user_of(APP))
    await refuses(stage, writer, "Redis did not let us in: invalid username-password pair")
    assert "docs/redis.md" in str(writer.flusher.problem)
    await stage.let_in()
    await wrote_all(stage, writer)
    assert writer.flusher.problem is None


async def test_a_redis_that_forbids_writing_is_waited_for(stage: Stage) -> None:
    writer = stage.writer()
    await writer.add()
    async with stage.locked_out("-ts.madd"):
        await refuses(stage, writer, "has no permissions to run the 'ts.madd' command")
    await wrote_all(stage, writer)


async def test_a_redis_that_loads_is_waited_for(stage: Stage) -> None:
    writer = stage.writer(stage.url)  # whose user is there before the data are
    await writer.series.add({(f"flag-{number}", "success"): 1 for number in range(100)}, None)
    await writer.add()
    await stage.ask("BGREWRITEAOF")
    async with asyncio.timeout(WAIT_S):
        while (await stage.ask("INFO", "persistence"))["aof_rewrite_in_progress"]:
            await asyncio.sleep(0.02)
    await stage.kill()
    with (stage.folder / "redis.conf").open("a") as file:
        file.write("key-load-delay 2000\nloading-process-events-interval-bytes 1024\n")
    starting = asyncio.create_task(stage.start())
    counts = {(FLAG.flag, "success"): 4}
    problem = ""
    async with asyncio.timeout(WAIT_S):
        while "loading the dataset" not in problem:
            with pytest.raises(SeriesUnavailableError) as raised:
                await writer.series.add(counts, None)
            assert raised.value.unwritten == counts
            problem = str(raised.value)
            await asyncio.sleep(0.01)
    await starting
    await writer.add(3)
    assert await stage.total() == 4


async def test_a_redis_that_forbids_the_marks_gets_the_counts_once(stage: Stage) -> None:
    writer = stage.writer()
    await writer.add()
    async with stage.locked_out("-sadd"):
        for _ in range(5):
            await writer.add(2)
            assert (writer.buffer.waiting, writer.flusher.connected) == (0, False)
        assert await stage.total() == 11
        (said,) = writer.said("marks_not_written")
        assert said["needs"].startswith("SADD ")
        assert "aerobat does not see what is counted".lower() in str(writer.flusher.problem).lower()
        assert "no permissions to run" in said["error"]
        assert await stage.marks(late_key(APP)) == {}
        busy = await stage.marks(busy_key(APP))
        await writer.add(1, flag="another")
    assert not writer.said("redis_unreachable")
    now_ms = await writer.series.now_ms()
    await writer.add(1, flag="another")
    marks = await stage.marks(late_key(APP))
    assert marks.keys() == {FLAG.flag, "another"}
    assert min(marks.values()) >= now_ms
    assert await stage.marks(busy_key(APP)) == {**busy, "another": (await stage.marks(busy_key(APP)))["another"]}
    assert writer.flusher.connected
    assert len(writer.said("marks_written_again")) == 1
    assert writer.written == 13
    another = series_key(FlagId(APP, "another"), "success")
    assert await stage.total(another) == 2
    await stage.make_rules()
    assert len((await stage.ask("TS.INFO", another))["rules"]) == 2
    assert writer.flusher.problem is None


async def test_what_may_be_written_and_not_made_is_written(stage: Stage) -> None:
    await stage.writer().add()
    writer = stage.writer()
    async with stage.locked_out("-ts.create"):
        for _ in range(3):
            await writer.add()
        assert writer.flusher.connected
        (said,) = writer.log
        assert "ts.create" in said["error"]
        await writer.add(1, flag="new")
        assert writer.buffer.waiting == 1
    await writer.until_written()
    assert await stage.total() == 4
    assert await stage.total(series_key(FlagId(APP, "new"), "success")) == 1


async def test_a_key_in_the_way_is_given_up_and_counted_as_that(stage: Stage) -> None:
    writer = stage.writer()
    await stage.ask("SET", RAW, "mine")
    for _ in range(3):
        writer.buffer.add(FLAG.flag, "failure")
        await writer.add(2)
    assert (writer.written, writer.buffer.dropped, writer.buffer.waiting) == (3, 6, 0)
    assert await stage.total(series_key(FLAG, "failure")) == 3
    (said,) = writer.said("series_key_taken")
    assert said["key"] == RAW


@pytest.mark.parametrize("late_ms", [None, 200_000])
async def test_a_series_from_a_clock_that_was_far_ahead_is_made_anew(stage: Stage, late_ms: int | None) -> None:
    writer = stage.writer()
    await writer.add(9)
    now_ms = await writer.series.now_ms()
    await stage.ask("TS.ADD", RAW, now_ms + RAW_RETENTION_MS + 60_000, 100)
    at_ms = None if late_ms is None else now_ms - late_ms
    assert await writer.series.add({(FLAG.flag, "success"): 4}, at_ms) == 0
    samples = await stage.samples()
    assert sum(samples.values()) == 4
    assert at_ms is None or samples == {at_ms: 4}
    await is_whole(stage, RAW, "success")
    assert len(writer.said("series_created_again")) == 1
    await writer.add(2)
    assert await stage.total() == 6


async def test_many_writers_start_at_once_on_nothing(stage: Stage) -> None:
    writers = [stage.writer() for _ in range(10)]
    counts = {(f"flag-{number}", metric): 1 for number in range(5) for metric in ("success", "failure")}
    await asyncio.gather(*(writer.series.add({**counts, (FLAG.flag, "success"): 3}, None) for writer in writers))
    assert await stage.total() == 30
    for number in range(5):
        for metric in ("success", "failure"):
            assert await stage.total(series_key(FlagId(APP, f"flag-{number}"), metric)) == 10
    await is_whole(stage, RAW, "success")
    assert stage.log == []


async def test_a_redis_that_hangs_for_three_seconds_has_everything_once(stage: Stage) -> None:
    writer = stage.writer()
    stop = asyncio.Event()
    running = asyncio.create_task(writer.flusher.run(stop))
    counted = 0

    async def go_on(seconds: float) -> None:
        nonlocal counted
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            writer.buffer.add(FLAG.flag, "success")
            counted += 1
            await asyncio.sleep(0.005)

    await go_on(0.5)
    for _ in range(2):
        stage.signal(signal.SIGSTOP)
        await go_on(3)  # what is waited for is time itself: longer than the timeout of a command
        stage.signal(signal.SIGCONT)
        await go_on(0.5)
    async with asyncio.timeout(WAIT_S):
        while writer.buffer.waiting:
            await asyncio.sleep(0.05)
    stop.set()
    await running
    assert await stage.total() == counted == writer.written + writer.unconfirmed
    assert 0 < writer.unconfirmed < counted
    assert writer.buffer.dropped == 0


async def test_a_redis_that_hangs_before_anybody_is_connected_loses_nothing(stage: Stage) -> None:
    """The kernel takes the connection, and nobody answers: nothing was sent."""
    writer = stage.writer()
    await writer.add()
    await stage.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    stage.signal(signal.SIGSTOP)
    await writer.add(2)
    assert writer.buffer.waiting == 2
    stage.signal(signal.SIGCONT)
    await writer.until_written()
    assert await stage.total() == 3
