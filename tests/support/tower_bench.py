"""A Tower on real servers of its own, for the integration tests: started in this process, or as a process to kill.

Not on the servers that all tests share: Tower makes the bucket equal to its database, so it would delete the rulesets
of other tests.
"""

import asyncio
import io
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import nats
import nats.js.errors
import orjson
from nats.aio.client import Client
from pydantic import SecretStr
from real_servers import RealServers

from tailslide_core.contracts import Claim, Mark, decode_claim, decode_mark
from tailslide_core.flag_contracts import decode_ruleset, decode_segment
from tailslide_core.naming import (
    CIRCUITS_BUCKET,
    CLAIM_KEY,
    KEYS_BUCKET,
    RULESETS_BUCKET,
    bucket_stream,
    bucket_subject,
    is_reserved,
    mark_key,
    segment_of,
)
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment
from tailslide_runtime.bucket_watch import Entry, Listing, watch_bucket
from tailslide_runtime.jetstream import ensure_bucket
from tailslide_runtime.server_urls import DatabaseUrl, NatsUrl, RedisUrl
from tailslide_runtime.settings import ListenAddress
from tailslide_tower.app import serve
from tailslide_tower.database import Database
from tailslide_tower.settings import TowerSettings

TOKEN = "a-token-for-the-tests-of-tower"
TIMEOUT_S = 30.0
WITH_TABLES = "tower_with_tables"
"""The database that others are copied from."""


@dataclass(frozen=True)
class Answer:
    """An answer. `body` is without the `state` of flags, which differs from one moment to the next; `whole` has it."""

    status: int
    body: Any
    headers: Mapping[str, str]
    whole: Any = None

    @property
    def error(self) -> tuple[int, str, str | None]:
        """Return status, code and field."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.headers
        assert self.body["detail"], "an error without a detail"
        assert self.body["status"] == self.status
        return self.status, self.body["code"], self.body.get("field")


def _without_states(body: Any) -> Any:
    if isinstance(body, dict) and isinstance(body.get("flags"), list):
        return body | {"flags": [_without_states(flag) for flag in body["flags"]]}
    if isinstance(body, dict) and isinstance(body.get("state"), dict):
        return {name: value for name, value in body.items() if name != "state"}
    return body


class Tower:
    """A running Tower, reached at its unix socket."""

    def __init__(self, socket: Path, session: aiohttp.ClientSession) -> None:
        self.socket = socket
        self._session = session

    async def call(
        self, method: str, path: str, body: object = None, *, data: bytes | None = None, **headers: str
    ) -> Answer:
        """Ask the API; `body` is sent as JSON, `data` as it is. Names of headers are written with `_`.

        A change says `If-Match: *` unless told otherwise; a header that is given empty is left out.
        """
        default = {"Authorization": f"Bearer {TOKEN}"} | ({} if method == "GET" else {"If-Match": "*"})
        sent = {name: value for name, value in default.items() if name.replace("-", "_") not in headers} | {
            name.replace("_", "-"): value for name, value in headers.items() if value
        }
        if body is not None:
            data = orjson.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        is_whole = path.startswith(("/enter", "/healthz", "/readyz", "/metrics", "/api/"))
        url = f"http://tower{path if is_whole else '/api/v1' + path}"
        async with self._session.request(
            method, url, data=None if data is None else io.BytesIO(data), headers=sent, allow_redirects=False
        ) as answer:
            raw = await answer.read()
            is_json = answer.content_type in {"application/json", "application/problem+json"}
            whole = orjson.loads(raw) if is_json else raw
            return Answer(answer.status, _without_states(whole), answer.headers, whole)

    async def ok(self, method: str, path: str, body: object = None) -> Any:
        """Ask the API and return the body of an answer that is a success."""
        answer = await self.call(method, path, body)
        assert answer.status < 300, answer
        return answer.body

    async def delete_flag(self, path: str) -> None:
        """Archive a flag, which something may still ask for, and delete it for good."""
        await self.ok("POST", f"{path}/archive", {"force": True})
        await self.ok("DELETE", path)

    async def state(self, flag: str, app: str = "shop") -> dict[str, Any]:
        """Return the state of a flag."""
        answer = await self.call("GET", f"/apps/{app}/flags/{flag}")
        assert answer.status == 200, answer
        state: dict[str, Any] = answer.whole["state"]
        return state

    async def until_state(self, holds: Callable[[dict[str, Any]], bool], flag: str, app: str = "shop") -> Any:
        """Wait until the state of a flag is as asked for; return it."""

        async def check() -> bool:
            return holds(await self.state(flag, app))

        await until(check)
        return await self.state(flag, app)

    async def until_published(self) -> None:
        """Wait until Tower says that bucket and database are equal."""

        async def published() -> bool:
            return bool((await self.call("GET", "/readyz")).body["published"])

        await until(published)


class TowerBench:
    """A database of one's own on servers that may be killed, and the Towers on it."""

    def __init__(self, servers: RealServers, folder: Path, database_url: str) -> None:
        self.servers = servers
        self.database_url = database_url
        self._folder = folder
        self.nats_url = servers.endpoints.nats_url
        self.redis_url = servers.endpoints.redis_url
        self.more_settings: dict[str, Any] = {}
        """Fields of `TowerSettings` besides, for Towers in this process."""
        self.announced: list[str] = []
        """What Towers in this process have told the one who started them."""

    def settings(self, token: str | None = TOKEN, *, redis: bool = True, **more: Any) -> TowerSettings:
        """Return the settings of one more Tower."""
        return TowerSettings(
            **{
                "database_url": DatabaseUrl.parse(self.database_url),
                "nats_url": NatsUrl.parse(self.nats_url),
                "redis_url": RedisUrl.parse(self.redis_url) if redis else None,
                "tower_listen": ListenAddress(path=self._folder / f"{uuid4().hex[:8]}.sock"),
                "api_token": None if token is None else SecretStr(token),
                **self.more_settings,
                **more,
            }
        )

    @asynccontextmanager
    async def tower(self, token: str | None = TOKEN, *, redis: bool = True, **more: Any) -> AsyncIterator[Tower]:
        """Run a Tower in this process; it is ready, though perhaps not connected to NATS yet."""
        settings = self.settings(token, redis=redis, **more)
        task = asyncio.create_task(serve(settings, self.announced.append))
        try:
            async with self._reached(settings, task) as tower:
                yield tower
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def tower_process(
        self, more: Mapping[str, str] | None = None
    ) -> AsyncIterator[tuple[Tower, asyncio.subprocess.Process]]:
        """Run a Tower as a process; it is killed at the end of the block, if it still runs then."""
        settings = self.settings()
        process = await self._start({"TAILSLIDE_TOWER_LISTEN": str(settings.tower_listen), **(more or {})})
        ended = asyncio.create_task(process.communicate())
        try:
            async with self._reached(settings, ended) as tower:
                yield tower, process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await ended

    @asynccontextmanager
    async def process_at(self, listen: str, more: Mapping[str, str] | None = None) -> AsyncIterator[None]:
        """Run a Tower as a process that listens there; what it says is dropped, and it is killed at the end."""
        # Not pipes: while a synchronous test runs, the loop that would empty them stands still, and a full pipe stops
        # the process.
        process = await self._start({"TAILSLIDE_TOWER_LISTEN": listen, **(more or {})}, said=asyncio.subprocess.DEVNULL)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def run_process(self, more: Mapping[str, str]) -> tuple[int, str]:
        """Run a Tower that is not to start; return its exit status and what it said."""
        process = await self._start(more)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                _, said = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()
            raise
        assert process.returncode is not None
        return process.returncode, said.decode()

    async def _start(
        self, more: Mapping[str, str], *command: str, said: int = asyncio.subprocess.PIPE
    ) -> asyncio.subprocess.Process:
        """Start a process with the settings of this bench and no others; what it says goes to `said`."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
        own = {
            "TAILSLIDE_DATABASE_URL": self.database_url,
            "TAILSLIDE_NATS_URL": self.nats_url,
            "TAILSLIDE_REDIS_URL": self.redis_url,
            "TAILSLIDE_API_TOKEN": TOKEN,
        }
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *(command or ("tailslide_tower.main",))),
            stdin=asyncio.subprocess.DEVNULL,
            env={**inherited, **own, **more},
            stdout=said,
            stderr=said,
        )

    @asynccontextmanager
    async def _reached(self, settings: TowerSettings, life: "asyncio.Task[Any]") -> AsyncIterator[Tower]:
        socket = settings.tower_listen.path
        assert socket is not None
        async with aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(socket)),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            tower = Tower(socket, session)

            async def ready() -> bool:
                if life.done():
                    life.result()
                    raise AssertionError("Tower has ended")
                try:
                    return (await tower.call("GET", "/readyz")).status == 200
                except aiohttp.ClientConnectionError:
                    return False

            await until(ready)
            yield tower

    @asynccontextmanager
    async def nats(self) -> AsyncIterator[Client]:
        """Connect to NATS."""
        client = await nats.connect(self.nats_url, allow_reconnect=False)
        try:
            yield client
        finally:
            await client.close()

    async def entries(self) -> dict[str, Entry]:
        """Return all that the bucket says of flags; nothing when there is none."""
        return {key: entry for key, entry in (await self._whole_bucket()).items() if not is_reserved(key)}

    async def segment_entries(self) -> dict[str, Entry]:
        """Return all that the bucket says of segments, by their keys in it."""
        return {key: entry for key, entry in (await self._whole_bucket()).items() if segment_of(key) is not None}

    async def segments(self) -> dict[str, Segment]:
        """Return the segments in the bucket, by their keys in it."""
        return {
            key: decode_segment(entry.value)
            for key, entry in (await self.segment_entries()).items()
            if entry.value is not None
        }

    async def mark(self, app: str) -> Mark | None:
        """Return what Tower has said last of an app that is published in full."""
        entry = (await self._whole_bucket()).get(mark_key(app))
        return None if entry is None or entry.value is None else decode_mark(entry.value)

    async def claim(self) -> Claim | None:
        """Return which database the bucket is claimed by."""
        entry = (await self._whole_bucket()).get(CLAIM_KEY)
        return None if entry is None or entry.value is None else decode_claim(entry.value)

    async def _whole_bucket(self) -> dict[str, Entry]:
        async with self.nats() as client:
            try:
                await client.jetstream().stream_info(bucket_stream(RULESETS_BUCKET))
            except nats.js.errors.NotFoundError:
                return {}
            async with asyncio.timeout(TIMEOUT_S), aclosing(watch_bucket(client, RULESETS_BUCKET, ">")) as watch:
                async for item in watch:
                    assert isinstance(item, Listing)
                    return item.entries
        raise AssertionError("no listing came")

    async def rulesets(self) -> dict[str, Ruleset]:
        """Return the rulesets in the bucket."""
        return {
            key: decode_ruleset(entry.value) for key, entry in (await self.entries()).items() if entry.value is not None
        }

    async def until_rulesets(self, holds: Callable[[dict[str, Ruleset]], bool]) -> dict[str, Ruleset]:
        """Wait until the bucket is as asked for; return it."""

        async def check() -> bool:
            return holds(await self.rulesets())

        await until(check)
        return await self.rulesets()

    async def delete_bucket(self, bucket: str = RULESETS_BUCKET) -> None:
        """Delete a bucket, if it is there."""
        async with self.nats() as client:
            with suppress(nats.js.errors.NotFoundError):
                await client.jetstream().delete_key_value(bucket)

    async def purge_bucket(self) -> None:
        """Take all messages out of the bucket, of which no watcher hears."""
        async with self.nats() as client:
            await client.jetstream().purge_stream(bucket_stream(RULESETS_BUCKET))

    async def delete_key(self, key: str) -> None:
        """Delete one key, as anybody could."""
        async with self.nats() as client:
            subject = bucket_subject(RULESETS_BUCKET, key)
            await client.jetstream().publish(subject, b"", headers={"KV-Operation": "DEL"})

    async def put(self, bucket: str, key: str, value: bytes) -> None:
        """Write a key, as anybody could; makes the bucket if need be."""
        async with self.nats() as client:
            await ensure_bucket(client, bucket)
            await client.jetstream().publish(bucket_subject(bucket, key), value)

    @asynccontextmanager
    async def another_database(self, *, copied: bool = False) -> AsyncIterator["TowerBench"]:
        """Make one more database for Towers on the same NATS: an empty one, or a copy, for which no Tower may run."""
        async with _database(self.servers, self.database_url.rpartition("/")[2] if copied else None) as url:
            yield TowerBench(self.servers, self._folder, url)

    async def adopt(self, *arguments: str) -> tuple[int, str, str]:
        """Run `tailslide tower adopt` with the settings of this bench; return its status, output and errors."""
        return await self.command("tower", "adopt", *arguments)

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command `tailslide` with the settings of this bench; return its status, output and errors."""
        process = await self._start({}, "tailslide_embedded", *arguments)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                output, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()
            raise
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()

    async def sql(self, statement: str) -> None:
        """Change the database behind Tower's back."""
        async with self.connection() as connection:
            await connection.execute(statement)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Connect to the database behind Tower's back."""
        connection = await asyncpg.connect(self.database_url)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def held(self, app: str) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
        """Keep what an app's flags say of each other from being changed until the end of the block.

        Yields what waits until so many changes wait for that.
        """
        async with self.connection() as holding, self.connection() as looking:

            async def until_waiting(number: int) -> None:
                async def waiting() -> bool:
                    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1"
                    count = await looking.fetchval(query, self.database_url.rpartition("/")[2])
                    return bool(count >= number)

                await until(waiting)

            async with holding.transaction():
                await holding.execute("SELECT key FROM apps WHERE key = $1 FOR NO KEY UPDATE", app)
                yield until_waiting


@asynccontextmanager
async def tower_bench(servers: RealServers, folder: Path, *, empty: bool = False) -> AsyncIterator[TowerBench]:
    """Make a database for one test, and absent buckets; drop the database at the end.

    The database is as a Tower leaves it that has just made its tables, which every start would take a while for; an
    `empty` one has none yet.
    """
    async with _database(servers, None if empty else await _with_tables(servers)) as url:
        bench = TowerBench(servers, folder, url)
        if not empty:  # else all of them would be one and the same for Tower
            await bench.sql(f"UPDATE identity SET database = '{uuid4().hex}'")
        for bucket in (RULESETS_BUCKET, CIRCUITS_BUCKET, KEYS_BUCKET):
            await bench.delete_bucket(bucket)
        yield bench


@asynccontextmanager
async def _database(servers: RealServers, template: str | None = None) -> AsyncIterator[str]:
    """Make a database of Tower's role, and drop it at the end; yield its URL."""
    tower_url, admin_url = servers.endpoints.database_url, servers.superuser_url
    name = f"tower_{uuid4().hex[:12]}"
    async with AsyncExitStack() as ending:
        admin = await asyncpg.connect(admin_url)
        copied = f" TEMPLATE {template}" if template else ""
        await admin.execute(f"CREATE DATABASE {name} OWNER tower{copied}")
        await admin.close()
        ending.push_async_callback(_drop, admin_url, name)
        yield f"{tower_url.rpartition('/')[0]}/{name}"


async def _with_tables(servers: RealServers) -> str:
    """Return the name of a database with Tower's tables to copy, made when there is none on these servers yet."""
    admin = await asyncpg.connect(servers.superuser_url)
    try:
        if not await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", WITH_TABLES):
            # Renamed when it is whole, so that none that was broken off is ever copied.
            unfinished = f"{WITH_TABLES}_unfinished"
            await admin.execute(f"DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")
            await admin.execute(f"CREATE DATABASE {unfinished} OWNER tower")
            url = f"{servers.endpoints.database_url.rpartition('/')[0]}/{unfinished}"
            database = Database(DatabaseUrl.parse(url))
            try:
                await database.prepare()
            finally:
                await database.close()
            await admin.execute(f"ALTER DATABASE {unfinished} RENAME TO {WITH_TABLES}")
    finally:
        await admin.close()
    return WITH_TABLES


async def _drop(admin_url: str, name: str) -> None:
    admin = await asyncpg.connect(admin_url)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def until(holds: Callable[[], Awaitable[bool]], timeout_s: float = TIMEOUT_S) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    async with asyncio.timeout(timeout_s):
        while not await holds():
            await asyncio.sleep(0.02)
