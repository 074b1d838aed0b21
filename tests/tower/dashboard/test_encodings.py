import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_tower.dashboard.encodings import choose_coding

BOTH = ("br", "gzip")


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("x-gzip", "gzip"),
        ("BR", "br"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.0,gzip;q=0.000", None),
        ("br ; q=0", None),
        ("*", "br"),
        ("*;q=0", None),
        ("br;q=0, *", "gzip"),
        ("gzip, *;q=0", "gzip"),
        ("identity", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("br;q=2, gzip", "gzip"),
        ("br;q=nan, gzip", "gzip"),
        ("br;q=x", None),
        ("deflate, zstd", None),
        ("", None),
        (",;q=1,", None),
    ],
)
def test_coding_is_the_best_that_the_client_accepts(header: str, coding: str | None) -> None:
    assert choose_coding([header], BOTH) == coding


def test_coding_is_one_that_is_kept() -> None:
    assert choose_coding(["br, gzip"], ["gzip"]) == "gzip"
    assert choose_coding(["br, gzip"], []) is None


def test_coding_follows_all_headers_of_the_name() -> None:
    assert choose_coding(["gzip", "br;q=0"], BOTH) == "gzip"
    assert choose_coding([], BOTH) is None


@given(st.lists(st.text(max_size=30), max_size=3), st.sets(st.sampled_from(BOTH)))
def test_coding_of_any_header_is_none_or_one_that_is_kept(headers: list[str], available: set[str]) -> None:
    assert choose_coding(headers, available) in {None, *available}
