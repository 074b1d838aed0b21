"""Which calls are logged, and what the log says about them."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from proxy_transcripts import read_requests
from structlog.testing import capture_logs

from tailslide_core.outcomes import CallEnd
from tailslide_runtime.http1.refusals import Refusal
from tailslide_runtime.http1.requests import MAX_NAME, RequestHead
from tailslide_sidecar.proxy.access_log import FAILURES_PER_S, AccessLog
from tailslide_sidecar.proxy.accounts import Side
from tailslide_sidecar.proxy.exchange import Exchange, SavedFailure
from tailslide_sidecar.proxy.limits import ProxyOptions
from tailslide_sidecar.proxy.routes import FixedAnswer, Switch
from tailslide_sidecar.proxy.sources import Source, SourceKind


@dataclass
class Label:
    label: str = "/a"
    switch: Switch | None = None


@dataclass
class Call:
    """An exchange that has ended, as far as the log goes."""

    status: int = 200
    end: CallEnd | None = CallEnd.ANSWERED
    marker: str = ""
    route: Label | None = field(default_factory=Label)
    side: Side = Side.UPSTREAM
    took_ms: float = 1.23456
    saved: SavedFailure | None = None
    trace_id: str = ""
    fields: bytes = b""
    target: bytes = b"/a?secret=1"
    host: bytes = b"Shop:80"

    @property
    def head(self) -> RequestHead:
        line = b"GET " + self.target + b" HTTP/1.1\r\n"
        head = read_requests(line + b"Host: " + self.host + b"\r\nCookie: s=1\r\n" + self.fields + b"\r\n")[0]
        assert isinstance(head, RequestHead)
        return head


def told(log: AccessLog, *calls: Call) -> list[Any]:
    """Return the lines for these calls, of which each is counted down as the listener does."""
    with capture_logs() as lines:
        for call in calls:
            log.left -= 1
            log.ended(cast(Exchange, call))
    return lines


@pytest.fixture
def _same_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 100.5)


def test_neither_queries_nor_cookies_are_told() -> None:
    (line,) = told(AccessLog(ProxyOptions()), Call())
    assert line == {
        "event": "call",
        "log_level": "info",
        "method": "GET",
        "host": "shop",
        "path": "/a",
        "status": 200,
        "end": "answered",
        "side": "upstream",
        "route": "/a",
        "took_ms": 1.235,
    }


def test_the_decision_and_the_trace_are_told() -> None:
    call = Call(marker="flag=f; active=true", fields=b"traceparent: " + b"0" * 200 + b"\r\n", route=None, end=None)
    (line,) = told(AccessLog(ProxyOptions()), call)
    assert (line["decision"], line["traceparent"]) == ("flag=f; active=true", "0" * 100)
    assert (line["route"], line["end"]) == (None, None)


def test_a_long_path_is_cut() -> None:
    (line,) = told(AccessLog(ProxyOptions()), Call(target=b"/" + b"a" * 4_000))
    assert line["path"] == "/" + "a" * 499


def test_the_longest_host_that_a_request_may_have_is_told_whole() -> None:
    (line,) = told(AccessLog(ProxyOptions()), Call(host=b"a" * MAX_NAME + b":80"))
    assert line["host"] == "a" * 253
    assert isinstance(read_requests(b"GET / HTTP/1.1\r\nHost: " + b"a" * (MAX_NAME + 1) + b"\r\n\r\n")[0], Refusal)


@pytest.mark.parametrize(("sample", "lines"), [(1.0, 100), (0.1, 10), (0.01, 1), (0.0, 0)])
def test_one_of_so_many_is_told(sample: float, lines: int) -> None:
    log = AccessLog(ProxyOptions(access_log_sample=sample))
    assert len(told(log, *[Call()] * 100)) == lines


@pytest.mark.usefixtures("_same_second")
@pytest.mark.parametrize(
    ("call", "is_failure"),
    [
        (Call(), False),
        (Call(404), False),
        (Call(101, CallEnd.UPGRADED), False),
        (Call(0, CallEnd.CLIENT_GONE), False),
        (Call(404, None), False),
        (Call(500), True),
        (Call(502, CallEnd.REFUSED), True),
        (Call(504, CallEnd.TIMED_OUT), True),
        (Call(200, CallEnd.CUT_OFF), True),
    ],
)
def test_failures_are_told_besides(call: Call, is_failure: bool) -> None:
    assert len(told(AccessLog(ProxyOptions(access_log_sample=0.0)), call)) == is_failure
    assert told(AccessLog(ProxyOptions(access_log_sample=0.0, access_log_failures=False)), call) == []


def of(flag: str, saved: SavedFailure | None = None, *, status: int = 200) -> Call:
    """Return a call of a route with this flag."""
    switch = Switch(flag, FixedAnswer(503), Source(SourceKind.HEADER, "x-user-id"))
    side = Side.FEATURE if saved is None else Side.FALLBACK
    return Call(status, route=Label(switch=switch), side=side, saved=saved, marker=f"flag={flag}; active=true")


SAVED = SavedFailure("5xx", 503, 7.0)


def test_a_failure_that_the_fallback_made_up_for_is_told_as_what_it_was() -> None:
    (line,) = told(AccessLog(ProxyOptions(access_log_sample=0.0)), of("f", SAVED))
    assert line == {
        "event": "feature_failed",
        "log_level": "warning",
        "flag": "f",
        "cause": "5xx",
        "feature_status": 503,
        "feature_took_ms": 7.0,
        "method": "GET",
        "host": "shop",
        "path": "/a",
        "status": 200,
        "end": "answered",
        "side": "fallback",
        "route": "/a",
        "took_ms": 1.235,
        "decision": "flag=f; active=true",
    }
    assert told(AccessLog(ProxyOptions(access_log_sample=0.0, access_log_failures=False)), of("f", SAVED)) == []


@pytest.mark.usefixtures("_same_second")
def test_the_first_failure_of_a_flag_is_told_whatever_others_do() -> None:
    log = AccessLog(ProxyOptions(access_log_sample=0.0))
    outage = [of("f", SAVED), of("g", status=500), Call(502, CallEnd.REFUSED)] * 50
    lines = told(log, *outage, of("h", SAVED), of("i", status=500))
    assert len(lines) == 3 * FAILURES_PER_S + 2
    assert lines[-2]["flag"] == "h"
    assert "flag=i" in lines[-1]["decision"]


def test_failures_that_were_left_out_are_told_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    log = AccessLog(ProxyOptions(access_log_sample=0.0))
    told(log, *[of("f", SAVED)] * 50, *[Call(502, CallEnd.REFUSED)] * 12, of("g", SAVED))
    now_s = 101.0
    lines = told(log, of("f", SAVED))
    assert [(line["event"], line["flag"], line.get("calls")) for line in lines] == [
        ("failures_left_out", "f", 40),
        ("feature_failed", "f", None),
    ]
    with capture_logs() as rest:
        log.tell_left_out()
        log.tell_left_out()
    assert [(line["flag"], line["calls"]) for line in rest] == [(None, 2)]


def test_an_outage_fills_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    log = AccessLog(ProxyOptions(access_log_sample=0.0))
    outage = [Call(502, CallEnd.REFUSED)] * 50
    assert len(told(log, *outage)) == FAILURES_PER_S
    now_s = 100.9
    assert told(log, *outage) == []
    now_s = 101.0
    left_out, *lines = told(log, *outage)
    assert (left_out["calls"], len(lines)) == (90, FAILURES_PER_S)
