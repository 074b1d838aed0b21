import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import flag_ids, flag_keys, wire_keys

from tailslide_core import naming
from tailslide_core.errors import ContractError
from tailslide_core.naming import (
    FLAG_KEY_PATTERN,
    MAX_FLAG_KEY,
    FlagId,
    Metric,
    SegmentId,
    app_of_mark,
    busy_key,
    check_app_key,
    check_flag_key,
    is_app_key,
    is_flag_key,
    late_key,
    lease_key,
    mark_key,
    segment_of,
    worker_of_lease,
)

NO_KEYS: list[object] = ["", "_a", ".a", "a.", "a..b", "a b", "a*", "a>", "a/b", "a:b", "é", "٣", "a\n", "\na", "a\0"]
NO_TEXTS: list[object] = [None, 7, True, ["a"]]


@pytest.mark.parametrize("key", ["a", "7", "new-checkout", "a_b-c", "0" * 63])
def test_an_app_s_key_is_lower_case_letters_digits_dashes_and_underscores(key: str) -> None:
    assert is_app_key(key)
    assert check_app_key("app", key) == key


@pytest.mark.parametrize("key", [*NO_KEYS, *NO_TEXTS, "-a", "A", "a.b", "a" * 64])
def test_anything_else_is_no_app_s_key_and_refused_with_the_rule(key: object) -> None:
    with pytest.raises(ContractError, match=r"^app: expected 1 to 63 characters of a-z, 0-9") as caught:
        check_app_key("app", key)
    assert caught.value.field == "app"


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "7",
        "A",
        "Z9",
        "-",
        "-a",
        "a-",
        "a_",
        "a.b",
        "a._b",
        "a.-",
        "a.B.c-d_e",
        "Flags.flag.is-enabled",
        "a" * 100,
        "0" * 63,
        "a.b" * 33 + "c",
    ],
)
def test_a_flag_s_key_takes_both_cases_and_dots(key: str) -> None:
    assert is_flag_key(key)
    assert check_flag_key("flag", key) == key


@pytest.mark.parametrize("key", [*NO_KEYS, *NO_TEXTS, "_", ".", "-.", "a" * 101, "a." * 50 + "a"])
def test_anything_else_is_no_flag_s_key_and_refused_with_the_rule(key: object) -> None:
    with pytest.raises(ContractError, match=r"^flag: expected 1 to 100 characters of A-Z, a-z, 0-9, '\.'") as caught:
        check_flag_key("flag", key)
    assert caught.value.field == "flag"


@pytest.mark.parametrize("check", [check_app_key, check_flag_key])
def test_a_refused_key_is_quoted_shortened(check: object) -> None:
    assert callable(check)
    with pytest.raises(ContractError) as caught:
        check("app", "x" * 10_000)
    assert len(str(caught.value)) < 300


@given(st.text("aZ9._-é \n", max_size=12) | flag_keys)
def test_the_pattern_for_readers_of_bytes_takes_the_same_keys_of_any_length(text: str) -> None:
    matches = re.fullmatch(FLAG_KEY_PATTERN, text) is not None
    assert is_flag_key(text) == (matches and len(text) <= MAX_FLAG_KEY)
    encoded = text.encode()
    assert (re.fullmatch(FLAG_KEY_PATTERN.encode(), encoded) is not None) == matches


@given(wire_keys)
def test_what_is_an_app_s_key_may_be_a_flag_s_too(key: str) -> None:
    assert is_app_key(key)
    assert is_flag_key(key)


@given(flag_ids)
def test_a_flag_id_is_read_back_from_its_text(flag_id: FlagId) -> None:
    assert FlagId.parse(str(flag_id)) == flag_id


@pytest.mark.parametrize(
    ("text", "app", "flag"),
    [("a.b", "a", "b"), ("a.b.c", "a", "b.c"), ("a.B._c", "a", "B._c"), ("a.a.a.a", "a", "a.a.a")],
)
def test_a_flag_id_is_split_at_its_first_dot(text: str, app: str, flag: str) -> None:
    assert FlagId.parse(text) == FlagId(app, flag)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("checkout", "key"),
        ("", "key"),
        (".", "app"),
        ("checkout.", "flag"),
        (".flag", "app"),
        ("a..b", "flag"),
        ("a.b.", "flag"),
        ("a._b", "flag"),
        ("A.b", "app"),
        (mark_key("checkout"), "flag"),
        (str(SegmentId("checkout", "vip")), "flag"),
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


@given(wire_keys, flag_keys)
def test_a_segment_is_read_back_from_its_key_and_is_no_flag(app: str, segment: str) -> None:
    segment_id = SegmentId(app, segment)
    assert segment_of(str(segment_id)) == segment_id
    assert app_of_mark(str(segment_id)) is None
    assert segment_of(str(FlagId(app, segment))) is None
    assert segment_of(mark_key(app)) is None


@pytest.mark.parametrize(
    "key",
    [
        "_segments.a",
        "a._segments",
        "a._segments.",
        "a._segments._b",
        "a._segments..b",
        "A._segments.b",
        "._segments.b",
        "a.b._segments.c",
        "a._segmentsb",
        "a.segments.b",
        "a._segments.a b",
    ],
)
def test_what_only_looks_like_a_segment_is_none(key: str) -> None:
    assert segment_of(key) is None


@given(flag_ids)
def test_what_begins_with_an_underscore_is_ours_and_no_flag_s(flag_id: FlagId) -> None:
    assert not naming.is_reserved(str(flag_id))
    segment = str(SegmentId(flag_id.app, "vip"))
    for key in (naming.CLAIM_KEY, mark_key(flag_id.app), segment, f"_other.{flag_id.app}", f"{flag_id.app}._x"):
        assert naming.is_reserved(key)
        with pytest.raises(ContractError):
            FlagId.parse(key)


def test_an_underscore_further_on_is_a_flag_s() -> None:
    for key in ("app.a._b", "app.a_b", "app.a.b._c"):
        assert not naming.is_reserved(key)
        assert str(FlagId.parse(key)) == key


def test_names_on_the_wire_are_those_of_the_design() -> None:
    flag_id = FlagId("checkout", "new-checkout")
    assert naming.bucket_stream("rulesets") == "KV_rulesets"
    assert naming.bucket_subject("rulesets", naming.app_keys("checkout")) == "$KV.rulesets.checkout.>"
    assert naming.mark_key("checkout") == "checkout._published"
    assert str(SegmentId("checkout", "vip")) == "checkout._segments.vip"
    assert naming.event_subject(flag_id) == "events.circuit.checkout.new-checkout"
    assert naming.event_message_id(flag_id, 7, 1_795_363) == "checkout.new-checkout.7.1795363"
    assert naming.series_key(flag_id, "success") == "ts:{checkout}:new-checkout:success"
    assert naming.series_labels(flag_id, "success") == {"app": "checkout", "flag": "new-checkout", "metric": "success"}


def test_a_flag_beside_one_whose_key_begins_with_its_own_has_names_of_its_own() -> None:
    short, long = FlagId("app", "a"), FlagId("app", "a.b")
    assert naming.bucket_subject("rulesets", str(short)) == "$KV.rulesets.app.a"
    assert naming.bucket_subject("rulesets", str(long)) == "$KV.rulesets.app.a.b"
    assert naming.event_subject(long) == "events.circuit.app.a.b"
    assert naming.series_key(short, "success") == "ts:{app}:a:success"
    assert naming.series_key(long, "success") == "ts:{app}:a.b:success"


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        (Metric.FALLBACK_SLOW, {"metric": "fallback_slow"}),
        (Metric.LATENCY_PREFIX + "5", {"metric": "latency_le_5"}),
        (Metric.VARIANT_PREFIX + "Blue.v2", {"metric": "variant", "variant": "Blue.v2"}),
        (Metric.RULE_PREFIX + "1", {"metric": "rule", "rule": "1"}),
    ],
)
def test_the_labels_of_a_series_say_what_of_it_has_a_name(metric: str, labels: dict[str, str]) -> None:
    flag_id = FlagId("checkout", "Theme.new")
    assert naming.series_labels(flag_id, metric) == {"app": "checkout", "flag": "Theme.new"} | labels
    assert naming.series_key(flag_id, metric) == f"ts:{{checkout}}:Theme.new:{metric}"


metrics = st.sampled_from([*naming.JUDGED_METRICS, Metric.FALLBACK_SUCCESS]) | st.one_of(
    flag_keys.map(lambda key: Metric.VARIANT_PREFIX + key), flag_keys.map(lambda key: Metric.RULE_PREFIX + key)
)


@given(flag_ids, flag_ids, metrics, metrics)
def test_no_two_series_share_a_key(one: FlagId, other: FlagId, metric: str, other_metric: str) -> None:
    same = naming.series_key(one, metric) == naming.series_key(other, other_metric)
    assert same == ((one, metric) == (other, other_metric))
    assert naming.series_key(one, metric) not in {busy_key(one.app), late_key(one.app)}


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
