"""The buckets of a graph, and which copies of the series they are read from. Pure.

A graph has buckets of one width, aligned to multiples of it since 1970, so that two graphs of the same width have the
same buckets, and a bucket is the same however far a range reaches. Series are kept raw for an hour, and as sums of ten
seconds and of a minute for longer (`tailslide_core.naming.RESOLUTIONS`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tailslide_core.errors import ContractError
from tailslide_core.naming import RAW_RETENTION_MS, Resolution

MAX_POINTS = 1_500
"""Buckets of one graph."""
FINEST_MS = 250
"""As fine as circuits are judged."""
COARSEST_MS = 86_400_000
RAW_PIECE_MS = 300_000
"""So much of a raw series is read with one command: Redis does nothing else meanwhile, and a series that many sidecars
write has a thousand samples a second."""

RANGES: Mapping[str, tuple[int, int]] = {
    "1m": (60_000, 1_000),
    "5m": (300_000, 1_000),
    "1h": (3_600_000, 10_000),
    "24h": (86_400_000, 60_000),
    "7d": (7 * 86_400_000, 600_000),
    "30d": (30 * 86_400_000, 3_600_000),
}
"""Ranges that end now: their lengths and the widths of their buckets, in milliseconds."""

_NICE_MS = (1_000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000)
"""Widths of buckets that are chosen where none is asked for."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The buckets of a graph: `points` of them, of `bucket_ms`, the first beginning at `start_ms`."""

    start_ms: int
    bucket_ms: int
    points: int

    @property
    def end_ms(self) -> int:
        """Return where the last bucket ends; that may lie ahead."""
        return self.start_ms + self.bucket_ms * self.points

    def times(self) -> list[int]:
        """Return when each bucket begins."""
        return list(range(self.start_ms, self.end_ms, self.bucket_ms))

    @classmethod
    def over(cls, from_ms: int, to_ms: int, bucket_ms: int) -> "Grid":
        """Return the buckets that hold the time from `from_ms` to before `to_ms`."""
        start_ms = from_ms // bucket_ms * bucket_ms
        return cls(start_ms, bucket_ms, -(-(to_ms - start_ms) // bucket_ms))


@dataclass(frozen=True, slots=True)
class Span:
    """What time a graph is to show, and how finely; None is chosen by the length of the time."""

    from_ms: int
    to_ms: int
    resolution_ms: int | None = None

    @classmethod
    def of_range(cls, name: str, now_ms: int, resolution_ms: int | None = None) -> "Span":
        """Return one of `RANGES`, which ends now; it has whole buckets but for the last."""
        length_ms, usual_ms = RANGES[name]
        bucket_ms = usual_ms if resolution_ms is None else resolution_ms
        to_ms = -(-now_ms // bucket_ms) * bucket_ms
        return cls(to_ms - max(length_ms, bucket_ms), to_ms, bucket_ms)

    def grid(self, max_points: int = MAX_POINTS) -> Grid:
        """Return the buckets; raise `ContractError` where there would be too many, or they would be too fine."""
        if self.to_ms <= self.from_ms:
            raise ContractError("to_ms", f"expected a time after from_ms ({self.from_ms}), got {self.to_ms}")
        length_ms = self.to_ms - self.from_ms
        bucket_ms = self.resolution_ms
        if bucket_ms is None:
            fitting = (each for each in _NICE_MS if length_ms <= each * max_points)
            bucket_ms = next(fitting, None)
            if bucket_ms is None:
                raise ContractError("from_ms", f"expected a range of at most {max_points} days, got a longer one")
        grid = Grid.over(self.from_ms, self.to_ms, bucket_ms)
        if grid.points > max_points:
            least_ms = -(-length_ms // max_points)
            raise ContractError(
                "resolution_ms",
                f"expected at least {least_ms} for a range of {length_ms} ms, since a graph has at most {max_points} "
                f"points; got {bucket_ms}",
            )
        return grid


@dataclass(frozen=True, slots=True)
class Source:
    """Which copy of a series a graph is read from: `suffix` is what follows the raw series' key, "" for that itself."""

    label: str
    suffix: str
    retention_ms: int


RAW = Source("raw", "", RAW_RETENTION_MS)


def source_of(grid: Grid, copies: Sequence[Resolution], now_ms: int) -> Source:
    """Return the coarsest copy whose buckets make up the grid's, of those that reach as far back if there are any.

    Coarser copies cost less to read. `copies` are those that the series have beside the raw one.
    """
    sources = [RAW, *(Source(copy.label, f":{copy.label}", copy.retention_ms) for copy in copies)]
    widths = [1, *(copy.bucket_ms for copy in copies)]
    fitting = [source for source, width in zip(sources, widths, strict=True) if grid.bucket_ms % width == 0]
    reaching = [source for source in fitting if source.retention_ms >= now_ms - grid.start_ms - grid.bucket_ms]
    return reaching[-1] if reaching else fitting[-1]


def least_resolution_ms(start_ms: int, copies: Sequence[Resolution], now_ms: int) -> int:
    """Return of what width buckets have to be a multiple, so that something is kept of the time from `start_ms` on."""
    if now_ms - start_ms <= RAW_RETENTION_MS:
        return 1
    return next((copy.bucket_ms for copy in copies if now_ms - start_ms <= copy.retention_ms), copies[-1].bucket_ms)


def last_hour(grid: Grid) -> Grid:
    """Return the last buckets of a grid, as many as may hold raw samples if it ends now."""
    points = min(grid.points, -(-RAW_RETENTION_MS // grid.bucket_ms) + 1)
    return Grid(grid.end_ms - points * grid.bucket_ms, grid.bucket_ms, points)


def pieces(grid: Grid, source: Source) -> Iterator[tuple[int, int]]:
    """Yield from when to when (the end included) a series is read with one command each; none splits a bucket."""
    if source is not RAW or grid.end_ms - grid.start_ms <= RAW_PIECE_MS:
        yield grid.start_ms, grid.end_ms - 1
        return
    length_ms = max(1, RAW_PIECE_MS // grid.bucket_ms) * grid.bucket_ms
    for first in range(grid.start_ms, grid.end_ms, length_ms):
        yield first, min(first + length_ms, grid.end_ms) - 1
