"""The compose file's commands, environment and health checks, as processes on loopback.

Containers, images and the network between them are not here. The servers of the Python index stand for those of the
images, with the file's own configuration and users; the commands of Redis' image and the health check of PostgreSQL's
are the closest that these have. Ports and host names are replaced, nothing else.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis
from compose_files import FOLDER, loaded_in
from deployed import until_healthy
from dockerfile import Config, config_of, read_stages
from real_servers import RealServers
from run_image import CHECKOUT, DOCKERFILE

from tailslide_embedded import wheels
from tailslide_embedded.addresses import LOOPBACK, any_free_port
from tailslide_runtime.auth_callout.claims import Issuer

TAILSLIDE = (sys.executable, "-P", "-m", "tailslide_embedded")
PORTS = {
    "nats": 4222,
    "redis": 6379,
    "tower": 4142,
    "aerobat-1": 4143,
    "aerobat-2": 4143,
    "sample": 9001,
    "sidecar": 4141,
}
"""Where each is asked for its health, but NATS."""
STAGES = read_stages(DOCKERFILE.read_text())
pytestmark = pytest.mark.timeout(300)


class Project:
    """The services that run, each started once what it depends on is healthy."""

    def __init__(self, folder: Path, servers: RealServers) -> None:
        self.services: dict[str, dict[str, Any]] = loaded_in(folder)["services"]
        self.ports = {name: any_free_port() for name in PORTS}
        self.proxy, self.new, self.monitoring = any_free_port(), any_free_port(), any_free_port()
        self.started: dict[str, subprocess.Popen[str]] = {}
        self._folder = folder
        self._servers = servers

    def __getitem__(self, name: str) -> dict[str, str]:
        """Return a service's environment, with where things are here in the place of where they are in containers."""
        environment = {**self._image(name).environment, **self.services[name].get("environment", {})}
        if name == "sidecar":
            # Its default, which would be the same for all tests.
            environment.setdefault("TAILSLIDE_FLAGS_LISTEN", "127.0.0.1:4141")
        return {key: self._here(name, value) for key, value in environment.items() if key.startswith("TAILSLIDE_")}

    def _image(self, name: str) -> Config:
        target = self.services[name].get("build", {}).get("target")
        return Config() if target is None else config_of(STAGES, target)

    def _here(self, name: str, text: str) -> str:
        if text.startswith("postgresql:"):
            return self._servers.endpoints.database_url
        for host in ("nats", "redis"):
            text = text.replace(f"{host}:{PORTS[host]}", f"{LOOPBACK}:{self.ports[host]}")
        own = {PORTS[name]: self.ports[name], 4140: self.proxy, 8222: self.monitoring}
        text = re.sub(r"(?:0\.0\.0\.0|127\.0\.0\.1):(\d+)", lambda match: self._address(own, match), text)
        return text.replace("/var/lib/tailslide", str(self._folder)).replace("/etc/tailslide", str(self._folder))

    @staticmethod
    def _address(own: dict[int, int], match: "re.Match[str]") -> str:
        port = int(match[1])
        return f"{LOOPBACK}:{own[port]}" if port in own else match[0]

    def up(self, name: str) -> None:
        """Start a service, and before it what it waits for."""
        # PostgreSQL is the tests' own; the pod is a network, and all are on loopback here.
        if name in self.started or name in {"postgres", "pod"}:
            return
        for needed in self.services[name].get("depends_on", {}):
            self.up(needed)
        with (self._folder / f"{name}.log").open("w") as log:
            self.started[name] = subprocess.Popen(
                [str(word) for word in self._command(name)],
                env={"PATH": os.environ["PATH"], **self._settings(name)},
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        until_healthy(lambda: self.healthy(name), self.started[name])

    def _settings(self, name: str) -> dict[str, str]:
        return self.services["nats"]["environment"] if name == "nats" else self[name] if name in PORTS else {}

    def _command(self, name: str) -> list[str | Path]:
        given: list[str] = self.services[name]["command"] or self._image(name).command
        if name == "nats":
            config = (FOLDER / "nats.conf").read_text()
            text = self._here("nats", config).replace('"/data"', json.dumps(str(self._folder / "nats")))
            (self._folder / "nats.conf").write_text(text)
            assert given[:2] == ["nats-server", "--config"]
            return [wheels.nats_server(), "--config", self._folder / "nats.conf"]
        if name == "redis":
            return self._redis(given)
        words = [self._here(name, word) for word in given]
        if name == "sample":
            words += ["--old-port", str(self.ports["sample"]), "--new-port", str(self.new)]
        if name == "sidecar":
            text = (FOLDER / "sidecar.yaml").read_text()
            text = text.replace(":9001", f":{self.ports['sample']}").replace(":9002", f":{self.new}")
            (self._folder / "sidecar.yaml").write_text(text)
        return [*TAILSLIDE, *words]

    def _redis(self, given: list[str]) -> list[str | Path]:
        process = Path(f"/proc/{self._servers.pid('redis')}")
        maps = (process / "maps").read_text().splitlines()
        module = next(line.split()[-1] for line in maps if "timeseries" in line)
        acl = self._folder / "secrets" / "redis.acl"
        data = self._folder / "redis"
        data.mkdir()
        here = {"/run/secrets/redis.acl": acl, "/data": data}
        program, *options = given
        assert program == "redis-server"
        own = ("--bind", LOOPBACK, "--port", str(self.ports["redis"]), "--loadmodule", module)
        return [(process / "exe").resolve(), *(here.get(word, word) for word in options), *own]

    def healthy(self, name: str) -> "subprocess.CompletedProcess[str]":
        """Run a service's health check."""
        test: list[str] = self.services[name].get("healthcheck", {}).get("test", [])
        if name == "redis":
            # Its image has redis-cli; the words are carried out here.
            user, password = re.findall(r"--user (\w+) --pass (\w+) ping", test[1])[0]
            return self._ping(user, password)
        words = test[1:] or self._image(name).health
        assert words, name
        words = [self._here(name, word) for word in words]
        command = [*TAILSLIDE, *words[1:]] if words[0] == "tailslide" else words
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    def _ping(self, user: str, password: str) -> "subprocess.CompletedProcess[str]":
        with redis.Redis(LOOPBACK, self.ports["redis"], username=user, password=password) as client:
            try:
                said = client.ping()
            except redis.RedisError as error:
                return subprocess.CompletedProcess([], 1, "", str(error))
        return subprocess.CompletedProcess([], 0 if said else 1, str(said), "")

    def down(self) -> None:
        """End everything, the last first."""
        for process in reversed(self.started.values()):
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def project(own_servers: RealServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("compose"), own_servers)
    try:
        for name in project.services:
            project.up(name)
        yield project
    finally:
        project.down()


async def test_a_feature_that_breaks_is_taken_out_of_use_by_what_compose_starts(project: Project) -> None:
    tower = project["tower"]
    token = {"authorization": f"Bearer {tower['TAILSLIDE_API_TOKEN']}"}
    api = f"http://{tower['TAILSLIDE_TOWER_LISTEN']}/api/v1"
    proxy = f"http://{LOOPBACK}:{project.proxy}"
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        flag = {"key": "new-checkout", "name": "New checkout", "active": True}
        async with session.post(f"{api}/apps/shop/flags", json=flag, headers=token) as response:
            assert response.status == 201, await response.text()

        async def served_by() -> str:
            async with session.get(f"{proxy}/checkout", headers={"x-user-id": "ada"}) as answer:
                assert answer.status == 200
                return str((await answer.json())["served_by"])

        while await served_by() != "new":
            await asyncio.sleep(0.05)

        async with session.post(f"{proxy}/break") as response:
            assert response.status == 200
        told: dict[str, Any] = {"flags": []}
        while not told["flags"]:
            # No caller gets an error: what the feature fails at, the old path answers.
            await served_by()
            async with session.get(f"{api}/status", headers=token) as response:
                told = await response.json()
        assert [(each["app"], each["key"]) for each in told["flags"]] == [("shop", "new-checkout")]
        assert told["troubles"] == []


def test_redis_lets_nobody_in_without_a_password_but_for_the_health_check(project: Project) -> None:
    with redis.Redis(LOOPBACK, project.ports["redis"]) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    with (
        redis.Redis(LOOPBACK, project.ports["redis"], username="health", password="none") as client,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        client.get("ts:{shop}:x")


async def test_both_aerobats_live_and_know_of_each_other(project: Project) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        for name in ("aerobat-1", "aerobat-2"):
            url = f"http://{project[name]['TAILSLIDE_AEROBAT_LISTEN']}/v1/status"
            living: list[Any] = []
            while len(living) < 2:
                async with session.get(url) as response:
                    living = (await response.json())["holders"]


def test_issuer_s_key_is_what_nats_would_make_of_its_seed(project: Project) -> None:
    seed = project["tower"]["TAILSLIDE_NATS_ISSUER_SEED"]
    assert Issuer.from_seed(seed).public_key == project.services["nats"]["environment"]["ISSUER_PUBLIC_KEY"]


def test_nats_has_the_accounts_of_the_page() -> None:
    page = re.search(r"```\n(listen: .*?)```", (CHECKOUT / "docs" / "nats.md").read_text(), re.DOTALL)
    assert page is not None
    own = (FOLDER / "nats.conf").read_text()
    assert own.partition("accounts {")[2] == page[1].partition("accounts {")[2]
