"""A database and a bucket of the Tailslide before flags could say more than yes and no: nothing is lost or renamed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from real_servers import RealServers
from tower_bench import TowerBench, tower_bench

import tailslide_tower
from tailslide_core.flag_contracts import decode_ruleset
from tailslide_core.variants import ALL_ON, ON_OFF, ValueType
from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.auth.secret_texts import hash_of
from tailslide_tower.database import Database

FLAGS = "/apps/shop/flags"
CIRCUIT: dict[str, Any] = {
    "forced_open": False,
    "window_ms": 10_000,
    "long_window_ms": 1_800_000,
    "min_calls": 10,
    "confidence": 0.9999,
    "error_threshold": 25.0,
    "failure_statuses": ["5xx"],
    "slow_call_ms": None,
    "slow_threshold": None,
    "recovery": None,
    "local_guard": None,
}
RULES = [{"when": [{"attribute": "country", "operator": "in", "values": ["DE"]}], "rollout": 5.0}]
BEFORE: dict[str, Any] = {
    "schema": 1,
    "app": "shop",
    "key": "one",
    "version": 7,
    "active": True,
    "rollout": 25.0,
    "salt": "salt",
    "allow": ["u1"],
    "deny": ["u2"],
    "rules": RULES,
    "circuit": CIRCUIT | {"reset_generation": 3},
    "updated_at": "2026-11-22T10:00:00.000Z",
}
"""What the Tower of before has written of the flag into the bucket."""


@pytest.fixture
async def bench(own_servers: RealServers, tmp_path: Path) -> AsyncIterator[TowerBench]:
    """Yield a bench whose database is empty, so that Tower's start makes all tables."""
    async with tower_bench(own_servers, tmp_path, empty=True) as made:
        yield made


async def migrate(bench: TowerBench, revision: str, *, back: bool = False) -> None:
    """Bring the schema to a revision."""

    def step(connection: sa.Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(tailslide_tower.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        (command.downgrade if back else command.upgrade)(config, revision)

    database = Database(DatabaseUrl.parse(bench.database_url))
    try:
        async with database.begin() as connection:
            await connection.run_sync(step)
    finally:
        await database.close()


async def fill(bench: TowerBench) -> None:
    """Make the database of before, with a flag and a deleted one."""
    await migrate(bench, "0002")
    async with bench.connection() as connection:
        await connection.execute("INSERT INTO apps VALUES ('shop', 'Shop', now(), now())")
        await connection.execute(
            "INSERT INTO flags VALUES ('shop', 'one', 'The first', true, 25, 'salt', '[\"u1\"]', '[\"u2\"]', "
            "$1::text::jsonb, $2::text::jsonb, 3, 7, '2026-11-20T10:00:00Z', '2026-11-22T10:00:00Z')",
            orjson.dumps(RULES).decode(),
            orjson.dumps(CIRCUIT).decode(),
        )
        await connection.execute("INSERT INTO deleted_flags VALUES ('shop', 'gone', 2, 5)")


async def test_a_flag_of_before_stays_what_it_was(bench: TowerBench) -> None:
    await fill(bench)
    async with bench.tower() as tower:
        flag = await tower.ok("GET", f"{FLAGS}/one")
        assert {name: flag[name] for name in BEFORE if name != "schema"} == {
            name: value for name, value in BEFORE.items() if name != "schema"
        }
        assert (flag["description"], flag["created_at"]) == ("The first", "2026-11-20T10:00:00.000Z")
        assert (flag["type"], flag["variants"], flag["off_variant"]) == ("boolean", {"on": True, "off": False}, "off")
        assert (flag["requires"], flag["metadata"], flag["bucket_by"]) == ([], {}, None)
        assert (await tower.ok("POST", FLAGS, {"key": "gone"}))["version"] == 6
        changed = await tower.ok("PATCH", f"{FLAGS}/one", {"metadata": {"ticket": "SHOP-12"}})
        assert (changed["version"], changed["rollout"]) == (8, 25.0)


async def test_a_ruleset_of_before_is_written_anew_at_the_same_version(bench: TowerBench) -> None:
    await fill(bench)
    await bench.put("rulesets", "shop.one", orjson.dumps(BEFORE))
    async with bench.tower() as tower:
        await tower.until_published()
        value = (await bench.entries())["shop.one"].value
        assert value is not None
        assert orjson.loads(value) == BEFORE | {"schema": 2}
        ruleset = decode_ruleset(value)
        assert ruleset == decode_ruleset(orjson.dumps(BEFORE))
        assert (ruleset.type, ruleset.variants, ruleset.split) == (ValueType.BOOLEAN, ON_OFF, ALL_ON)
        ready = (await tower.call("GET", "/readyz")).body
        assert (ready["published"], ready["left_alone"]["newer_in_bucket"]["count"]) == (True, 0)


async def test_the_schema_goes_back_with_the_flags_of_before(bench: TowerBench) -> None:
    await fill(bench)
    await migrate(bench, "head")
    await migrate(bench, "0002", back=True)
    async with bench.connection() as connection:
        assert await connection.fetchval("SELECT rollout FROM flags") == 25.0
        columns = await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'flags' ORDER BY ordinal_position"
        )
    assert [column[0] for column in columns][-5:] == [
        "circuit",
        "reset_generation",
        "version",
        "created_at",
        "updated_at",
    ]
    async with bench.tower() as tower:
        assert (await tower.ok("GET", f"{FLAGS}/one"))["version"] == 7


async def test_api_tokens_of_before_go_on_with_the_rights_that_they_had(bench: TowerBench) -> None:
    await migrate(bench, "0003")
    environment, named = "another-token-for-the-tests", "a-token-that-the-database-has"
    for name, token in (("environment", environment), ("of-a-person", named)):
        await bench.sql(f"INSERT INTO api_tokens VALUES ('{name}', '{hash_of(token)}', now())")
    async with bench.tower(None) as tower:
        # What was stored of an environment has been no token for long.
        for token, status in ((environment, 401), (named, 200)):
            assert (await tower.call("GET", "/users", Authorization=f"Bearer {token}")).status == status
        listed = await tower.call("GET", "/tokens", Authorization=f"Bearer {named}")
        assert [(kept["name"], kept["role"], kept["owner"]) for kept in listed.body["tokens"]] == [
            ("of-a-person", "admin", None)
        ]
    await migrate(bench, "0004", back=True)
    async with bench.connection() as connection:
        assert await connection.fetchval("SELECT token_hash FROM api_tokens") == hash_of(named)
