"""Simulated sidecars: one for each app, each with the real writer of outcomes, in a process of their own.

Told what to do by JSON objects on lines of standard input, which are answered on standard output; ends with the input.
The other end is `writer`. Told to "make", "remember" and "write" (see the functions); a tally is asked for by "tally".
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import uvloop

from tailslide_aerobat.series_rules import RedisCommands, SeriesRules
from tailslide_core.naming import Metric, new_series_key
from tailslide_runtime.server_urls import RedisUrl
from tailslide_sidecar.timeseries import RedisSeries, SeriesUnavailableError
from tick_bench.traffic import Counts, counts_of, flags_by_app, metrics

FLUSH_S = 0.1
IDLE_FOR_MS = 45 * 60_000
"""How long the last call of an idle flag is ago: more than Aerobat looks back, less than Redis keeps."""
_CYCLE = 24
"""So many flushes of each sidecar are drawn beforehand, and written again and again."""
_AT_ONCE = 8
"""How many apps are made or remembered side by side."""


@dataclass
class Tally:
    """What was written since the last time it was asked for."""

    flushes: int = 0
    skipped: int = 0
    """Flushes left out since the one before took too long."""
    failed: int = 0
    """Flushes that Redis did not answer as it should, say in time."""
    samples: int = 0
    calls: int = 0
    seconds: float = 0.0
    since: float = field(default_factory=time.monotonic)


class Sidecars:
    """All of them, by app."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._series: dict[str, RedisSeries] = {}
        self._writing: list[asyncio.Task[None]] = []
        self._enough = asyncio.Event()
        self._tally = Tally()
        self._complained = False

    def _of(self, app: str) -> RedisSeries:
        if app not in self._series:
            self._series[app] = RedisSeries(RedisUrl.parse(self._redis_url), app)
        return self._series[app]

    async def make(self, flags: int, apps: int, *, latencies: bool) -> None:
        """Stop writing; make the series of so many flags, with calls that are long ago."""
        await self.quiet()
        first = next(iter(flags_by_app(0, 1, apps)))
        at_ms = await self._of(first).now_ms() - IDLE_FOR_MS
        work = [
            (app, {(flag, metric): 1 for flag in keys for metric in metrics(latencies=latencies)})
            for app, keys in flags_by_app(0, flags, apps).items()
        ]
        await self._side_by_side([(app, ((at_ms, counts),)) for app, counts in work], "series made")
        await self._make_rules([app for app, _ in work])

    async def _make_rules(self, apps: Sequence[str]) -> None:
        """Do as an Aerobat does once, when series are new, so that none has to while it is measured."""
        commands = RedisCommands(RedisUrl.parse(self._redis_url))
        rules = SeriesRules(commands, made=lambda _: None, refused=lambda _: None)
        try:
            while any(await commands.ask([("EXISTS", *map(new_series_key, apps))])):
                await rules.look(apps)
        finally:
            await commands.close()

    async def remember(self, first: int, end: int, apps: int, calls_per_s: float, reach_s: int, step_s: int) -> None:
        """Stop writing; write what the flags from `first` to before `end` would have counted, each `step_s`."""
        await self.quiet()
        now_ms = await self._of(next(iter(flags_by_app(first, end, apps)))).now_ms()
        times = [now_ms - ago_s * 1000 for ago_s in range(reach_s, 0, -step_s)]
        work = []
        for app, keys in flags_by_app(first, end, apps).items():
            rng = random.Random(f"{app} before")
            drawn = [counts_of(keys, calls_per_s * step_s, rng, latencies=False) for _ in range(_CYCLE)]
            work.append((app, [(at_ms, drawn[index % _CYCLE]) for index, at_ms in enumerate(times)]))
        await self._side_by_side(work, "apps with a past")

    async def _side_by_side(self, work: Sequence[tuple[str, Sequence[tuple[int, Counts]]]], what: str) -> None:
        waiting, done = list(reversed(work)), 0

        async def take() -> None:
            nonlocal done
            while waiting:
                app, samples = waiting.pop()
                for at_ms, counts in samples:
                    await self._of(app).add(counts, at_ms)
                done += 1
                if done % 25 == 0:
                    print(f"  {what}: {done} of {len(work)} apps", file=sys.stderr, flush=True)

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(take())

    async def write(self, busy: int, apps: int, calls_per_s: float, *, latencies: bool) -> None:
        """From now on write what the first `busy` flags count, each with so many calls a second on average."""
        await self.quiet()
        self._enough = asyncio.Event()
        by_app = flags_by_app(0, busy, apps)
        for index, (app, keys) in enumerate(by_app.items()):
            rng = random.Random(app)
            drawn = [counts_of(keys, calls_per_s * FLUSH_S, rng, latencies=latencies) for _ in range(_CYCLE)]
            starts_in_s = index / len(by_app) * FLUSH_S
            self._writing.append(asyncio.create_task(self._flush_for_ever(self._of(app), drawn, starts_in_s)))

    async def _flush_for_ever(self, series: RedisSeries, drawn: Sequence[Counts], starts_in_s: float) -> None:
        clock = asyncio.get_running_loop().time
        due = clock() + starts_in_s
        flush = 0
        calls = [sum(n for (_, metric), n in one.items() if metric in _ENDS) for one in drawn]
        while not self._enough.is_set():
            await asyncio.sleep(max(0.0, due - clock()))
            turn = flush % len(drawn)
            tally = self._tally
            try:
                await series.add(drawn[turn], None)
            except SeriesUnavailableError as error:
                tally.failed += 1
                if not self._complained:
                    self._complained = True
                    print(f"  a simulated sidecar could not write: {error}", file=sys.stderr, flush=True)
            tally.flushes += 1
            tally.samples += len(drawn[turn])
            tally.calls += calls[turn]
            skipped = max(0, int((clock() - due) / FLUSH_S))
            tally.skipped += skipped
            due += (skipped + 1) * FLUSH_S
            flush += 1

    async def quiet(self) -> None:
        """Stop writing; raise what went wrong meanwhile."""
        # Not by cancelling, which would cut writes off.
        self._enough.set()
        writing, self._writing = self._writing, []
        await asyncio.gather(*writing)

    def tally(self) -> Tally:
        """Return what was written since the last time, and begin at zero; raise what went wrong meanwhile."""
        for task in self._writing:
            if task.done():
                task.result()
        taken, self._tally = self._tally, Tally()
        taken.seconds = self._tally.since - taken.since
        return taken

    async def close(self) -> None:
        """Let go of all connections."""
        await self.quiet()
        for series in self._series.values():
            await series.close()


_ENDS = (Metric.SUCCESS, Metric.FAILURE)


async def _obey(sidecars: Sidecars, line: bytes) -> object:
    asked = orjson.loads(line)
    what = asked.pop("do")
    if what == "tally":
        tally = sidecars.tally()
        return {
            "flushes": tally.flushes,
            "skipped": tally.skipped,
            "failed": tally.failed,
            "samples": tally.samples,
            "calls": tally.calls,
            "seconds": tally.seconds,
        }
    if what == "make":
        await sidecars.make(**asked)
    elif what == "remember":
        await sidecars.remember(**asked)
    else:
        await sidecars.write(**asked)
    return {}


async def _serve(environ: Mapping[str, str]) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    sidecars = Sidecars(environ["TAILSLIDE_REDIS_URL"])
    try:
        while line := await reader.readline():
            answer = await _obey(sidecars, line)
            sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
            sys.stdout.flush()
    finally:
        await sidecars.close()


def main() -> None:
    try:
        uvloop.run(_serve(os.environ))
    except* SeriesUnavailableError as errors:
        sys.exit(f"Error: the simulated sidecars could not write: {errors.exceptions[0]}")
    except* KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
