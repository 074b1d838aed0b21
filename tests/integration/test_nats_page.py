"""The configuration on docs/nats.md is that of a server which lets sidecars in, and says what the embedded one says."""

import asyncio
import os
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import nats
import nats.errors
import nats.js.errors
import pytest
from callout_stage import administrator, answering, intruding, new_key, publish_key, revoke_key
from nats.aio.client import Client
from tower_bench import until

from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET
from tailslide_core.sdk_keys import SdkKey
from tailslide_core.sidecar_access import exports, imports
from tailslide_embedded import wheels
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.processes import Child, NotReadyError, ProcessSpec
from tailslide_embedded.servers.nats import AEROBAT_PUBLISHES, SYSTEM_PUBLISHES, TOWER_PUBLISHES, NatsAccess
from tailslide_embedded.stack import Endpoints
from tailslide_runtime.auth_callout.claims import Issuer, new_seed
from tailslide_runtime.jetstream import ensure_bucket

PAGE = (Path(__file__).parents[2] / "docs" / "nats.md").read_text(encoding="utf-8")
CONFIG = re.search(r"```\n(listen: .*?)```", PAGE, re.DOTALL)
SUBJECT = re.compile(r'"([^" ]+)"')


def subjects_of(user: str) -> set[str]:
    """Return the subjects that a user of the page's configuration may publish to."""
    assert CONFIG is not None
    found = re.search(rf"user: {user},.*?publish: \[(.*?)\]", CONFIG[1], re.DOTALL)
    assert found is not None
    return set(SUBJECT.findall(found[1]))


def test_page_grants_what_the_embedded_server_grants() -> None:
    assert CONFIG is not None
    assert subjects_of("tower") == set(TOWER_PUBLISHES)
    assert subjects_of("aerobat") == set(AEROBAT_PUBLISHES)
    assert subjects_of("system") == set(SYSTEM_PUBLISHES)
    crossing = re.search(r"exports: \[(.*?)\n    \].*imports: \[(.*?)\n    \]", CONFIG[1], re.DOTALL)
    assert crossing is not None
    assert SUBJECT.findall(crossing[1]) == [subject for export in exports() for subject in export.values()]
    assert set(SUBJECT.findall(crossing[2])) == set(SUBJECT.findall(str(imports("TS")).replace("'", '"'))) - {
        *("service", "stream", "account", "subject", "to", "TS")
    }


@dataclass(frozen=True)
class PageServers:
    """Servers with the page's configuration: one, or a cluster."""

    endpoints: Endpoints
    ports: tuple[int, ...]


@asynccontextmanager
async def page_servers(folder: Path, number: int) -> AsyncIterator[PageServers]:
    assert CONFIG is not None
    ports, routes = [any_free_port() for _ in range(number)], [any_free_port() for _ in range(number)]
    seed = new_seed(secrets.token_bytes(32))
    passwords = {user: secrets.token_urlsafe(12) for user in ("tower", "aerobat", "callout", "system")}
    environment = {f"{user.upper()}_PASSWORD": password for user, password in passwords.items()}
    environment |= {**os.environ, "ISSUER_PUBLIC_KEY": Issuer.from_seed(seed).public_key}
    urls = {user: f"nats://{user}:{password}@127.0.0.1:{ports[0]}" for user, password in passwords.items()}
    servers = []
    for index, port in enumerate(ports):
        own = folder / str(index)
        own.mkdir()
        config = CONFIG[1].replace("0.0.0.0:4222", f"127.0.0.1:{port}").replace("/var/lib/nats", str(own))
        if number > 1:
            others = ", ".join(f'"nats://127.0.0.1:{route}"' for route in routes)
            config += (
                f'server_name: s{index}\ncluster {{ name: c, listen: "127.0.0.1:{routes[index]}", routes: [{others}] }}'
            )
        (own / "nats.conf").write_text(config)
        url = urls["tower"].replace(f":{ports[0]}", f":{port}")
        servers.append(
            Child(
                ProcessSpec(
                    name=f"NATS {index}",
                    argv=(str(wheels.nats_server()), "--config", "nats.conf"),
                    env=environment,
                    cwd=own,
                    log=own / "nats.log",
                    address=f"127.0.0.1:{port}",
                    ready=partial(serves_streams, url),
                )
            )
        )
    try:
        await asyncio.gather(*(server.start() for server in servers))
        access = NatsAccess(urls["tower"], urls["aerobat"], urls["callout"], urls["system"], seed)
        yield PageServers(Endpoints(urls["tower"], "", "", frozenset(), access, sdk_keys=True), tuple(ports))
    finally:
        for server in servers:
            await server.stop()


async def serves_streams(url: str) -> None:
    client = Client()
    try:
        await client.connect(url, allow_reconnect=False)
        await client.jetstream().account_info()
    except (nats.errors.Error, nats.js.errors.Error, OSError) as error:
        raise NotReadyError(str(error)) from error
    finally:
        await client.close()


async def reads(servers: Endpoints, key: SdkKey) -> bool:
    try:
        async with intruding(servers, key) as sidecar:
            return await sidecar.create_consumer(RULESETS_BUCKET, "shop") == "created"
    except (nats.errors.Error, OSError):
        return False


async def test_server_with_the_pages_configuration_lets_sidecars_in(tmp_path: Path) -> None:
    async with page_servers(tmp_path, 1) as servers, administrator(servers.endpoints) as tower:
        key = new_key("shop")
        await publish_key(tower, key)
        await ensure_bucket(tower, RULESETS_BUCKET)
        assert servers.endpoints.nats_access is not None
        aerobat = await nats.connect(servers.endpoints.nats_access.aerobat_url)
        await ensure_bucket(aerobat, CIRCUITS_BUCKET)
        await aerobat.close()
        async with answering(servers.endpoints):
            await until(lambda: reads(servers.endpoints, key))


async def test_key_is_let_in_and_out_at_every_server_of_a_cluster(tmp_path: Path) -> None:
    async with page_servers(tmp_path, 3) as servers, administrator(servers.endpoints) as tower:
        key = new_key("shop")
        await publish_key(tower, key)
        await ensure_bucket(tower, RULESETS_BUCKET)
        async with answering(servers.endpoints), AsyncExitStack() as connections:
            await until(lambda: reads(servers.endpoints, key))
            sidecars = []
            for port in servers.ports:
                there = replace(servers.endpoints, nats_url=f"nats://127.0.0.1:{port}")
                await until(lambda there=there: reads(there, key))  # type: ignore[misc] # of the loop
                sidecars.append(await connections.enter_async_context(intruding(there, key)))
            began = time.monotonic()
            await revoke_key(tower, key)

            async def ended() -> bool:
                return all(sidecar.client.is_closed for sidecar in sidecars)

            await until(ended)
            assert time.monotonic() - began < 5


@pytest.mark.parametrize("variable", ["TAILSLIDE_NATS_ISSUER_SEED", "TAILSLIDE_NATS_CALLOUT_URL", "TAILSLIDE_SDK_KEY"])
def test_page_names_the_settings(variable: str) -> None:
    assert f"`{variable}`" in PAGE
