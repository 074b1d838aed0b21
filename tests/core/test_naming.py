import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import flag_ids

from tailslide_core import naming
from tailslide_core.errors import ContractError
from tailslide_core.naming import (
    FlagId,
    app_of_mark,
    busy_key,
    check_key,
    is_key,
    late_key,
    lease_key,
    mark_key,
    worker_of_lease,
)


@pytest.mark.parametrize("key", ["a", "7", "new-checkout", "a_b-c", "0" * 63])
def test_a_key_is_lower_case_letters_digits_dashes_and_underscores(key: str) -> None:
    assert is_key(key)
    assert check_key("app", key) == key


@pytest.mark.parametrize(
    "key", ["", "-a", "_a", "A", "a.b", "a b", "a*", "a>", "é", "٣", "a\n", "\na", "a" * 64, None, 7, True, ["a"]]
)
def test_anything_else_is_refused_with_the_rule(key: object) -> None:
    with pytest.raises(ContractError, match=r"^flag: expected 1 to 63 characters of a-z, 0-9") as caught:
        check_key("flag", key)
    assert caught.value.field == "flag"


def test_a_refused_key_is_quoted_shortened() -> None:
    with pytest.raises(ContractError) as caught:
        check_key("app", "x" * 10_000)
    assert len(str(caught.value)) < 250


@given(flag_ids)
def test_a_flag_id_is_read_back_from_its_text(flag_id: FlagId) -> None:
    assert FlagId.parse(str(flag_id)) == flag_id


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("checkout", "key"),
        ("", "key"),
        (".", "app"),
        ("checkout.", "flag"),
        (".flag", "app"),
        ("a.b.c", "flag"),
        ("A.b", "app"),
        (mark_key("checkout"), "flag"),
    ],
)
def test_a_text_that_is_no_flag_id_is_refused(text: str, field: str) -> None:
    with pytest.raises(ContractError) as caught:
        FlagId.parse(text)
    assert caught.value.field == field


@given(flag_ids)
def test_a_mark_is_the_app_s_and_no_flag_s(flag_id: FlagId) -> None:
    assert app_of_mark(mark_key(flag_id.app)) == flag_id.app
    assert mark_key(flag_id.app).startswith(naming.app_keys(flag_id.app).removesuffix(">"))
    assert app_of_mark(str(flag_id)) is None


@pytest.mark.parametrize(
    "key", ["_published", "._published", "A._published", "a.b._published", "a._published.b", "a._"]
)
def test_what_only_looks_like_a_mark_is_none(key: str) -> None:
    assert app_of_mark(key) is None


@given(flag_ids)
def test_what_begins_with_an_underscore_is_ours_and_no_flag_s(flag_id: FlagId) -> None:
    assert not naming.is_reserved(str(flag_id))
    for key in (naming.CLAIM_KEY, mark_key(flag_id.app), f"{flag_id.app}._segments.vip", f"_other.{flag_id.app}"):
        assert naming.is_reserved(key)
        with pytest.raises(ContractError):
            FlagId.parse(key)


def test_names_on_the_wire_are_those_of_the_design() -> None:
    flag_id = FlagId("checkout", "new-checkout")
    assert naming.bucket_stream("rulesets") == "KV_rulesets"
    assert naming.bucket_subject("rulesets", naming.app_keys("checkout")) == "$KV.rulesets.checkout.>"
    assert naming.mark_key("checkout") == "checkout._published"
    assert naming.event_subject(flag_id) == "events.circuit.checkout.new-checkout"
    assert naming.event_message_id(flag_id, 7, 1_795_363) == "checkout.new-checkout.7.1795363"
    assert naming.series_key(flag_id, "success") == "ts:{checkout:new-checkout}:success"
    assert naming.series_labels(flag_id, "success") == {"app": "checkout", "flag": "new-checkout", "metric": "success"}


@given(flag_ids, flag_ids, st.sampled_from(naming.JUDGED_METRICS), st.sampled_from(naming.JUDGED_METRICS))
def test_no_two_series_share_a_key(one: FlagId, other: FlagId, metric: str, other_metric: str) -> None:
    same = naming.series_key(one, metric) == naming.series_key(other, other_metric)
    assert same == ((one, metric) == (other, other_metric))


def test_coarser_series_are_kept_longer() -> None:
    retentions = [naming.RAW_RETENTION_MS, *(resolution.retention_ms for resolution in naming.RESOLUTIONS)]
    assert retentions == sorted(retentions)
    labels = [resolution.label for resolution in naming.RESOLUTIONS]
    assert len(set(labels)) == len(labels)


def test_marks_of_what_was_counted_have_keys_of_their_own() -> None:
    assert busy_key("checkout") == "ts:{checkout}:busy"
    assert late_key("checkout") == "ts:{checkout}:late"


def test_a_lease_names_its_aerobat() -> None:
    assert worker_of_lease(lease_key("host-1a2b3c")) == "host-1a2b3c"
    assert [worker_of_lease(key) for key in ("tower.a", "aerobat.", "aerobat.A", "aerobat", "a")] == [None] * 5
