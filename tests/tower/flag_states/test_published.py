"""What the bucket of rulesets is known to hold."""

from dataclasses import replace

import pytest
from hypothesis import given
from strategies import rulesets

from tailslide_core.contracts import Mark, encode_mark
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import Ruleset
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_tower.flag_states.published import Position, Published, PublishedFlags

ONE = Ruleset("shop", "one", 3, active=True, rollout=25.0, salt="s")


def entry(ruleset: Ruleset, revision: int, stored_ms: int = 1000) -> Entry:
    return Entry(str(ruleset.flag_id), encode_ruleset(ruleset), revision, stored_ms)


@pytest.fixture
def told() -> list[FlagId]:
    return []


@pytest.fixture
def published(told: list[FlagId]) -> PublishedFlags:
    return PublishedFlags(told.append)


def listing(*entries: Entry) -> Listing:
    return Listing({each.key: each for each in entries})


def test_flags_are_known_by_version_and_position(published: PublishedFlags, told: list[FlagId]) -> None:
    published.take(listing(entry(ONE, 7, 1000)))
    assert published.get(ONE.flag_id) == Published(3, Position(7, 1000))
    published.take(entry(replace(ONE, version=4), 9, 2000))
    assert published.get(ONE.flag_id) == Published(4, Position(9, 2000))
    published.take(Entry("shop.one", None, 10, 3000))
    assert published.get(ONE.flag_id) == Published(None, Position(10, 3000))
    assert told == [ONE.flag_id] * 3


def test_listing_tells_only_of_what_differs_and_forgets_what_is_gone(
    published: PublishedFlags, told: list[FlagId]
) -> None:
    two = replace(ONE, key="two")
    published.take(listing(entry(ONE, 7), entry(two, 8)))
    told.clear()
    published.take(listing(entry(ONE, 7)))
    assert told == [two.flag_id]
    assert published.get(two.flag_id) is None


def test_last_position_of_an_app_counts_its_segments_and_its_mark(published: PublishedFlags) -> None:
    published.take(
        listing(
            entry(ONE, 7),
            Entry("shop._segments.staff", b"{}", 8, 1100),
            Entry("shop._published", encode_mark(Mark(1, 1)), 9, 1200),
            Entry("_tower", b"{}", 12, 1300),
            entry(replace(ONE, app="desk"), 10),
        )
    )
    assert published.latest("shop") == Position(9, 1200)
    assert published.latest("desk") == Position(10, 1000)
    assert published.latest("none") is None


def test_a_new_bucket_counts_from_the_beginning(published: PublishedFlags) -> None:
    published.take(listing(entry(ONE, 700, 1000)))
    published.take(listing(entry(ONE, 1, 5000)))
    assert published.latest("shop") == Position(1, 5000)


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"{", b"[]", b"{}", b'{"version": -1}', b'{"version": true}', b'"\xff"'),
        b'{"schema":1,"app":"shop","key":"one","version":' + b"1" * 5000 + b"}",
    ],
)
def test_value_that_is_no_ruleset_has_no_version(published: PublishedFlags, value: bytes) -> None:
    published.take(listing(Entry("shop.one", value, 7)))
    held = published.get(ONE.flag_id)
    assert held is not None
    assert held.version is None


def test_version_is_read_wherever_it_stands(published: PublishedFlags) -> None:
    published.take(listing(Entry("shop.one", b'{"version": 9, "schema": 1}', 7)))
    held = published.get(ONE.flag_id)
    assert held is not None
    assert held.version == 9


@given(rulesets)
def test_version_is_that_of_the_ruleset(ruleset: Ruleset) -> None:
    published = PublishedFlags(lambda flag_id: None)
    published.take(entry(ruleset, 1))
    held = published.get(ruleset.flag_id)
    assert held is not None
    assert held.version == ruleset.version


@pytest.mark.parametrize("key", ["", "shop", "A.b", "shop..x", "shop.a b"])
def test_key_that_is_no_flag_s_is_left_out(published: PublishedFlags, key: str, told: list[FlagId]) -> None:
    published.take(Entry(key, b"{}", 1))
    assert published.flags() == {}
    assert told == []
