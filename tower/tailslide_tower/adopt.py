"""`tailslide tower adopt`: says what taking the bucket over would change, asks, and does it.

How the question is put to a person is the command line's business.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from nats.aio.client import Client

from tailslide_runtime.errors import StartError
from tailslide_runtime.jetstream import Link
from tailslide_runtime.logs import LogLevel, configure
from tailslide_runtime.settings import load
from tailslide_tower.database import Database, DatabaseUnavailableError
from tailslide_tower.publisher.adoption import NotAdoptedError, Plan, adopt, plan_adoption
from tailslide_tower.publisher.bucket import Bucket, BucketError, JetStreamBucket
from tailslide_tower.publisher.store import DatabaseRulesets
from tailslide_tower.settings import TowerSettings

CONNECT_WITHIN_S = 10.0

Result = TypeVar("Result")


def run(tell: Callable[[str], None], confirmed: Callable[[], bool]) -> int:
    """Take the bucket over, configured as Tower is; return the exit status: 1 when it was not confirmed.

    `tell` is handed what would change, and later what was done, a line at a time. Raises `StartError`.
    """
    settings = load(TowerSettings)
    configure("tower-adopt", LogLevel.WARNING, settings.log_format)
    # In two runs, since a connection would not outlast the time that a person takes to decide.
    plan = asyncio.run(_planned(settings))
    _say(plan.describe(), tell)
    if plan.is_settled:
        tell("There is nothing to adopt: a running Tower makes the bucket equal by itself.")
        return 0
    if not plan.has_apps:
        raise StartError(
            "this database has no apps, so no bucket is handed to it: make its flags first; where Tower refuses that, "
            "it takes changes with the header Tailslide-Unpublished: accept"
        )
    if not confirmed():
        tell("Nothing was changed.")
        return 1
    asyncio.run(_carry_out(settings, plan))
    tell("The bucket is filled by this database now; Towers on any other publish nothing to it any more.")
    return 0


def _say(lines: Sequence[str], tell: Callable[[str], None]) -> None:
    for line in lines:
        tell(line)


async def _planned(settings: TowerSettings) -> Plan:
    async def work(bucket: Bucket, database: Database) -> Plan:
        return await plan_adoption(bucket, DatabaseRulesets(database))

    return await _with_both(settings, work)


async def _carry_out(settings: TowerSettings, confirmed: Plan) -> None:
    async def work(bucket: Bucket, database: Database) -> None:
        plan = await plan_adoption(bucket, DatabaseRulesets(database))
        if not plan.changes_as(confirmed):
            raise StartError("the bucket or the database has changed meanwhile; run `tailslide tower adopt` again")
        await adopt(plan, bucket, database)

    await _with_both(settings, work)


async def _with_both(settings: TowerSettings, work: Callable[[Bucket, Database], Awaitable[Result]]) -> Result:
    """Work with the bucket and the database, once."""
    database = Database(settings.database_url)
    try:
        await database.prepare()
        return await _with_bucket(settings, lambda bucket: work(bucket, database))
    except (NotAdoptedError, BucketError, DatabaseUnavailableError) as error:
        raise StartError(str(error)) from error
    finally:
        await database.close()


async def _with_bucket(settings: TowerSettings, work: Callable[[Bucket], Awaitable[Result]]) -> Result:
    url = settings.nats_server
    link = Link(url, name="tower-adopt", token=settings.nats_token)
    connected = asyncio.Event()
    results: list[Result] = []

    async def serve(client: Client) -> None:
        if connected.is_set():
            raise StartError("the connection to NATS was lost on the way; run `tailslide tower adopt` again")
        connected.set()
        results.append(await work(JetStreamBucket(client)))

    running = asyncio.create_task(link.run(serve))
    connecting = asyncio.create_task(connected.wait())
    try:
        await asyncio.wait({running, connecting}, timeout=CONNECT_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if not connected.is_set() and not running.done():
            raise StartError(
                f"TAILSLIDE_NATS_URL: no NATS could be used at {url} within {CONNECT_WITHIN_S:g} s, so nothing was "
                f'changed; start it, or set the URL that Tower has (that of `tailslide up`: eval "$(tailslide env)")'
            )
        await running
        return results[0]
    finally:
        for task in (running, connecting):
            task.cancel()
        await asyncio.gather(running, connecting, return_exceptions=True)
