"""The commands that make a series, and which of their answers mean that there is nothing left to do."""

import pytest

from tailslide_core.naming import RAW_RETENTION_MS, RESOLUTIONS, FlagId
from tailslide_sidecar.series_making import (
    is_behind,
    is_done,
    is_far_ahead,
    looking_at,
    making,
    noting,
    taking_away,
)

FLAG = FlagId("shop", "search")
RAW = "ts:{shop}:search:failure"


def test_a_series_comes_with_its_copies() -> None:
    commands = list(making(FLAG, "failure"))
    assert [command[:2] for command in commands[:2]] == [("TS.CREATE", RAW), ("TS.ALTER", RAW)]
    assert {command[2:] for command in commands[:2]} == {
        (
            *("RETENTION", RAW_RETENTION_MS, "DUPLICATE_POLICY", "SUM"),
            *("LABELS", "app", "shop", "flag", "search", "metric", "failure"),
        )
    }
    copies = [command[1] for command in commands[2:] if command[0] == "TS.CREATE"]
    assert copies == [f"{RAW}:{each.label}" for each in RESOLUTIONS]
    assert {command[0] for command in commands} == {"TS.CREATE", "TS.ALTER"}


def test_aerobat_is_told_of_series() -> None:
    series = [("search", "failure"), ("a.b", "variant:blue")]
    assert noting("shop", series) == ("SADD", "ts:{shop}:new", "search:failure", "a.b:variant:blue")


@pytest.mark.parametrize(("metric", "label"), [("variant:blue", "blue"), ("rule:beta.2", "beta.2")])
def test_evaluations_have_a_label_for_their_name_and_no_copy_as_fine_as_they_are(metric: str, label: str) -> None:
    commands = list(making(FLAG, metric))
    kind = metric.partition(":")[0]
    assert commands[0][-8:] == ("app", "shop", "flag", "search", "metric", kind, kind, label)
    copy = f"ts:{{shop}}:search:{metric}:1m"
    assert [command[1] for command in commands if command[0] == "TS.CREATE"] == [f"ts:{{shop}}:search:{metric}", copy]
    assert taking_away(FLAG, metric)[1] == ("DEL", f"ts:{{shop}}:search:{metric}", copy)


@pytest.mark.parametrize(
    "text",
    [
        "TSDB: key already exists",
        "TSDB: the key does not exist",
        "TSDB: the key is not a TSDB key",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
    ],
)
def test_somebody_was_quicker_or_has_the_name(text: str) -> None:
    assert is_done(Exception(text))


@pytest.mark.parametrize("text", ["OOM command not allowed", "TSDB: Couldn't parse LABELS", "no answer within 1 s"])
def test_everything_else_is_a_failure(text: str) -> None:
    assert not is_done(Exception(text))


def test_a_series_that_is_ahead_goes_with_its_copies() -> None:
    assert is_behind(Exception("TSDB: Timestamp is older than retention"))
    assert not is_behind(Exception("TSDB: the key does not exist"))
    assert [command[0] for command in looking_at(FLAG, "failure")] == ["WATCH", "TS.GET", "TIME"]
    assert taking_away(FLAG, "failure") == (("MULTI",), ("DEL", RAW, f"{RAW}:10s", f"{RAW}:1m"), ("EXEC",))


def test_only_what_is_ahead_by_more_than_is_kept_is_in_the_way() -> None:
    assert is_far_ahead(RAW_RETENTION_MS + 18, 17)
    assert not is_far_ahead(RAW_RETENTION_MS + 17, 17)
