"""What a mark says, and what a user of Redis has to be allowed for it."""

from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.naming import counted_key
from tailslide_sidecar.marks import NEEDS, mark


@given(st.sets(st.sampled_from("abcdef"), min_size=1))
def test_a_mark_is_the_same_for_the_same_flags(flags: set[str]) -> None:
    assert mark(counted_key("shop"), flags) == ("SADD", "ts:{shop}:counted", *sorted(flags))


def test_what_it_needs_is_what_it_is() -> None:
    assert NEEDS.partition(" ")[0] == mark(counted_key("shop"), "a")[0]
