import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_tower.users.user import read_email


@pytest.mark.parametrize(
    ("text", "shown", "key"),
    [
        ("ada@example.org", "ada@example.org", "ada@example.org"),
        (" Ada@Example.ORG ", "Ada@example.org", "ada@example.org"),
        ("jürgen@bücher.example", "jürgen@bücher.example", "jürgen@bücher.example"),
        ("ju\u0308rgen@example.org", "jürgen@example.org", "jürgen@example.org"),
        ("STRASSE@example.org", "STRASSE@example.org", "strasse@example.org"),
        ("a+b.c@x-y.example", "a+b.c@x-y.example", "a+b.c@x-y.example"),
        ("root@localhost", "root@localhost", "root@localhost"),
    ],
)
def test_address_is_shown_as_written_and_one_account_in_any_case(text: str, shown: str, key: str) -> None:
    email = read_email("email", text)
    assert (email.text, email.key) == (shown, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "a b@example.org",
        "a@b@c",
        "a@-x.org",
        "a@x..org",
        "a@x.org\n.",
        "a\0@x.org",
        "<a@x.org>",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ContractError) as caught:
        read_email("email", text)
    assert caught.value.field == "email"


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        email = read_email("email", text)
    except ContractError:
        return
    assert read_email("email", email.text) == email
    assert "\0" not in email.text
    assert email.domain
