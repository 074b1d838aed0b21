"""Numbers as people read them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.sentences.numbers import counted, exact_span, percent, rough_span, share
from tailslide_core.sentences.quoted import named, reason_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0%"),
        (25.0, "25%"),
        (0.5, "0.5%"),
        (12.345, "12.345%"),
        (13.31, "13.31%"),
        (0.0001, "less than 0.001%"),
        (99.9999, "more than 99.999%"),
        (100.0, "100%"),
        (float("nan"), "an unknown part"),
        (float("inf"), "an unknown part"),
    ],
)
def test_percentage_that_was_set_is_written_exactly(value: float, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "threshold", "text"),
    [
        (62.0, 50.0, "62%"),
        (1.234, 50.0, "1.2%"),
        (0.01, None, "less than 0.1%"),
        (0.0, None, "0%"),
        (99.99, 50.0, "more than 99.9%"),
        (100.0, 50.0, "100%"),
        (50.04, 50.0, "50.04%"),
        (50.004, 50.0, "50.004%"),
        (50.0, 50.0, "50%"),
    ],
)
def test_share_is_rounded_but_never_onto_its_threshold(value: float, threshold: float | None, text: str) -> None:
    assert share(value, threshold) == text


@given(st.floats(0, 100))
def test_share_is_nothing_or_all_only_where_it_is_so(value: float) -> None:
    assert (share(value) == "0%") == (value == 0)
    assert (share(value) == "100%") == (value == 100)
    assert re.fullmatch(r"(less than |more than )?\d{1,3}(\.\d{1,3})?%", share(value))


@given(st.integers(0, 100_000).map(lambda thousandths: thousandths / 1000))
def test_percentage_is_read_back_as_what_it_was(value: float) -> None:
    assert float(percent(value).removesuffix("%")) == value


def test_counts_have_their_noun_and_separators() -> None:
    assert [counted(n, "call") for n in (0, 1, 2, 4210, 2**53)] == [
        "0 calls",
        "1 call",
        "2 calls",
        "4,210 calls",
        "9,007,199,254,740,992 calls",
    ]


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [
        (250, "250 ms"),
        (1_000, "1 s"),
        (1_250, "1.25 s"),
        (10_000, "10 s"),
        (60_000, "1 min"),
        (90_000, "90 s"),
        (112_500, "112.5 s"),
        (225_000, "3.75 min"),
        (450_000, "7.5 min"),
        (1_800_000, "30 min"),
        (3_600_000, "1 h"),
        (5_400_000, "90 min"),
        (86_400_000, "24 h"),
    ],
)
def test_window_is_written_as_it_was_set(span_ms: int, text: str) -> None:
    assert exact_span(span_ms) == text


@pytest.mark.parametrize(
    ("span_ms", "down", "up"),
    [
        (-5_000, "less than 1 s", "less than 1 s"),
        (0, "less than 1 s", "less than 1 s"),
        (400, "less than 1 s", "1 s"),
        (12_999, "12 s", "13 s"),
        (59_999, "59 s", "60 s"),
        (200_000, "3 min", "4 min"),
        (2 * 3_600_000, "2 h", "2 h"),
        (47 * 3_600_000, "47 h", "47 h"),
        (3 * 86_400_000, "3 days", "3 days"),
        (2_000 * 86_400_000, "2,000 days", "2,000 days"),
    ],
)
def test_age_is_in_its_largest_unit(span_ms: int, down: str, up: str) -> None:
    assert rough_span(span_ms) == down
    assert rough_span(span_ms, up=True) == up


def test_texts_of_people_are_one_short_line() -> None:
    assert reason_of("payments\n\n  incident\x00") == ": “payments incident”"
    assert reason_of(None) == reason_of(" \n") == ""
    assert named("x" * 300) == "x" * 99 + "…"


@given(st.text())
def test_name_is_printable_and_on_one_line(text: str) -> None:
    line = named(text)
    assert len(line) <= 100
    assert line.isprintable()
    assert "  " not in line
