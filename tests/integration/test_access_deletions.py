"""Roles that are given while what they are about is deleted: either is first, and neither stands in the other's way."""

import asyncio

from access_clients import invite
from tower_bench import Tower, TowerBench, until


async def test_roles_changed_while_their_app_is_deleted_are_no_deadlock(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", "/apps", {"key": "desk"})
    await invite(tower, "editor@example.org", apps={"shop": "editor"})
    (user,) = (await tower.ok("GET", "/users"))["users"]
    async with bench.connection() as deleting, bench.connection() as looking:
        transaction = deleting.transaction()
        await transaction.start()
        await deleting.execute("SELECT key FROM apps WHERE key = 'shop' FOR UPDATE")
        change = {"apps": {"shop": "viewer", "desk": "viewer"}}
        changing = asyncio.create_task(tower.call("PATCH", f"/users/{user['id']}", change))

        async def waits() -> bool:
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1"
            return bool(await looking.fetchval(query, bench.database_url.rpartition("/")[2]))

        await until(waits)
        await deleting.execute("DELETE FROM apps WHERE key = 'shop'")
        await transaction.commit()
        answer = await changing
    assert answer.error == (400, "INVALID", "apps")
    assert (await tower.ok("GET", f"/users/{user['id']}"))["apps"] == {}
