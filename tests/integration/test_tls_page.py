"""The commands of docs/tls.md make certificates that a NATS with the page's configuration and our client agree on.

What the page says of Redis and PostgreSQL cannot be run here, since the embedded servers are built without TLS.
"""

import asyncio
import re
import shutil
from pathlib import Path

import pytest
from nats.aio.client import Client

from tailslide_embedded import wheels
from tailslide_embedded.addresses import any_free_port
from tailslide_runtime.jetstream import Link
from tailslide_runtime.server_urls import NatsUrl
from tailslide_runtime.tls import TlsFiles
from tailslide_runtime.tls_settings import TlsFileSettings
from tailslide_sidecar.settings import load_config

PAGE = (Path(__file__).parents[2] / "docs" / "tls.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
NATS_BLOCK = re.search(r"```\n(tls \{.*?)```", PAGE, re.DOTALL)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl command")
async def test_certificates_of_the_page_are_good_for_its_server(tmp_path: Path) -> None:
    assert NATS_BLOCK is not None
    assert len(COMMANDS) == 3
    for block in COMMANDS:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-e", "-c", block, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
    address = f"localhost:{any_free_port()}"
    (tmp_path / "nats.conf").write_text(f'listen: "{address}"\n{NATS_BLOCK[1]}')
    server = await asyncio.create_subprocess_exec(
        str(wheels.nats_server()), "--config", "nats.conf", cwd=tmp_path, stderr=asyncio.subprocess.DEVNULL
    )
    served = asyncio.Event()

    async def serve(client: Client) -> None:
        await client.flush()
        served.set()

    files = TlsFiles.read(tmp_path / "ca.pem", tmp_path / "client.pem", tmp_path / "client.key", str)
    try:
        async with asyncio.timeout(20):
            await Link(NatsUrl.parse(f"tls://{address}").with_files(files), "page").run(serve)
    finally:
        server.terminate()
        await server.wait()
    assert served.is_set()


def test_page_names_the_settings(tmp_path: Path) -> None:
    told = set(re.findall(r"TAILSLIDE_[A-Z_]+_FILE", PAGE))
    wanted = {f"TAILSLIDE_{name.upper()}" for name in TlsFileSettings.model_fields}
    wanted |= {"TAILSLIDE_TLS_CERT_FILE", "TAILSLIDE_TLS_KEY_FILE", "TAILSLIDE_TOWER_CA_FILE"}
    assert told == wanted


@pytest.mark.parametrize("server", ["nats", "redis"])
def test_settings_of_the_page_are_those_of_a_sidecar(server: str) -> None:
    block = re.search(rf"```\n(TAILSLIDE_{server.upper()}_URL=.*?)```", PAGE, re.DOTALL)
    assert block is not None
    environment = dict(line.split("=", 1) for line in block[1].splitlines())
    settings = load_config(None, {"TAILSLIDE_APP": "shop", **environment})
    url = settings.nats_url if server == "nats" else settings.redis_url
    assert url.tls is not None
    assert [str(file.path) for file in url.tls.files] == ["ca.pem", "client.pem", "client.key"]
