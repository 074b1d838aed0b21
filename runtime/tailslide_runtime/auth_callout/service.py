"""The auth callout as a part of Tower and of Aerobat: its settings, its connections, and its metrics.

The keys are followed by whoever composes the process, over the connection that it has anyway.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from pydantic import SecretStr

from tailslide_runtime.auth_callout.answering import Answering
from tailslide_runtime.auth_callout.claims import Issuer
from tailslide_runtime.auth_callout.evictions import Evictions
from tailslide_runtime.jetstream import Link
from tailslide_runtime.known_keys import KnownKeys
from tailslide_runtime.server_urls import NatsUrl
from tailslide_runtime.tls import NO_FILES, TlsFiles

ISSUER_SEED = "TAILSLIDE_NATS_ISSUER_SEED"
CALLOUT_URL = "TAILSLIDE_NATS_CALLOUT_URL"
SYSTEM_URL = "TAILSLIDE_NATS_SYSTEM_URL"
VARIABLES = (ISSUER_SEED, CALLOUT_URL, SYSTEM_URL)


@dataclass(frozen=True, slots=True)
class CalloutSettings:
    """What answering takes. A NATS without accounts needs none of it."""

    issuer: Issuer
    callout_url: NatsUrl = field(repr=False)
    system_url: NatsUrl = field(repr=False)

    @classmethod
    def read(
        cls,
        seed: SecretStr | None,
        callout_url: NatsUrl | None,
        system_url: NatsUrl | None,
        files: TlsFiles = NO_FILES,
    ) -> "CalloutSettings | None":
        """Return the settings, None when none is given; raise `ValueError` that names what is missing or wrong.

        `files` are those for TLS to NATS.
        """
        given = {ISSUER_SEED: seed, CALLOUT_URL: callout_url, SYSTEM_URL: system_url}
        missing = [name for name, value in given.items() if value is None]
        if len(missing) == len(given):
            return None
        if seed is None or callout_url is None or system_url is None:
            raise ValueError(f"{', '.join(VARIABLES)} belong together, and {' and '.join(missing)} has no value")
        callout_url, system_url = callout_url.with_files(files, CALLOUT_URL), system_url.with_files(files, SYSTEM_URL)
        try:
            return cls(Issuer.from_seed(seed.get_secret_value()), callout_url, system_url)
        except ValueError as problem:
            raise ValueError(f"{ISSUER_SEED}: {problem}") from None


class AuthCallout:
    """Answers who may connect, and ends connections of revoked keys, for as long as it runs."""

    def __init__(self, settings: CalloutSettings, keys: KnownKeys, process: str) -> None:
        """`process` is what the connections are called, for people who look at the server's list of them."""
        self._answering = Answering(settings.issuer, keys)
        self._evictions = Evictions(keys)
        self._callout = Link(settings.callout_url, f"{process} callout")
        self._system = Link(settings.system_url, f"{process} system")

    async def run(self) -> None:
        """Run until cancelled, whatever happens to NATS."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._callout.run(self._answering.serve))
            group.create_task(self._system.run(self._evictions.serve))

    def metrics(self, prefix: str) -> Collector:
        """Return what a process tells of it, as `<prefix>_callout_…`."""
        return _CalloutMetrics(self._answering, self._evictions, self._callout, self._system, f"{prefix}_callout")


class _CalloutMetrics(Collector):
    def __init__(self, answering: Answering, evictions: Evictions, callout: Link, system: Link, prefix: str) -> None:
        self._answering = answering
        self._evictions = evictions
        self._links = {"callout": callout, "system": system}
        self._prefix = prefix

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Give the samples of this moment."""
        answers = CounterMetricFamily(
            f"{self._prefix}_answers", "Requests of NATS's auth callout, by how they ended.", labels=["result"]
        )
        for result, number in sorted(self._answering.answers.items()):
            answers.add_metric([result], number)
        yield answers
        yield CounterMetricFamily(
            f"{self._prefix}_connections_ended", "Connections of revoked keys that were ended.", self._evictions.evicted
        )
        connected = GaugeMetricFamily(
            f"{self._prefix}_connected", "1 while there is a connection to the account.", labels=["account"]
        )
        for name, link in self._links.items():
            connected.add_metric([name], float(link.status.connected))
        yield connected
