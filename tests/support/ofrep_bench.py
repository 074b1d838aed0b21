"""A sidecar with a few telling flags, as OpenFeature's clients and raw requests find it. Its buckets are the test's.

These are boolean; flags of every type are in `typed_flags`.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
import nats
from sidecar_bench import FLAG, Bench, Sidecar

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import encode_circuit
from tailslide_core.flag_contracts import encode_ruleset, encode_segment
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_core.segment import Segment
from tailslide_embedded.addresses import any_free_port
from tailslide_runtime.jetstream import ensure_bucket

EVERYBODY = "everybody"
NOBODY = "nobody"
HALF = "half"
TRIPPED = FLAG
FLAGS = (TRIPPED, EVERYBODY, HALF, NOBODY)
"""In the order of the bulk answer."""

ALLOWED = "amy"
DENIED = "dan"
"""Of the flag `half`."""

OPEN = Circuit(State.OPEN, 0.0, trips=1, generation=1)


@dataclass(frozen=True)
class OfrepSidecar:
    """A running sidecar and where it is found."""

    bench: Bench
    sidecar: Sidecar
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def restart(self) -> "OfrepSidecar":
        """Start another sidecar in the place of one that has ended."""
        return await serve(self.bench, self.port)


def ruleset(bench: Bench, flag: str) -> Ruleset:
    """Return the ruleset of one of the flags, as it is at the beginning."""
    everybody = Ruleset(bench.app, flag, 1, active=True, rollout=100.0, salt=flag)
    if flag == NOBODY:
        return replace(everybody, active=False)
    if flag == HALF:
        return replace(everybody, rollout=50.0, allow=frozenset({ALLOWED}), deny=frozenset({DENIED}))
    return replace(everybody, circuit=CircuitSettings()) if flag == TRIPPED else everybody


async def put(bench: Bench, changed: Ruleset) -> None:
    """Publish a ruleset, whichever flag it is of."""
    await bench.put_raw(RULESETS_BUCKET, str(changed.flag_id), encode_ruleset(changed))


async def put_all(
    bench: Bench, rulesets: Iterable[Ruleset], circuits: Mapping[str, Circuit], segments: Iterable[Segment] = ()
) -> None:
    """Publish many rulesets, circuits by flag, and segments, over one connection."""
    client = await nats.connect(bench.nats_url)
    try:
        for bucket, values in (
            (
                CIRCUITS_BUCKET,
                {str(bench.flag_id(flag)): encode_circuit(circuit) for flag, circuit in circuits.items()},
            ),
            (RULESETS_BUCKET, {str(segment.segment_id): encode_segment(segment) for segment in segments}),
            (RULESETS_BUCKET, {str(ruleset.flag_id): encode_ruleset(ruleset) for ruleset in rulesets}),
        ):
            await ensure_bucket(client, bucket)
            kv = await client.jetstream().key_value(bucket)
            for key, value in values.items():
                await kv.put(key, value)
    finally:
        await client.close()


async def put_flags(bench: Bench) -> None:
    """Publish all the flags; the circuit of `TRIPPED` is open."""
    await bench.put_circuit(OPEN)
    for flag in FLAGS:
        await put(bench, ruleset(bench, flag))


async def serve(bench: Bench, port: int, *, ready: bool = True, token: str | None = None) -> OfrepSidecar:
    """Start a sidecar at this port and wait until it is ready or, if it is not to be, until it answers."""
    sidecar = await bench.start(flags_listen=f"127.0.0.1:{port}", flags_token=token)
    served = OfrepSidecar(bench, sidecar, port)

    async with aiohttp.ClientSession() as session:

        async def answers() -> bool:
            try:
                async with session.get(f"{served.url}/readyz") as answer:
                    return answer.status == 200 or not ready
            except aiohttp.ClientConnectionError:
                return False

        await sidecar.until(answers)
    return served


@asynccontextmanager
async def serving(bench: Bench, token: str | None = None) -> AsyncIterator[OfrepSidecar]:
    """Run a sidecar with all the flags; the bench ends it."""
    await put_flags(bench)
    yield await serve(bench, any_free_port(), token=token)
