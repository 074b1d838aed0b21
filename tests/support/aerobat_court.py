"""Aerobat's judge on twins in memory, with a clock that a test moves: no server, no sleep."""

from dataclasses import replace

from tailslide_aerobat.circuit_store import InMemoryCircuitStore
from tailslide_aerobat.flags import Flags
from tailslide_aerobat.holders import Holders
from tailslide_aerobat.judge import Judge
from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.timeseries import InMemoryTimeSeries
from tailslide_aerobat.troubles import Troubles
from tailslide_aerobat.verdicts import Verdicts
from tailslide_core.circuit import Circuit, Signal
from tailslide_core.contracts import decode_circuit
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import CircuitSettings, Recovery, Ruleset
from tailslide_runtime.bucket_watch import Entry, Listing

NOW_MS = 1_795_363_190_300
TICK_MS = 250
FLAG = FlagId("clinic", "appointments")
SETTINGS = CircuitSettings(
    recovery=Recovery(delay_ms=1_000, max_delay_ms=60_000, initial=50.0, increment=25.0, interval_ms=500)
)
RULESET = Ruleset(FLAG.app, FLAG.flag, 1, active=True, rollout=100.0, salt=FLAG.flag, circuit=SETTINGS)


class Court:
    """One Aerobat. Several of them may share a world: pass the `series` and the `store` of the first."""

    def __init__(self, series: InMemoryTimeSeries | None = None, store: InMemoryCircuitStore | None = None) -> None:
        self.series = InMemoryTimeSeries(NOW_MS) if series is None else series
        self.store = InMemoryCircuitStore() if store is None else store
        self.metrics = Metrics()
        self.flags = Flags(self.metrics)
        self.holders = Holders("alone", lambda: 0.0)
        self.troubles = Troubles(self.metrics, lambda: 0.0)
        self.judge = Judge(self.flags, self.series, self.metrics, TICK_MS, self.holders, self.troubles)
        self.verdicts = Verdicts(self.store, self.flags, self.metrics, self.troubles)
        self._ruleset_revision = 0
        self._delivered = 0

    def begin(self, *rulesets: Ruleset) -> "Court":
        """Deliver the listings: these rulesets, the circuits that the store holds, and nobody's lease but our own."""
        self.holders.take(Listing({}))
        self.holders.renewed()
        self.holders.refresh()
        entries = {}
        for ruleset in rulesets or (RULESET,):
            self._ruleset_revision += 1
            key = str(ruleset.flag_id)
            entries[key] = Entry(key, encode_ruleset(ruleset), self._ruleset_revision)
        self.flags.rulesets.take(Listing(entries))
        self.flags.circuits.take(Listing({entry.key: entry for entry in self.store.entries}))
        self._delivered = len(self.store.entries)
        return self

    def put(self, ruleset: Ruleset) -> None:
        self._take_ruleset(str(ruleset.flag_id), encode_ruleset(ruleset))

    def put_settings(self, settings: CircuitSettings | None) -> None:
        self.put(replace(RULESET, circuit=settings))

    def delete(self, flag_id: FlagId = FLAG) -> None:
        self._take_ruleset(str(flag_id), None)

    def _take_ruleset(self, key: str, value: bytes | None) -> None:
        self._ruleset_revision += 1
        self.flags.rulesets.take(Entry(key, value, self._ruleset_revision))

    def deliver(self) -> None:
        """Let the watch bring what was written meanwhile."""
        for entry in self.store.entries[self._delivered :]:
            self.flags.circuits.take(entry)
        self._delivered = len(self.store.entries)

    async def tick(self, *, success: int = 0, failure: int = 0, slow: int = 0, ms: int = TICK_MS) -> Circuit | None:
        """Let time pass, count these calls just before its end, look once; return the circuit as it is stored."""
        self.series.now_ms += ms - 1
        self.series.add(FLAG, success=success, failure=failure, slow=slow)
        self.series.now_ms += 1
        await self.judge.tick(self.verdicts)
        self.deliver()
        return self.stored()

    def stored(self, flag_id: FlagId = FLAG) -> Circuit | None:
        entry = self.store.value(flag_id)
        return None if entry is None or entry.value is None else decode_circuit(entry.value)

    def signals(self) -> list[Signal]:
        return [event.transition.signal for event in self.store.events]

    def metric(self, name: str) -> float:
        """Return one sample of the metrics, by its name with labels."""
        lines = self.metrics.text().decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"tailslide_aerobat_{name} "))
