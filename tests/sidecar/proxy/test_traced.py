"""Which calls are recorded, and what of their fields goes on."""

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tailslide_runtime.http1.requests import RequestHead, read_head
from tailslide_runtime.tracing.context import continued
from tailslide_sidecar.proxy.client_connection import ClientConnection
from tailslide_sidecar.proxy.exchange import Exchange
from tailslide_sidecar.proxy.traced import CallTraces, TracedExchange

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACER = TracerProvider(shutdown_on_exit=False).get_tracer("test")
NOBODY = cast(ClientConnection, None)


def head_of(*fields: tuple[str, str]) -> RequestHead:
    block = b"\r\nHost: shop" + b"".join(f"\r\n{name}: {value}".encode("latin-1") for name, value in fields)
    head = read_head("GET", b"/", block)
    assert isinstance(head, RequestHead)
    return head


def exchange(head: RequestHead, *, chance: float = 1.0, most: int = 1_000) -> Exchange:
    """Make the exchange of a call in a proxy that records half of the calls without a trace."""
    return CallTraces(TRACER, 50.0, most, chance=lambda: chance, clock=lambda: 0.0).exchange(NOBODY, head)


def is_recorded(head: RequestHead, *, chance: float = 1.0) -> bool:
    return isinstance(exchange(head, chance=chance), TracedExchange)


hex_of = {size: st.text("0123456789abcdef", min_size=size, max_size=size) for size in (2, 16, 32)}
parents = st.builds(
    "{}{}-{}-{}-{}{}".format,
    st.sampled_from(["", "", " ", "\t", "0"]),
    st.one_of(st.sampled_from(["00", "00", "01", "fe", "ff", "0", "0F"]), hex_of[2]),
    st.one_of(st.just(TRACE), st.sampled_from(["0" * 32, TRACE.upper(), TRACE[:-1], f"{TRACE}0"]), hex_of[32]),
    st.one_of(st.just(CALLER), st.sampled_from(["0" * 16, CALLER.upper(), f"{CALLER}0"]), hex_of[16]),
    st.one_of(st.sampled_from(["00", "01", "02", "03", "ff", "1", "0g", "A1"]), hex_of[2]),
    st.sampled_from(["", "", " ", "\t", "-", "-x", "- y ", "x", "01", ",", " x"]),
)


@given(st.lists(parents, max_size=3), st.sampled_from(["traceparent", "Traceparent", "TRACEPARENT"]))
def test_a_caller_decides_exactly_where_its_trace_would_be_continued(values: list[str], name: str) -> None:
    head = head_of(*[(name, value) for value in values])
    parent = trace.get_current_span(continued(head.get_all("traceparent"), ())).get_span_context()
    decided = [is_recorded(head, chance=chance) for chance in (0.0, 1.0)]
    assert decided == ([parent.trace_flags.sampled] * 2 if parent.is_valid else [True, False])


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["traceparent", "TraceParent"]), parents),
            st.tuples(
                st.sampled_from(["tracestate", "Tracestate"]),
                st.sampled_from(["a=1", "b=2,c=3", "", "x", "a=1,,b=2", "a" * 300, "é=1", ",".join(["a=1"] * 40)]),
            ),
            st.tuples(st.sampled_from(["X-Trace", "trace-parent", "tracestates"]), st.just("x")),
        ),
        max_size=6,
    )
)
def test_an_upstream_gets_one_trace_and_all_other_fields(fields: list[tuple[str, str]]) -> None:
    head = head_of(*fields)
    made = exchange(head, chance=0.0)
    before = head.passing
    if not isinstance(made, TracedExchange):
        assert head.passing == before
        return
    made._propagate(made._span)
    lines = head.passing.decode("latin-1").lower().split("\r\n")
    given_lines = before.decode("latin-1").lower().split("\r\n")
    named = ("traceparent:", "tracestate:")
    assert [line for line in lines if not line.startswith(named)] == [
        line for line in given_lines if not line.startswith(named)
    ]
    context = made._span.get_span_context()
    (parent,) = (line for line in lines if line.startswith("traceparent:"))
    flags = f"{context.trace_flags:02x}"
    assert parent == f"traceparent: 00-{context.trace_id:032x}-{context.span_id:016x}-{flags}"
    assert sum(line.startswith("tracestate:") for line in lines) <= 1
    # A second upstream gets the trace of its own span, and once.
    made._propagate(made._span)
    assert head.passing.decode("latin-1").lower().split("\r\n") == lines


@pytest.mark.parametrize(
    "fields",
    [
        [("traceparent", "x" * 60_000)],
        [("traceparent", f"01-{TRACE}-{CALLER}-01-{' ' * 60_000}x")],
        [("traceparent", f"00-{TRACE}-{CALLER}-01"), ("tracestate", "a" * 60_000)],
        [("traceparent", f"00-{TRACE}-{CALLER}-01"), ("tracestate", "evil=line\x7f")],
        [("traceparent", f"00-{TRACE}-{CALLER}-01"), *[("tracestate", "a=1,a=1")] * 90],
        [("traceparent", f"00-{TRACE}-{CALLER}-01"), ("tracestate", "a=1" + "," * 8_000)],
    ],
    ids=["long", "long-version-1", "long-state", "control-byte", "many", "commas"],
)
def test_what_a_caller_sends_is_told_in_no_log(fields: list[tuple[str, str]], caplog: pytest.LogCaptureFixture) -> None:
    exchange(head_of(*fields), chance=0.0)
    assert caplog.text == ""


def test_the_bound_holds_for_those_who_ask_and_for_those_who_do_not() -> None:
    now = [0.0]
    traces = CallTraces(TRACER, 100.0, 3, clock=lambda: now[0])
    asking, silent = head_of(("traceparent", f"00-{TRACE}-{CALLER}-01")), head_of()

    def recorded() -> int:
        heads = [asking, silent] * 5
        return sum(isinstance(traces.exchange(NOBODY, head), TracedExchange) for head in heads)

    assert [recorded(), recorded()] == [3, 0]
    now[0] = 1.0
    assert recorded() == 3
    (left_out,) = traces.collect()
    assert left_out.samples[0].value == 24
