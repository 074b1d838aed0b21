"""A second Tower with an empty database on a NATS in use: no sidecar loses a flag, until a person has said so.

The first Tower is dead meanwhile, so that nothing is repaired behind the scenes. All by the real commands.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from real_servers import superuser_url
from scene import APP, FLAG, Scene

from tailslide_core.circuit import State

FLAGS = (FLAG, *(f"flag-{number}" for number in range(10)))
TOKEN = "a-token-of-the-second-tower"
WAIT_S = 30.0
ROUNDS = 100
"""So many times all flags are asked for while the second Tower could do harm: some seconds."""


@dataclass
class Questions:
    """All flags, asked for again and again."""

    scene: Scene
    rounds: int = 0
    wrong: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        async with aiohttp.ClientSession(self.scene.loop.addresses.flags) as session:
            while True:
                for flag in FLAGS:
                    async with session.get(f"/v1/flags/{flag}?targeting_key=u1") as answer:
                        body = await answer.json()
                        if answer.status != 200 or body.get("reason") == "FLAG_NOT_FOUND":
                            self.wrong[f"{flag}: {answer.status} {body}"] += 1
                self.rounds += 1
                await asyncio.sleep(0.01)

    async def more(self, rounds: int = ROUNDS) -> None:
        """Wait until all flags were asked for so many times more, and none was ever missing."""
        wanted = self.rounds + rounds
        async with asyncio.timeout(WAIT_S):
            while self.rounds < wanted:
                await asyncio.sleep(0.01)
        assert not self.wrong


@asynccontextmanager
async def questions(scene: Scene) -> AsyncIterator[Questions]:
    asked = Questions(scene)
    task = asyncio.create_task(asked.run())
    try:
        yield asked
        assert not task.done(), task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass
class Database:
    """A database on the scene's PostgreSQL, and the commands that run on it."""

    scene: Scene
    url: str
    socket: Path

    def environment(self) -> dict[str, str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
        return outside | {
            "TAILSLIDE_NATS_URL": self.scene.loop.stack.endpoints.nats_url,
            "TAILSLIDE_DATABASE_URL": self.url,
            "TAILSLIDE_API_TOKEN": TOKEN,
            "TAILSLIDE_TOWER_LISTEN": f"unix:{self.socket}",
        }

    async def adopt(self) -> tuple[int, str]:
        """Run `tailslide tower adopt --yes`; return its exit status and all that it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tailslide_embedded", "tower", "adopt", "--yes"),
            env=self.environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(WAIT_S):
            said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    @asynccontextmanager
    async def tower(self) -> AsyncIterator["Tower"]:
        """Run a Tower on it, and wait until it answers."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tailslide_embedded", "tower"),
            env=self.environment(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with aiohttp.ClientSession(
                "http://tower",
                connector=aiohttp.UnixConnector(str(self.socket)),
                headers={"Authorization": f"Bearer {TOKEN}"},
            ) as session:
                tower = Tower(session)
                async with asyncio.timeout(WAIT_S):
                    while not self.socket.exists() or not await tower.answers():
                        assert process.returncode is None
                        await asyncio.sleep(0.05)
                yield tower
        finally:
            process.kill()
            await process.wait()


@dataclass
class Tower:
    session: aiohttp.ClientSession

    async def answers(self) -> bool:
        try:
            return bool((await self.ready())["ready"])
        except aiohttp.ClientConnectionError:
            return False

    async def ready(self) -> dict[str, Any]:
        async with self.session.get("/readyz") as answer:
            body: dict[str, Any] = await answer.json()
            return body

    async def post(self, path: str, body: object, **headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(f"/api/v1{path}", json=body, headers=sent) as answer:
            return answer.status

    async def until_refused(self) -> str:
        async with asyncio.timeout(WAIT_S):
            while (refusal := (await self.ready())["not_publishing"]) is None:
                await asyncio.sleep(0.05)
        return str(refusal["cause"])

    async def not_publishing(self) -> dict[str, str]:
        """Return what the dashboard's banner says."""
        async with self.session.get("/api/v1/status") as answer:
            said: dict[str, str] = (await answer.json())["not_publishing"]
            return said

    async def until_published(self) -> None:
        async with asyncio.timeout(WAIT_S):
            while not (await self.ready())["published"]:
                await asyncio.sleep(0.05)


async def make_flags(scene: Scene) -> None:
    """Make the flags that the scene does not have yet, through its Tower, and wait until the sidecar has all."""
    headers = {"Authorization": f"Bearer {scene.loop.api_token}"}
    async with aiohttp.ClientSession(scene.loop.addresses.tower, headers=headers) as session:
        for flag in FLAGS[1:]:
            body = {"key": flag, "active": True}
            async with session.post(f"/api/v1/apps/{APP}/flags", json=body) as answer:
                assert answer.status == 201, await answer.text()
    async with asyncio.timeout(WAIT_S):
        for flag in FLAGS:
            while (await scene.ask_sidecar(f"/v1/flags/{flag}?targeting_key=u1"))[0] != 200:
                await asyncio.sleep(0.05)


async def empty_database(scene: Scene, name: str) -> str:
    """Make a database of Tower's role, which cannot make one itself; return its URL."""
    admin = await asyncpg.connect(superuser_url(scene.loop.stack))
    await admin.execute(f"CREATE DATABASE {name} OWNER tower")
    await admin.close()
    return f"{scene.loop.stack.endpoints.database_url.rpartition('/')[0]}/{name}"


async def value_of(scene: Scene, flag: str) -> object:
    return (await scene.ask_sidecar(f"/v1/flags/{flag}?targeting_key=u1"))[1]["active"]


async def test_a_second_tower_takes_no_flag_away_until_its_database_is_adopted(scene: Scene, tmp_path: Path) -> None:
    await make_flags(scene)
    second = Database(scene, await empty_database(scene, "second"), tmp_path / "second.sock")
    first = Database(scene, scene.loop.stack.endpoints.database_url, tmp_path / "first.sock")
    async with questions(scene) as asked:
        await scene.kill("tower")
        async with second.tower() as tower:
            assert await tower.until_refused() == "another_database"
            told = await tower.not_publishing()
            assert (told["cause"], "tailslide tower adopt" in told["remedy"]) == ("another_database", True)
            assert "filled by another database" in told["problem"]
            await asked.more()
            assert await tower.post("/apps", {"key": APP}) == 409
            status, said = await second.adopt()
            assert (status, "this database has no apps" in said) == (1, True)
            await asked.more()

            # A circuit trips and recovers all the same.
            scene.services.new.break_down()
            await scene.until(State.OPEN)
            scene.services.new.heal()
            await scene.until(State.CLOSED)

            assert await tower.post("/apps", {"key": APP}, Tailslide_Unpublished="accept") == 201
            for flag in FLAGS:
                body = {"key": flag, "active": False}
                assert await tower.post(f"/apps/{APP}/flags", body, Tailslide_Unpublished="accept") == 201
            await asked.more()
            assert await value_of(scene, "flag-1") is True
            status, said = await second.adopt()
            assert (status, f"{len(FLAGS)} flags would be overwritten" in said) == (0, True), said
            await tower.until_published()
            async with asyncio.timeout(WAIT_S):
                while any([await value_of(scene, flag) for flag in FLAGS]):
                    await asyncio.sleep(0.05)

            await scene.start("tower")
            async with first.tower() as again:
                assert await again.until_refused() == "another_database"
                await asked.more()
                status, said = await first.adopt()
                assert status == 0, said
                await again.until_published()
            assert await tower.until_refused() == "another_database"
            async with asyncio.timeout(WAIT_S):
                while not all([await value_of(scene, flag) for flag in FLAGS]):
                    await asyncio.sleep(0.05)
            await asked.more()
