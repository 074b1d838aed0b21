"""Where the time of an answer goes: the sidecar's own listener in this process, on a transport that goes nowhere.

First what each step costs by itself, then cProfile over the whole, whose own cost falls on every call, so that its
shares tell more than its times. What the kernel and uvloop take is not here: it is the difference to the processor
time for an answer in the table of `flags.py`.
"""

import asyncio
import cProfile
import itertools
import math
import pstats
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast

from flags_bench.questions import bulk, flag_keys, native, rulesets, single
from tailslide_core.evaluation import decide
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import RULESETS_BUCKET
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_runtime.connections import Connections
from tailslide_runtime.guard import Guard, ListenerLimits
from tailslide_runtime.own_names import OwnNames
from tailslide_runtime.settings import ListenAddress
from tailslide_sidecar.answers import Answers
from tailslide_sidecar.evaluation_counts import EvaluationCounts
from tailslide_sidecar.flag_store import FlagStore
from tailslide_sidecar.hot_path import HotListener
from tailslide_sidecar.hot_requests import HotRequest
from tailslide_sidecar.latency_histogram import LatencyHistogram
from tailslide_sidecar.ofrep import read_context
from tailslide_sidecar.query import context_of_query

TIMES = 50_000
TOP = 15
APP = "profile"
T = TypeVar("T")


class _Nowhere(asyncio.Transport):
    """Takes everything and keeps nothing."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Forget it."""

    def is_closing(self) -> bool:
        return False


class _Server:
    """One sidecar's answers, and one connection to them."""

    def __init__(self, flags: int) -> None:
        self.store = FlagStore(APP)
        entries = [Entry(str(flag.flag_id), encode_ruleset(flag), 1) for flag in rulesets(APP, flags)]
        self.store.apply(RULESETS_BUCKET, Listing({entry.key: entry for entry in entries}))
        counts = EvaluationCounts()
        self.answers = Answers(self.store, counts, is_stale=lambda: False)
        observe = LatencyHistogram("answer_seconds", "of one batch", [0.0001, 0.001, 0.01]).observe
        self.listener = HotListener(self.answers, _guard(), observe=observe, turn_s=math.inf)
        self.connection = self.listener.protocol()
        self.connection.connection_made(_Nowhere())
        self.reader = self.listener.reader()


def _guard() -> Guard:
    names = OwnNames.of(ListenAddress("127.0.0.1", 4141))
    return Guard(lambda _: asyncio.Protocol(), Connections(1_000), ListenerLimits(), names)


def show() -> None:
    """Print it all."""
    asyncio.run(_show())


async def _show() -> None:
    one, many, hundred = _Server(1), _Server(10_000), _Server(100)
    _title("OFREP, one flag")
    _steps(one, single(flag_keys(1)), TIMES)
    _title("OFREP, one of 10,000 flags, each in turn")
    _steps(many, single(flag_keys(10_000)), TIMES)
    _title("GET /v1/flags/{key}, one flag")
    _steps(one, native(flag_keys(1)), TIMES)
    _title("OFREP, all of 100 flags")
    _steps(hundred, bulk()[:1_000], TIMES // 50)
    _title("cProfile: OFREP, one flag")
    _profile(one, single(flag_keys(1)), TIMES)
    _title("cProfile: GET /v1/flags/{key}, one flag")
    _profile(one, native(flag_keys(1)), TIMES)


def _title(text: str) -> None:
    print(f"\n{text}")


def _steps(server: _Server, requests: Sequence[bytes], times: int) -> None:
    """Print what an answer costs, and how much of it are its steps, once every flag has been asked for."""
    for request in requests:
        server.connection.data_received(request)
    read = [cast(HotRequest, server.reader.read(request, 0)) for request in requests]
    flags = [server.store.held(request.head.flag) for request in read]
    contexts = [
        context_of_query(request.head.query) if request.head.query else read_context(request.body) for request in read
    ]
    asked = [(held, context) for held, context in zip(flags, contexts, strict=True) if held is not None]
    _line("in all", _us(server.connection.data_received, requests, times))
    _line("reading the request", _us(lambda request: server.reader.read(request, 0), requests, times))
    if read[0].head.query:
        _line("reading the query", _us(context_of_query, [request.head.query for request in read], times))
    else:
        _line("reading the body", _us(read_context, [request.body for request in read], times))
    if asked:
        _line(
            "deciding",
            _us(lambda it: decide(it[0].prepared, it[1].targeting_key, it[1].attributes), asked, times),
        )


def _us(work: Callable[[T], object], items: Iterable[T], times: int) -> float:
    """Return the microseconds that `work` takes for one of the items."""
    coming = itertools.islice(itertools.cycle(items), times)
    began = time.process_time()
    for item in coming:
        work(item)
    return (time.process_time() - began) / times * 1e6


def _line(what: str, us: float) -> None:
    print(f"  {what:<24}{us:>8.2f} µs")


def _profile(server: _Server, requests: Sequence[bytes], times: int) -> None:
    coming = itertools.islice(itertools.cycle(requests), times)
    answer = server.connection.data_received
    profile = cProfile.Profile()
    profile.enable()
    for request in coming:
        answer(request)
    profile.disable()
    statistics = pstats.Stats(profile)
    # The public form of these tells functions of one name apart by nothing.
    by_function = statistics.stats  # type: ignore[attr-defined] # not in its type information
    total = statistics.total_tt  # type: ignore[attr-defined] # not in its type information
    rows = sorted(by_function.items(), key=lambda item: -item[1][2])[:TOP]
    for (file, _, function), (_, calls, own_s, _, _) in rows:
        where = file.rpartition("/")[2]
        print(f"  {own_s / total:>6.1%}  {calls / times:>5.1f} calls  {where}{':' if where != '~' else ' '}{function}")
