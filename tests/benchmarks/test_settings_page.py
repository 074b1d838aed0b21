"""What `docs/circuit/settings.md` says of the circuit is so in the core, and its measured tables have their places."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from sim_bench import settings_page
from sim_bench.result import Result

from tailslide_core.breach import breach
from tailslide_core.circuit import delay_ms
from tailslide_core.errors import ContractError
from tailslide_core.fields import read_object
from tailslide_core.flag_contracts import circuit_settings, circuit_settings_json
from tailslide_core.ramp import FULL, RampProfile, next_percentage
from tailslide_core.ruleset import CircuitSettings, LocalGuard, Recovery
from tailslide_core.windows import WindowCounts

PAGE = (Path(__file__).parents[2] / "docs/circuit/settings.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
DEFAULTS = circuit_settings_json(CircuitSettings(local_guard=LocalGuard()))
PLACES = "".join(f"<!-- measured: {name} -->\n{name}\n<!-- end -->\n" for name in ("fewest", "dead", "mild", "false"))


def rows(first: str) -> list[list[str]]:
    """Return the cells of the table whose head begins so, without its head."""
    lines = PAGE[PAGE.index(f"| {first} |") :].splitlines()
    table = lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in table[2:]]


def plain(text: str) -> Any:
    """Read a number as people write it, or any JSON."""
    return json.loads(text.replace(",", "").strip("`") if text[:1].isdigit() else text.strip("`"))


# The field table

FIELDS = {name.strip("`"): (default, values) for name, default, values, _ in rows("field")}


def nested(circuit: dict[str, Any], path: str) -> Any:
    value: Any = circuit
    for name in path.split("."):
        value = value[name]
    return value


def paths(circuit: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in circuit.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{name}.")


def test_every_field_is_there_and_no_other() -> None:
    assert sorted(FIELDS) == sorted(paths(DEFAULTS))


@pytest.mark.parametrize("path", [path for path in paths(DEFAULTS) if path not in {"recovery", "local_guard"}])
def test_the_defaults_are_the_core_s(path: str) -> None:
    said = FIELDS[path][0]
    assert (said.strip("`") if path == "recovery.profile" else plain(said)) == nested(DEFAULTS, path)


def test_what_is_off_by_default_is_said_to_be() -> None:
    assert CircuitSettings().local_guard is None
    assert FIELDS["local_guard"][0] == "`null`"
    assert CircuitSettings().recovery == Recovery()
    assert FIELDS["recovery"][0] == "see below"


RANGES = {
    path: (float(found[1].replace(",", "")), float(found[2].replace(",", "")))
    for path, (_, values) in FIELDS.items()
    if (found := re.match(r"([\d.]+) to ([\d.,]+)", values))
}


def read(path: str, value: float) -> CircuitSettings:
    """Read settings that say this one field, and what goes with it."""
    outer, _, inner = path.partition(".")
    number = int(value) if value == int(value) else value
    circuit: dict[str, Any] = {outer: {inner: number} if inner else number}
    if outer.startswith("slow_"):
        circuit = {"slow_call_ms": 500, "slow_threshold": 50, outer: number}
    if path == "window_ms":
        circuit["long_window_ms"] = 86_400_000
    if path == "recovery.delay_ms":
        circuit["recovery"]["max_delay_ms"] = 86_400_000
    return circuit_settings(read_object(orjson.dumps(circuit)))


@pytest.mark.parametrize("path", sorted(RANGES))
def test_the_ranges_are_the_core_s(path: str) -> None:
    low, high = RANGES[path]
    assert [read(path, low), read(path, high)]
    for outside in (low - 1, high * 2 if high > 1 else 1):
        with pytest.raises(ContractError, match="expected"):
            read(path, outside)


def test_ranges_that_begin_at_another_field_do() -> None:
    assert FIELDS["long_window_ms"][1].startswith("`window_ms` to 86,400,000")
    assert FIELDS["recovery.max_delay_ms"][1].startswith("`delay_ms` to 86,400,000")
    assert len(RANGES) == len(FIELDS) - 8
    with pytest.raises(ContractError, match="window_ms"):
        CircuitSettings(window_ms=5_000, long_window_ms=4_999)
    with pytest.raises(ContractError, match="delay_ms"):
        Recovery(delay_ms=10, max_delay_ms=9)


# Recipes


@pytest.mark.parametrize("block", BLOCKS)
def test_each_recipe_is_valid_and_says_nothing_that_is_unknown(block: str) -> None:
    said = json.loads(block)
    assert set(paths(said)) <= set(FIELDS)
    known = circuit_settings_json(circuit_settings(read_object(block.encode())))
    assert not said.keys() - known.keys()
    for path in set(paths(said)) - {"recovery", "local_guard", "failure_statuses"}:
        assert nested(known, path) == nested(said, path)
    assert said.get("recovery", {}) is not None or known["recovery"] is None
    statuses = said.get("failure_statuses", ["5xx"])
    assert known["failure_statuses"] == [str(status) for status in statuses]


def test_there_are_recipes() -> None:
    assert len(BLOCKS) >= 7


# Recovery


def test_the_ramps_are_those_of_the_core() -> None:
    ramps = rows("profile, `initial`, `increment`")
    assert len(ramps) == 6
    for name, shares, steps, took in ramps:
        profile = RampProfile(name.split("`")[1])
        initial, *more = (float(each) for each in re.findall(r"\d+", name))
        increment = more[0] if more else Recovery().increment
        ramp = [initial]
        while (following := next_percentage(ramp[-1], increment, profile)) < FULL:
            ramp.append(following)
        assert shares == ", ".join(f"{share:.3g}" for share in ramp)
        assert steps == str(len(ramp))
        assert took == f"{Recovery().delay_ms // 1000} s + {len(ramp) * Recovery().interval_ms // 1000} s"


def test_the_delays_are_those_of_the_core() -> None:
    said = [int(cell.removesuffix(" s")) for cell in rows("trip in a row")[0][1:]]
    assert said == [delay_ms(Recovery(), trips) // 1000 for trips in range(1, 7)]
    assert all(2 * shorter == longer for shorter, longer in pairwise(said[:-1]))
    assert delay_ms(Recovery(), 7) == delay_ms(Recovery(), 6)


# What it takes to open


def test_the_fewest_failures_are_as_the_core_has_them_now() -> None:
    assert settings_page.table_of(PAGE, "fewest") == settings_page.fewest()


@pytest.mark.parametrize(("failures", "calls"), [(69, 100), (559, 1_000), (26, 30)])
def test_the_numbers_in_the_text_are_the_fewest_that_open(failures: int, calls: int) -> None:
    assert f"{failures} of {calls:,}" in PAGE or f"Half an hour has {calls} calls, and {failures} of them" in PAGE
    assert breach(CircuitSettings(), [WindowCounts(10_000, calls, failures)]) is not None
    assert breach(CircuitSettings(), [WindowCounts(10_000, calls, failures - 1)]) is None


# The places of the measured tables


def test_tables_take_the_place_of_those_before() -> None:
    before = f"Above.\n{PLACES}Below.\n"
    page = settings_page.with_tables(before, Result())
    assert page.startswith("Above.\n<!-- measured: fewest -->\n| threshold |")
    assert page.endswith("<!-- end -->\nBelow.\n")
    assert settings_page.table_of(page, "fewest") == settings_page.fewest()
    assert settings_page.with_tables(page, Result()) == page


@pytest.mark.parametrize("text", ["", PLACES.replace("dead", "alive"), PLACES + PLACES])
def test_a_page_without_exactly_their_places_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"settings\.md: expected a place for each of"):
        settings_page.with_tables(text, Result())


def test_the_page_has_measured_tables() -> None:
    for name in ("dead", "mild", "false"):
        assert len(settings_page.table_of(PAGE, name)) > 4
    with pytest.raises(KeyError):
        settings_page.table_of(PAGE, "none")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "250 ms"), (1.5, "1.5 s"), (99.4, "99.4 s"), (100, "2 min"), (3_599, "60 min")]
)
def test_durations_as_people_read_them(seconds: float, text: str) -> None:
    assert settings_page.duration(seconds) == text
