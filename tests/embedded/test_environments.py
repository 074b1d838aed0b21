import pytest

from tailslide_embedded.environments import environment_of, published
from tailslide_embedded.servers.nats import NatsAccess
from tailslide_embedded.stack import Endpoints

ENDPOINTS = Endpoints("nats://n", "redis://r", "postgresql+asyncpg://p", frozenset())
SETTINGS = ENDPOINTS.environment() | {
    "TAILSLIDE_API_TOKEN": "token",
    "TAILSLIDE_TOWER_LISTEN": "t:1",
    "TAILSLIDE_AEROBAT_LISTEN": "a:1",
}
SHELL = {
    "PATH": "/bin",
    "HOME": "/somewhere/one",
    "LC_ALL": "C",
    "PYTHONPATH": "/lib",
    "OTEL_EXPORTER_OTLP_HEADERS": "key=secret",
    "TAILSLIDE_TRACES_URL": "http://127.0.0.1:4318",
    "PGSSLMODE": "require",
    "AWS_SECRET_ACCESS_KEY": "not ours",
    "TAILSLIDE_LOG_LEVEL": "debug",
    "TAILSLIDE_NATS_URL": "nats://other",
    "TAILSLIDE_UNKNOWN": "x",
}
EVERYWHERE = {
    "PATH",
    "LC_ALL",
    "PYTHONPATH",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "TAILSLIDE_TRACES_URL",
    "TAILSLIDE_LOG_LEVEL",
    "TAILSLIDE_NATS_URL",
}


@pytest.mark.parametrize(
    ("part", "own"),
    [
        (
            "tower",
            {
                "TAILSLIDE_DATABASE_URL",
                "TAILSLIDE_REDIS_URL",
                "TAILSLIDE_API_TOKEN",
                "TAILSLIDE_TOWER_LISTEN",
                "PGSSLMODE",
            },
        ),
        ("aerobat", {"TAILSLIDE_REDIS_URL", "TAILSLIDE_AEROBAT_LISTEN"}),
        ("sidecar", {"TAILSLIDE_REDIS_URL"}),
    ],
)
def test_a_part_is_told_what_it_reads_and_nothing_else(part: str, own: set[str]) -> None:
    assert set(environment_of(part, SETTINGS, SHELL, own_user=True)) == EVERYWHERE | own
    assert set(environment_of(part, SETTINGS, SHELL)) == EVERYWHERE | own | {"HOME"}


def test_what_this_run_has_decided_wins() -> None:
    assert environment_of("sidecar", SETTINGS, SHELL)["TAILSLIDE_NATS_URL"] == "nats://n"


def test_a_sidecar_of_servers_without_keys_is_told_of_nats_and_redis_alone() -> None:
    told = published(ENDPOINTS, "http://t", "token")
    assert told["sidecar"] == {"TAILSLIDE_NATS_URL": "nats://n", "TAILSLIDE_REDIS_URL": "redis://r"}
    assert told["admin"] == {
        "TAILSLIDE_API_TOKEN": "token",
        "TAILSLIDE_DATABASE_URL": "postgresql+asyncpg://p",
        "TAILSLIDE_NATS_URL": "nats://n",
        "TAILSLIDE_REDIS_URL": "redis://r",
        "TAILSLIDE_TOWER_URL": "http://t",
    }


def test_a_sidecar_with_a_key_is_told_addresses_alone_and_each_part_of_its_own_user() -> None:
    access = NatsAccess("nats://tower:x@n:1", "nats://aerobat:x@n:1", "nats://callout:x@n:1", "nats://sys:x@n:1", "SA")
    endpoints = Endpoints("nats://admin:x@n:1", "redis://:x@r:1", "postgresql://p", frozenset(), access, sdk_keys=True)
    told = published(endpoints, "http://t", "token")
    assert told["sidecar"] == {"TAILSLIDE_NATS_URL": "nats://n:1", "TAILSLIDE_REDIS_URL": "redis://r:1/0"}
    assert told["admin"]["TAILSLIDE_NATS_URL"] == "nats://tower:x@n:1"
    assert "TAILSLIDE_NATS_ISSUER_SEED" not in told["admin"]
    for part in ("tower", "aerobat"):
        settings = endpoints.environment_of(part)
        assert settings["TAILSLIDE_NATS_URL"] == f"nats://{part}:x@n:1"
        assert settings["TAILSLIDE_NATS_SYSTEM_URL"] == "nats://sys:x@n:1"
