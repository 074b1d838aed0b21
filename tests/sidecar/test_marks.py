"""What a mark says, and what a user of Redis has to be allowed for it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.naming import RAW_RETENTION_MS, busy_key
from tailslide_sidecar.marks import NEEDS, SCRIPT, mark


@given(st.sets(st.sampled_from("abcdef"), min_size=1))
def test_a_mark_is_the_same_for_the_same_flags(flags: set[str]) -> None:
    assert mark(busy_key("shop"), flags) == ("EVAL", SCRIPT, 1, "ts:{shop}:busy", RAW_RETENTION_MS, *sorted(flags))


def test_what_it_needs_is_what_the_script_calls() -> None:
    assert set(re.findall(r"[A-Z]{4,}", NEEDS)) == {"EVAL", *re.findall(r"redis\.call\('(\w+)'", SCRIPT)}
