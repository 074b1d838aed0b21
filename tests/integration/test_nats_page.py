"""The configuration on docs/nats.md is that of a server which lets sidecars in, and says what the embedded one says."""

import os
import re
import secrets
from pathlib import Path

import nats
import pytest
from callout_stage import administrator, answering, intruding, new_key, publish_key
from nats.aio.client import Client
from tower_bench import until

from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET
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


async def test_server_with_the_pages_configuration_lets_sidecars_in(tmp_path: Path) -> None:
    assert CONFIG is not None
    port, seed = any_free_port(), new_seed(secrets.token_bytes(32))
    config = CONFIG[1].replace("0.0.0.0:4222", f"127.0.0.1:{port}").replace("/var/lib/nats", str(tmp_path))
    (tmp_path / "nats.conf").write_text(config)
    passwords = {user: secrets.token_urlsafe(12) for user in ("tower", "aerobat", "callout", "system")}
    environment = {f"{user.upper()}_PASSWORD": password for user, password in passwords.items()}
    urls = {user: f"nats://{user}:{password}@127.0.0.1:{port}" for user, password in passwords.items()}

    async def ready() -> None:
        client = Client()
        try:
            await client.connect(urls["tower"], allow_reconnect=False)
        except (nats.errors.Error, OSError) as error:
            raise NotReadyError(str(error)) from error
        finally:
            await client.close()

    server = Child(
        ProcessSpec(
            name="NATS",
            argv=(str(wheels.nats_server()), "--config", "nats.conf"),
            env={**os.environ, **environment, "ISSUER_PUBLIC_KEY": Issuer.from_seed(seed).public_key},
            cwd=tmp_path,
            log=tmp_path / "nats.log",
            address=f"127.0.0.1:{port}",
            ready=ready,
        )
    )
    await server.start()
    try:
        access = NatsAccess(urls["tower"], urls["aerobat"], urls["callout"], urls["system"], seed)
        # What Tower and Aerobat each make.
        endpoints = Endpoints(urls["tower"], "", "", frozenset(), access, sdk_keys=True)
        async with administrator(endpoints) as tower:
            key = new_key("shop")
            await publish_key(tower, key)
            await ensure_bucket(tower, RULESETS_BUCKET)
            client = await nats.connect(urls["aerobat"])
            await ensure_bucket(client, CIRCUITS_BUCKET)
            await client.close()
            async with answering(endpoints):

                async def reads() -> bool:
                    try:
                        async with intruding(endpoints, key) as sidecar:
                            return await sidecar.create_consumer(RULESETS_BUCKET, "shop") == "created"
                    except (nats.errors.Error, OSError):
                        return False

                await until(reads)
    finally:
        await server.stop()


@pytest.mark.parametrize("variable", ["TAILSLIDE_NATS_ISSUER_SEED", "TAILSLIDE_NATS_CALLOUT_URL", "TAILSLIDE_SDK_KEY"])
def test_page_names_the_settings(variable: str) -> None:
    assert f"`{variable}`" in PAGE
