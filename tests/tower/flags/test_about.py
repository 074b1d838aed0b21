from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_tower.flags.about import MAX_TAG, About, Lifetime, date_of, search_text, tag_of, tags_of

TEMPORARY = About("New", lifetime=Lifetime.TEMPORARY, expected_end=date(2026, 12, 31))


@given(st.text(max_size=MAX_TAG))
def test_tag_has_one_form(text: str) -> None:
    try:
        tag = tag_of(text)
    except ValueError:
        return
    assert tag_of(tag) == tag
    assert tags_of([text, tag, text.upper().lower()])[0]


def test_tags_that_differ_by_case_and_spaces_are_one() -> None:
    assert tags_of([" Front  End", "front end", "a"]) == ("a", "front end")


@pytest.mark.parametrize("text", ["", " ", "a,b", "a\x00", "x" * 51])
def test_tag_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a tag"):
        tag_of(text)


@pytest.mark.parametrize("text", ["2026-13-01", "2026-02-30", "20261231", "2026-W01-1", "tomorrow", ""])
def test_date_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match="expected a date like"):
        date_of(text)


def test_missing_field_stays_and_null_is_nothing() -> None:
    assert TEMPORARY.after({}, "new") == TEMPORARY
    after = TEMPORARY.after({"owner": None, "name": None, "expected_end": None}, "new")
    assert (after.name, after.owner, after.expected_end, after.lifetime) == ("new", None, None, Lifetime.TEMPORARY)


def test_permanent_flag_has_no_expected_end() -> None:
    assert TEMPORARY.after({"lifetime": "permanent"}, "new").expected_end is None
    with pytest.raises(ContractError) as caught:
        About("new").after({"expected_end": "2026-12-31"}, "new")
    assert caught.value.field == "expected_end"


def test_row_gives_back_what_it_was_made_of() -> None:
    row = TEMPORARY.row("new")
    assert About.of_row(row) == TEMPORARY
    assert row["search"] == "new\nnew\n"


def test_search_looks_in_key_name_description_and_tags() -> None:
    about = About("Ä name", "Some WORDS", ("a tag",), "nobody@example.org")
    assert search_text("The.Key", about) == "the.key\nä name\nsome words\na tag"
