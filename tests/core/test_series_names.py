"""Time series: their keys, their labels, their coarser copies, and which of them make a flag busy."""

from hypothesis import given
from hypothesis import strategies as st

from tailslide_core import naming
from tailslide_core.naming import FlagId

FLAG = FlagId("checkout", "new-checkout")
keys = st.from_regex(rf"\A(?:{naming.FLAG_KEY_PATTERN})\Z").filter(naming.is_flag_key)
metrics = st.sampled_from([*naming.JUDGED_METRICS, "fallback_success", "latency_le_5"]) | st.builds(
    "{}{}".format, st.sampled_from(["variant:", "rule:"]), keys
)
names = st.tuples(keys, metrics, st.sampled_from(["", ":10s", ":1m"]))


def test_keys_are_those_of_the_design() -> None:
    assert naming.series_key(FLAG, "success") == "ts:{checkout}:new-checkout:success"
    assert naming.series_labels(FLAG, "success") == {"app": "checkout", "flag": "new-checkout", "metric": "success"}


@given(names, names)
def test_no_two_series_share_a_key(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    first, second = (naming.series_key(FlagId("a", flag), metric) + copy for flag, metric, copy in (one, other))
    assert (first == second) == (one == other)
    assert first not in {naming.busy_key("a"), naming.late_key("a")}


def test_series_of_evaluations_are_found_by_what_they_count() -> None:
    labels = {"app": "checkout", "flag": "new-checkout"}
    assert naming.series_labels(FLAG, "variant:blue") == {**labels, "metric": "variant", "variant": "blue"}
    assert naming.series_labels(FLAG, "rule:2") == {**labels, "metric": "rule", "rule": "2"}


def test_only_what_is_counted_of_a_feature_makes_its_flag_busy() -> None:
    busy = [*naming.JUDGED_METRICS, "latency_le_5", "latency_le_inf"]
    quiet = ["fallback_success", "fallback_failure", "fallback_slow", "variant:success", "rule:failure"]
    assert [metric for metric in busy + quiet if naming.makes_busy(metric)] == busy


def test_evaluations_have_no_copy_as_fine_as_they_are_written() -> None:
    assert [each.label for each in naming.resolutions_of("variant:on")] == ["1m"]
    assert [each.label for each in naming.resolutions_of("rule:1")] == ["1m"]
    assert naming.resolutions_of("fallback_success") == naming.resolutions_of("success") == naming.RESOLUTIONS
