"""The histogram against prometheus_client's own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from tailslide_sidecar.latency_histogram import LatencyHistogram

BOUNDS = [0.001, 0.01, 0.5]


def lines(registry: CollectorRegistry) -> list[str]:
    text = re.sub(r"^\w+_created .*\n|^# .*_created.*\n", "", generate_latest(registry).decode(), flags=re.MULTILINE)
    return text.splitlines()


@given(st.lists(st.sampled_from([0.0, 0.0009, 0.001, 0.0011, 0.01, 0.25, 0.5, 0.75, 9.0]), max_size=30))
def test_it_counts_as_the_client_library_does(durations: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    histogram = LatencyHistogram("answer_seconds", "Time", BOUNDS)
    ours.register(histogram)
    reference = Histogram("answer_seconds", "Time", buckets=BOUNDS, registry=theirs)
    for seconds in durations:
        histogram.observe(seconds)
        reference.observe(seconds)
    assert lines(ours) == lines(theirs)


def test_its_name_is_taken() -> None:
    registry = CollectorRegistry()
    registry.register(LatencyHistogram("answer_seconds", "Time", BOUNDS))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(LatencyHistogram("answer_seconds", "Time", BOUNDS))
