"""Which proxy meets which load, and the rounds: each proxy has its turn once a round and load, in an order that turns.

So whatever else the machine does falls on all alike. A ratio is the median, over the rounds, of the quotient within a
round, of answers per second of the proxies' own processor time.
"""

import asyncio
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from proxy_bench.drive import TimedDrive, drive
from proxy_bench.loads import HEADLINE, LOADS, Load
from proxy_bench.proxies import Proxy

WARM_UP_S = 0.1
PEERS = {"nginx": "nginx", "envoy": "envoy", "haproxy": "haproxy", "caddy": "caddy", "plain": "plain_aiohttp"}
"""Who ours is compared with, and how the ratio calls it."""
ADDED_LOAD = LOADS["get-1"]
Row = dict[str, object]


@dataclass
class Cell:
    """One proxy under one load, and what came of each round."""

    load: Load
    proxy: Proxy
    drives: list[TimedDrive] = field(default_factory=list)


@dataclass
class Comparison:
    """All cells, by the names of load and proxy."""

    cells: Mapping[tuple[str, str], Cell]

    async def measure(self, rounds: int, seconds: float) -> None:
        """Give each cell its turn in each round. A go is not interrupted; a cancellation takes effect behind it."""
        for cell in self.cells.values():
            drive(cell.proxy.target, cell.load, WARM_UP_S)
            await asyncio.sleep(0)
        by_load: dict[str, list[Cell]] = {}
        for cell in self.cells.values():
            by_load.setdefault(cell.load.name, []).append(cell)
        for number in range(rounds):
            print(f"  round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for cells in by_load.values():
                first = number % len(cells)
                for cell in (*cells[first:], *cells[:first]):
                    cell.drives.append(drive(cell.proxy.target, cell.load, seconds))
                    await asyncio.sleep(0)

    def rows(self) -> list[Row]:
        """Return a row for each cell."""
        return [self._row(cell) for cell in self.cells.values()]

    def _row(self, cell: Cell) -> Row:
        def median(value: Callable[[TimedDrive], float], digits: int | None = 1) -> float:
            return round(statistics.median(value(one) for one in cell.drives), digits)

        row: Row = {
            "load": cell.load.name,
            "proxy": cell.proxy.name,
            "rounds": len(cell.drives),
            "per_core_s": median(lambda one: one.per_core_s, None),
            "counted_per_s": median(lambda one: one.rate, None),
            "own_us": median(lambda one: one.user_s / one.answers * 1e6),
            "system_us": median(lambda one: one.system_s / one.answers * 1e6),
            "p50_us": median(lambda one: one.p50_s * 1e6),
            "p99_us": median(lambda one: one.p99_s * 1e6),
            "proxy_busy": median(lambda one: one.server_busy, 2),
            "load_busy": median(lambda one: one.load_busy, 2),
        }
        if cell.load.connections == 1 and cell.proxy.name != "direct" and (added := self._added_s(cell)):
            row["added_p50_us"] = round(statistics.median(added) * 1e6, 1)
        return row

    def _added_s(self, cell: Cell) -> list[float]:
        """Return by how much the proxy's p50 exceeds the direct one, in each round; empty without a direct one."""
        direct = self.cells.get((cell.load.name, "direct"))
        if direct is None:
            return []
        return [one.p50_s - other.p50_s for one, other in zip(cell.drives, direct.drives, strict=True)]

    def ratios(self) -> dict[str, float]:
        """Return the ratios that the cells allow; those of the headline's load have no suffix."""
        found: dict[str, float] = {}
        names = {load: cell.load for (load, _), cell in self.cells.items()}
        for load in (HEADLINE.name, *(name for name in names if name != HEADLINE.name)):
            suffix = "" if load == HEADLINE.name else f"_{load.replace('-', '_')}"
            for peer, called in PEERS.items():
                self._put(found, f"ours_vs_{called}{suffix}", (load, "ours"), (load, peer))
            self._put(found, f"flagged_vs_unflagged{suffix}", (load, "flagged"), (load, "ours"))
            self._put(found, f"flagged_vs_nginx{suffix}", (load, "flagged"), (load, "nginx"))
        for proxy in ("ours", "flagged"):
            name = "added_p50_vs_nginx" if proxy == "ours" else f"added_p50_vs_nginx_{proxy}"
            cells = [self.cells.get((ADDED_LOAD.name, one)) for one in (proxy, "nginx")]
            if cells[0] is not None and cells[1] is not None and (ours := self._added_s(cells[0])):
                quotients = [one / other for one, other in zip(ours, self._added_s(cells[1]), strict=True)]
                found[name] = round(statistics.median(quotients), 3)
        return found

    def _put(self, found: dict[str, float], name: str, over: tuple[str, str], under: tuple[str, str]) -> None:
        if over in self.cells and under in self.cells:
            pairs = zip(self.cells[over].drives, self.cells[under].drives, strict=True)
            found[name] = round(statistics.median(one.per_core_s / other.per_core_s for one, other in pairs), 3)


def plan(loads: Sequence[Load], proxies: Sequence[Proxy]) -> Comparison:
    """Return the cells of every load and proxy."""
    return Comparison({(load.name, proxy.name): Cell(load, proxy) for load in loads for proxy in proxies})


HEADER = (
    f"{'load':<8} {'proxy':<9}{'per core-s':>11}{'counted/s':>11}{'own us':>9}{'system us':>11}{'p50 us':>10}"
    f"{'p99 us':>10}{'added p50':>11}{'proxy busy':>12}{'load busy':>11}"
)


def line(row: Row) -> str:
    """Return a row of the table."""
    return (
        f"{row['load']:<8} {row['proxy']:<9}{row['per_core_s']:>11}{row['counted_per_s']:>11}{row['own_us']:>9}"
        f"{row['system_us']:>11}{row['p50_us']:>10}{row['p99_us']:>10}{row.get('added_p50_us', ''):>11}"
        f"{row['proxy_busy']:>12}{row['load_busy']:>11}"
    )
