"""Texts of people inside sentences."""

import pytest

from tailslide_core.sentences.quoted import name_or, named, reason_of

NOTHING_TO_SEE = ("", " ", "\0\x07", "\u200b\u200f", "\u3164", "\u2800 \uffa0", "\u115f\u1160")


@pytest.mark.parametrize("text", NOTHING_TO_SEE)
def test_name_of_which_nobody_sees_anything_is_none(text: str) -> None:
    assert named(text) == ""
    assert name_or(text, "a person") == "a person"
    assert reason_of(text) == ""


def test_name_is_on_one_line_and_cut_off() -> None:
    assert named("a\n b\t c") == "a b c"
    assert named("x" * 200) == "x" * 99 + "…"
