import pytest

from tailslide_embedded.environments import environment_of, published
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
    "PGSSLMODE": "require",
    "AWS_SECRET_ACCESS_KEY": "not ours",
    "TAILSLIDE_LOG_LEVEL": "debug",
    "TAILSLIDE_NATS_URL": "nats://other",
    "TAILSLIDE_UNKNOWN": "x",
}
EVERYWHERE = {"PATH", "LC_ALL", "PYTHONPATH", "TAILSLIDE_LOG_LEVEL", "TAILSLIDE_NATS_URL"}


@pytest.mark.parametrize(
    ("part", "own"),
    [
        ("tower", {"TAILSLIDE_DATABASE_URL", "TAILSLIDE_API_TOKEN", "TAILSLIDE_TOWER_LISTEN", "PGSSLMODE"}),
        ("aerobat", {"TAILSLIDE_REDIS_URL", "TAILSLIDE_AEROBAT_LISTEN"}),
        ("sidecar", {"TAILSLIDE_REDIS_URL"}),
    ],
)
def test_a_part_is_told_what_it_reads_and_nothing_else(part: str, own: set[str]) -> None:
    assert set(environment_of(part, SETTINGS, SHELL, own_user=True)) == EVERYWHERE | own
    assert set(environment_of(part, SETTINGS, SHELL)) == EVERYWHERE | own | {"HOME"}


def test_what_this_run_has_decided_wins() -> None:
    assert environment_of("sidecar", SETTINGS, SHELL)["TAILSLIDE_NATS_URL"] == "nats://n"


def test_a_sidecar_is_told_of_nats_and_redis_alone() -> None:
    told = published(ENDPOINTS, "http://t", "token")
    assert told["sidecar"] == {"TAILSLIDE_NATS_URL": "nats://n", "TAILSLIDE_REDIS_URL": "redis://r"}
    assert told["admin"] == {
        "TAILSLIDE_API_TOKEN": "token",
        "TAILSLIDE_DATABASE_URL": "postgresql+asyncpg://p",
        "TAILSLIDE_TOWER_URL": "http://t",
    }
