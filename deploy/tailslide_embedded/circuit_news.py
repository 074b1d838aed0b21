"""What circuits do, as sentences, for the terminal of `tailslide up`: that one opened, why, and what comes next.

Reads the same buckets as the sidecars. While NATS is away nothing is told; what has come of it is told afterwards.
"""

import time
from collections.abc import Callable

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError
from nats.js.kv import KeyValue

from tailslide_core.contracts import decode_circuit
from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import decode_ruleset
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, FlagId
from tailslide_core.ruleset import Ruleset
from tailslide_core.seen_circuits import SeenCircuits
from tailslide_core.sentences.transitions import transition_in_words
from tailslide_runtime.bucket_watch import Entry, Listing, watch_bucket
from tailslide_runtime.jetstream import Link
from tailslide_runtime.server_urls import NatsUrl


class CircuitNews:
    """Follows all circuits and hands on a line for each that moves."""

    def __init__(
        self, nats_url: NatsUrl, tell: Callable[[str], None], *, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives Unix time in seconds."""
        self._link = Link(nats_url, name="circuit-news")
        self._tell = tell
        self._clock = clock
        self._seen = SeenCircuits()

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._link.run(self._read)

    async def _read(self, client: Client) -> None:
        async for item in watch_bucket(client, CIRCUITS_BUCKET, ">"):
            for entry in item.entries.values() if isinstance(item, Listing) else [item]:
                await self._take(client, entry)

    async def _take(self, client: Client, entry: Entry) -> None:
        try:
            flag_id = FlagId.parse(entry.key)
            circuit = None if entry.value is None else decode_circuit(entry.value)
        except ContractError:
            return  # Aerobat logs it, and replaces it
        transition = self._seen.saw(entry.key, circuit)
        if transition is None:
            return
        ruleset = await self._ruleset(client, flag_id)
        words = transition_in_words(transition, str(flag_id), ruleset)
        now_ms = round(self._clock() * 1000)
        self._tell(f"{time.strftime('%H:%M:%S UTC', time.gmtime(now_ms / 1000))}  {words.news(now_ms)}")

    async def _ruleset(self, client: Client, flag_id: FlagId) -> Ruleset | None:
        """Return the flag's ruleset, which only adds to the words; None where it cannot be had."""
        try:
            bucket: KeyValue = await client.jetstream().key_value(RULESETS_BUCKET)
            value = (await bucket.get(str(flag_id))).value
            return None if value is None else decode_ruleset(value)
        except (NatsError, JetStreamError, ContractError, TimeoutError):
            return None
