"""Roles and invitations that are given or used at the same time as others: one is first, and nobody is in the way."""

import asyncio

from access_clients import PASSWORD, Browser, invite, secret_of
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


async def test_invitations_of_one_person_at_once_leave_one(tower: Tower) -> None:
    body = {"email": "new@example.org", "role": "viewer"}
    answers = await asyncio.gather(*(tower.call("POST", "/invitations", body) for _ in range(8)))
    assert {answer.status for answer in answers} == {201}
    (left,) = (await tower.ok("GET", "/invitations"))["invitations"]
    used = [
        await Browser(tower).call(
            "POST", "/session/invitation", {"secret": secret_of(answer.body["url"]), "password": PASSWORD}
        )
        for answer in answers
    ]
    assert sorted(answer.status for answer in used) == [201] + [401] * 7
    assert [answer.body["id"] for answer, one in zip(answers, used, strict=True) if one.status == 201] == [left["id"]]


async def test_link_that_is_used_at_once_lets_in_one(tower: Tower) -> None:
    invitation = await tower.ok("POST", "/invitations", {"email": "new@example.org", "role": "viewer"})
    viewer = await tower.ok("POST", "/links", {"name": "board"})
    for path, body in (
        ("/session/invitation", {"secret": secret_of(invitation["url"]), "password": PASSWORD}),
        ("/session/link", {"secret": secret_of(viewer["url"])}),
    ):
        answers = await asyncio.gather(*(Browser(tower).call("POST", path, body) for _ in range(6)))
        assert sorted(answer.status for answer in answers) == [201] + [401] * 5
