"""What a question and an outcome take, against a bare HTTP request of the same language for the same answer."""

from dataclasses import asdict, dataclass

from clients_bench.drivers import Driver, percentile
from clients_bench.sidecars import FLAG, RealSidecar


@dataclass(frozen=True)
class Times:
    """Of single calls, in microseconds."""

    p50_us: float
    p99_us: float


@dataclass(frozen=True)
class Overhead:
    """All three were measured in turn, call by call."""

    language: str
    calls: int
    bare: Times
    ask: Times
    outcome: Times

    def ratios(self) -> dict[str, float]:
        """Return what a bare request is multiplied by."""
        return {
            "ask_p50": round(self.ask.p50_us / self.bare.p50_us, 3),
            "ask_p99": round(self.ask.p99_us / self.bare.p99_us, 3),
            "outcome_p50": round(self.outcome.p50_us / self.bare.p50_us, 4),
            "outcome_p99": round(self.outcome.p99_us / self.bare.p99_us, 4),
        }

    def as_json(self) -> dict[str, object]:
        return {"part": "overhead", **asdict(self)}


async def overhead(driver: Driver, sidecar: RealSidecar, calls: int) -> Overhead:
    """Measure a language; the first half of the calls warms up and is not counted."""
    await driver.open(sidecar.url)
    said = await driver.ask("overhead", flag=FLAG, calls=2 * calls)

    def times(name: str) -> Times:
        counted = said[name][calls:]
        return Times(percentile(counted, 50), percentile(counted, 99))

    return Overhead(driver.language, calls, times("bare_us"), times("ask_us"), times("outcome_us"))
