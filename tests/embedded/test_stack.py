"""URLs of one's own servers. That such servers are used: see `tests/integration/test_embedded_servers.py`."""

from pathlib import Path

import nats.errors
import pytest

from tailslide_embedded.processes import ProcessSpec
from tailslide_embedded.servers import EmbeddedServer, reason
from tailslide_embedded.stack import Endpoints, embedded_servers
from tailslide_runtime.errors import StartError


@pytest.mark.parametrize("variable", ["TAILSLIDE_NATS_URL", "TAILSLIDE_REDIS_URL", "TAILSLIDE_DATABASE_URL"])
async def test_a_url_that_is_none_is_one_sentence_before_anything_starts(tmp_path: Path, variable: str) -> None:
    with pytest.raises(StartError) as error:
        async with embedded_servers(tmp_path / "data", environ={variable: "http://geheim@h"}):
            pass
    assert str(error.value).startswith(f"{variable}: expected a URL like ")
    assert "geheim" not in str(error.value)
    assert not list((tmp_path / "data").glob("*/*"))


def test_a_reason_is_without_the_name_and_the_quotes_of_the_driver() -> None:
    assert reason(nats.errors.Error("nats: 'Authorization Violation'")) == "Authorization Violation"


def test_nothing_shows_credentials_in_a_debugger(tmp_path: Path) -> None:
    endpoints = Endpoints("nats://geheim@h", "redis://:geheim@h", "postgresql://u:geheim@h", frozenset({"nats"}))
    assert repr(endpoints) == "Endpoints(embedded=frozenset({'nats'}))"

    async def ready() -> None:
        pass

    env = endpoints.environment()
    spec = ProcessSpec(name="x", argv=(), env=env, cwd=tmp_path, log=tmp_path / "log", address="h", ready=ready)
    assert "geheim" not in repr(EmbeddedServer(endpoints.nats_url, spec))
