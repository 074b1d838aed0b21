"""The bucket of rulesets on three NATS servers: a write that comes second is a conflict there, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import KeyValueConfig

from tailslide_core.naming import RULESETS_BUCKET
from tailslide_embedded import wheels
from tailslide_embedded.addresses import LOOPBACK, PortChooser
from tailslide_embedded.processes import Child, ProcessSpec
from tailslide_embedded.servers.nats import check
from tailslide_runtime.jetstream import WRONG_LAST_SEQUENCE
from tailslide_runtime.server_urls import NatsUrl
from tailslide_runtime.settings import ListenAddress
from tailslide_tower.publisher.bucket import JetStreamBucket, RevisionConflictError

NODES = 3
WAIT_S = 30.0
ATTEMPTS = 200
REPLICATED_CODE = 10164
CONFIG = """\
listen: "127.0.0.1:{port}"
server_name: "node-{node}"
jetstream {{ store_dir: "{folder}", max_memory_store: 64MB, max_file_store: 64MB }}
cluster {{ name: "tests", listen: "127.0.0.1:{route}", routes: [{routes}] }}
"""


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[str]:
    """Run three servers with JetStream; yield the URL of one, through which all is reached."""
    chooser = PortChooser()
    ports, routes = ([chooser.listen(ListenAddress(LOOPBACK, 0), "port").port for _ in range(NODES)] for _ in range(2))
    known = ", ".join(f'"nats://{LOOPBACK}:{route}"' for route in routes)
    nodes = []
    for node, (port, route) in enumerate(zip(ports, routes, strict=True)):
        config = folder / f"node-{node}.conf"
        store = folder / f"node-{node}"
        config.write_text(CONFIG.format(port=port, node=node, folder=store, route=route, routes=known))
        url = f"nats://{LOOPBACK}:{port}"
        nodes.append(
            Child(
                ProcessSpec(
                    name=f"node-{node}",
                    argv=(str(wheels.nats_server()), "--config", str(config)),
                    env={},
                    cwd=folder,
                    log=folder / f"node-{node}.log",
                    keep_open=(),
                    address=url,
                    ready=partial(check, NatsUrl.parse(url)),
                )
            )
        )
    async with AsyncExitStack() as stack:
        for child in nodes:
            stack.push_async_callback(child.stop)
        await asyncio.gather(*(child.start() for child in nodes))
        yield f"nats://{LOOPBACK}:{ports[0]}"


async def replicated_bucket(client: Client) -> None:
    """Make the bucket on all three, as soon as they have found each other."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                await client.jetstream(timeout=2).create_key_value(
                    KeyValueConfig(bucket=RULESETS_BUCKET, history=1, replicas=NODES)
                )
            except (nats.js.errors.Error, nats.errors.Error):
                await asyncio.sleep(0.1)
            else:
                return


async def test_writes_over_the_same_revision_are_conflicts_whichever_way_the_servers_put_it(tmp_path: Path) -> None:
    codes: set[int] = set()
    async with cluster(tmp_path) as url:
        client = await nats.connect(url, allow_reconnect=False)
        try:
            await replicated_bucket(client)
            bucket = JetStreamBucket(client)
            for _ in range(ATTEMPTS):
                entry = await bucket.get("shop.one")
                revision = 0 if entry is None else entry.revision
                writes = (bucket.put("shop.one", b"%d" % n, revision) for n in range(8))
                results = await asyncio.gather(*writes, return_exceptions=True)
                conflicts = [result for result in results if result is not None]
                assert len(conflicts) == 7
                for conflict in conflicts:
                    assert isinstance(conflict, RevisionConflictError), repr(conflict)
                    cause = conflict.__cause__
                    assert isinstance(cause, nats.js.errors.APIError)
                    assert cause.err_code is not None
                    codes.add(cause.err_code)
                if REPLICATED_CODE in codes:
                    break
        finally:
            await client.close()
    assert REPLICATED_CODE in codes
    assert codes <= WRONG_LAST_SEQUENCE
