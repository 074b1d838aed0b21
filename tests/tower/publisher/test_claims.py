import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.contracts import Claim, encode_claim
from tailslide_core.naming import CLAIM_KEY
from tailslide_runtime.bucket_watch import Entry
from tailslide_tower.publisher.claims import (
    Cause,
    Identity,
    against,
    against_unclaimed,
    claim_in,
    counted,
    counted_keys,
    some,
)

counts = st.integers(0, 2**53)


@given(st.text(), counts, counts)
def test_the_database_of_the_claim_is_never_refused_unless_it_is_behind(name: str, here: int, there: int) -> None:
    refusal = against(Claim(name, there), Identity(name, here))
    assert (None if refusal is None else refusal.cause) == (Cause.OLDER_DATABASE if here < there else None)


@given(st.text(), st.text(), counts, counts)
def test_any_other_database_is_refused(name: str, other: str, here: int, there: int) -> None:
    refusal = against(Claim(name, there), Identity(f"{other}{name}x", here))
    assert refusal is not None
    assert refusal.cause is Cause.ANOTHER_DATABASE


def test_a_refusal_names_both_databases_and_where_they_are() -> None:
    refusal = against(Claim("a1", 3, "db1:5432/flags"), Identity("b2", 3, "db2:5432/flags"))
    assert refusal is not None
    assert "a1 at db1:5432/flags" in refusal.problem
    assert "b2 at db2:5432/flags" in refusal.problem


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"schema": 1}', b'{"schema": 9, "database": "a"}'])
def test_a_claim_that_is_deleted_or_cannot_be_read_is_none(value: bytes | None) -> None:
    assert claim_in({CLAIM_KEY: Entry(CLAIM_KEY, value, 1)}) is None
    assert claim_in({}) is None


def test_a_claim_is_found_among_all_entries() -> None:
    claim = Claim("a1", 3, "db1")
    entries = {"shop.one": Entry("shop.one", b"x", 1), CLAIM_KEY: Entry(CLAIM_KEY, encode_claim(claim), 2)}
    assert claim_in(entries) == claim


def test_flags_that_the_database_cannot_have_put_speak_against_claiming() -> None:
    unknown, newer = against_unclaimed(["shop.b", "shop.a"], ["shop.c"]), against_unclaimed([], ["shop.c"])
    assert unknown is not None
    assert (unknown.cause, unknown.problem.endswith("2 flags in it: shop.a, shop.b")) == (Cause.UNKNOWN_FLAGS, True)
    assert newer is not None
    assert (newer.cause, newer.problem.endswith("of 1 flag: shop.c")) == (Cause.NEWER_FLAGS, True)
    assert against_unclaimed([], []) is None


def test_many_keys_are_counted_and_some_of_them_named() -> None:
    assert some([f"k{n}" for n in range(7)]) == "k0, k1, k2, k3, k4 and 2 more"
    assert (counted(1, "flag"), counted(2, "flag")) == ("1 flag", "2 flags")


def test_flags_and_segments_are_counted_apart() -> None:
    assert counted_keys(["shop.a"]) == "1 flag"
    assert counted_keys([]) == "0 flags"
    assert counted_keys(["shop._segments.a", "shop._segments.b"]) == "2 segments"
    assert counted_keys(["shop.a", "shop.b", "shop._segments.a"]) == "2 flags and 1 segment"
