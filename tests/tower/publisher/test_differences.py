import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_rulesets import ruleset, version_of

from tailslide_core.flag_contracts import decode_ruleset, encode_ruleset, encode_segment
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment
from tailslide_runtime.bucket_watch import Entry
from tailslide_tower.flags.flag import SANE_NUMBER
from tailslide_tower.publisher.differences import Differences, Stamp, stamp_of
from tailslide_tower.publisher.wanted import Wanted, is_published

KEY = "shop.one"
versions = st.integers(1, 5)
values = st.builds(ruleset, versions, st.sampled_from(["a", "b"])) | st.sampled_from([b"", b"{", b"[1]", b"{}", b"7"])


def found(wanted: Wanted, there: bytes | None) -> Differences:
    differences = Differences()
    differences.take([KEY], wanted, {} if there is None else {KEY: Entry(KEY, there, 3)})
    return differences


@given(st.builds(ruleset, versions, st.sampled_from(["a", "b"])), values | st.none())
def test_a_value_is_written_only_over_an_older_one_or_what_is_none(own: bytes, there: bytes | None) -> None:
    differences = found(Wanted({KEY: own}), there)
    stamp = stamp_of(there)
    if own == there:
        assert differences == Differences()
    elif stamp is None or stamp.version < version_of(own):
        assert differences == Differences(writes={KEY: own})
    else:
        assert differences == Differences(newer={KEY: stamp})


@given(values, versions)
def test_a_key_is_deleted_only_where_the_deletion_is_remembered(there: bytes, deleted: int) -> None:
    stamp = stamp_of(there)
    assert found(Wanted({}), there) == Differences(unknown={KEY: stamp})
    remembered = found(Wanted({}, deleted={KEY: deleted}), there)
    if stamp is not None and stamp.version > deleted:
        assert remembered == Differences(newer={KEY: stamp})
    else:
        assert remembered == Differences(writes={KEY: None})


def test_what_is_deleted_already_or_was_never_there_is_no_difference() -> None:
    for wanted in (Wanted({}), Wanted({}, deleted={KEY: 1})):
        assert found(wanted, None) == Differences()


@given(values)
def test_a_row_that_is_not_valid_leaves_the_bucket_as_it_is(there: bytes) -> None:
    assert found(Wanted({}, frozenset({KEY}), {KEY: 9}), there) == Differences()


def test_the_same_version_in_other_bytes_is_written_anew() -> None:
    own = ruleset(3, "a").replace(b"}", b',"new_field":1}')
    assert found(Wanted({KEY: own}), ruleset(3, "a")) == Differences(writes={KEY: own})


def test_a_ruleset_of_an_older_schema_is_written_anew_at_the_same_version() -> None:
    flag = Ruleset("shop", "one", 3, active=True, rollout=5.0, salt="one", updated_at="2026-11-22T10:00:00.000Z")
    own = encode_ruleset(flag)
    older = own.replace(b'"schema":2', b'"schema":1')
    assert older != own
    assert decode_ruleset(older) == flag
    assert found(Wanted({KEY: own}), older) == Differences(writes={KEY: own})


def test_segments_are_compared_as_flags_are() -> None:
    def segment(version: int, moment: str, *members: str) -> bytes:
        return encode_segment(Segment("shop", "vip", version, frozenset(members), updated_at=moment))

    own = segment(2, "b", "u1")
    assert stamp_of(own) == Stamp(2, "b")
    assert found(Wanted({KEY: own}), segment(1, "a")) == Differences(writes={KEY: own})
    assert found(Wanted({KEY: own}), segment(2, "c")) == Differences(newer={KEY: Stamp(2, "c")})


def test_a_flag_that_is_there_again_is_not_one_that_was_deleted() -> None:
    own = ruleset(5)
    assert found(Wanted({KEY: own}, deleted={KEY: 4}), ruleset(4)) == Differences(writes={KEY: own})


@pytest.mark.parametrize(
    "version", ["-1", str(SANE_NUMBER), str(2**53), str(2**64), "1.5", "true", '"7"', "null", "[]"]
)
def test_a_version_that_no_changes_lead_to_is_none(version: str) -> None:
    assert stamp_of(f'{{"version": {version}}}'.encode()) is None


def test_a_stamp_is_read_whatever_the_schema() -> None:
    value = b'{"schema": 9, "version": 4, "updated_at": "t", "circuit": {"reset_generation": 2}, "more": []}'
    assert stamp_of(value) == Stamp(4, "t", 2)
    assert stamp_of(b'{"version": 4, "updated_at": 5, "circuit": {"reset_generation": -1}}') == Stamp(4, "")


@pytest.mark.parametrize(
    "key",
    [
        "nonsense",
        "_tower",
        "shop._published",
        "shop._later.vip",
        "shop._segments._x",
        "_a.b",
        "Shop.no",
        "shop.no.",
        "",
    ],
)
def test_a_key_that_is_no_flag_s_and_no_segment_s_is_not_tower_s_to_touch(key: str) -> None:
    assert not is_published(key)


@pytest.mark.parametrize("key", [KEY, "shop.a.b", "shop.No", "shop._segments.vip", "shop._segments.a.b"])
def test_keys_of_flags_and_segments_are_tower_s(key: str) -> None:
    assert is_published(key)
