"""A whole run of the simulation: what it says of the aims, and the pages and the JSON that it writes."""

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import circuit_sim
import pytest
from circuit_sim import Extent, at_times, simulate
from sim_bench import false_trips, plot, report
from sim_bench.detection import Case
from sim_bench.result import Result, aims
from sim_bench.settings import DEFAULT, Chosen, Verdict, best
from sim_bench.summary import summary

TINY = Extent(
    thresholds=(80.0, 5.0),
    volumes=(1.0, 100.0, circuit_sim.BUSIEST),
    above=(1.2,),
    runs=3,
    samples=10,
    grid=(DEFAULT,),
    judged_runs=3,
    judged_samples=3,
    days=0.005,
    busy_days=0.001,
)


def verdict(chosen: Chosen, calls: float = 14.0, false: float = 0.1) -> Verdict:
    return Verdict(chosen, 50.0, false, 10.0, (0.25, 0.5), (calls, calls), 14, 15)


def test_the_best_settings_meet_all_aims_with_the_fewest_calls() -> None:
    slow, nervous = replace(DEFAULT, min_calls=20), replace(DEFAULT, min_calls=5)
    verdicts = [verdict(slow, 15.0), verdict(DEFAULT), verdict(nervous, 5.0, math.inf)]
    assert best(verdicts) == verdicts[1]
    assert best(verdicts[2:]) is None
    assert best([]) is None
    assert best([replace(verdicts[0], steady_calls_at_1_a_minute=None)]) is None
    assert best([replace(verdicts[0], calls_at_1=(16.0, 20.0))]) is None


@pytest.fixture(scope="module")
def tiny() -> Result:
    return simulate(TINY)


def test_each_aim_is_said_of_each_threshold(tiny: Result) -> None:
    said = list(aims(tiny))
    assert [aim.threshold for aim in said] == [80.0] * 7 + [5.0] * 7
    lines = [line for line in report.page(tiny).splitlines() if line.endswith(("| met |", "| MISSED |"))]
    assert len(lines) >= len(said)
    assert all(any(aim.asked in line and aim.seen in line for line in lines) for aim in said)
    calm = [aim for aim in said if "any volume" in aim.asked]
    assert [aim.met for aim in calm] == [True, True]


def test_a_trip_at_the_busiest_is_an_aim_missed(tiny: Result) -> None:
    nervous = replace(tiny.busy[0], counted=false_trips.counted(3, tiny.busy[0].days))
    missed = [aim for aim in aims(replace(tiny, busy=[nervous])) if not aim.met and "10,000/s" in aim.asked]
    assert len(missed) == 1
    assert "3 counted" in missed[0].seen


def test_the_json_of_a_quick_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny: Result
) -> None:
    monkeypatch.setattr(circuit_sim, "simulate", {circuit_sim.QUICK: tiny}.__getitem__)
    monkeypatch.setattr("sys.argv", ["circuit_sim.py", "--quick", "--json"])
    circuit_sim.main()
    printed = capsys.readouterr().out.splitlines()
    found = json.loads(printed[-1], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    assert found.keys() == {"benchmark", "rows", "ratios"}
    assert found["benchmark"] == "circuit_sim"
    assert {row["table"] for row in found["rows"]} == {"aims", "false_trips", "time_to_trip", "checks", "settings"}
    rules = {"ours", "Wilson alone", "fixed ratio", "5 in a row", "100 calls"}
    for table in ("false_trips", "time_to_trip"):
        assert {row["rule"] for row in found["rows"] if row["table"] == table} == rules
    assert all(isinstance(value, int | float) for value in found["ratios"].values())
    assert {"false_trips_30d_5pct", "dead_100rps_p99_s_80pct", "dead_1rps_steady_calls_5pct"} <= found["ratios"].keys()
    assert printed[0].startswith("# How fast a circuit trips")


def test_what_never_trips_or_is_too_much_to_tell_is_null_in_json_and_no_ratio() -> None:
    never = replace(verdict(DEFAULT, math.inf, math.inf), seconds_at_100=(0.25, math.inf), steady_calls_at_1=None)
    found = json.loads(json.dumps(summary(Result(verdicts=[never])), allow_nan=False))
    [row] = (row for row in found["rows"] if row["table"] == "settings")
    assert (row["false_trips_30d"], row["dead_100rps_s"], row["dead_1rps_calls"]) == (None, [0.25, None], [None, None])
    assert found["ratios"] == {"dead_1_a_minute_calls_50pct": 15}
    assert [row["seen"] for row in found["rows"] if row["table"] == "aims" and "1/s" in row["aim"]] == [
        "never trips",
        "never",
        "never",
    ]


def test_a_full_run_writes_its_pages_and_the_same_ones_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny: Result
) -> None:
    names = ("fewest", "dead", "mild", "false")
    page = tmp_path / "settings.md"
    page.write_text("A word.\n" + "".join(f"<!-- measured: {name} -->\n<!-- end -->\n" for name in names))
    monkeypatch.setattr(circuit_sim, "FULL", TINY)
    monkeypatch.setattr(circuit_sim, "DOCS", tmp_path)
    monkeypatch.setattr("sys.argv", ["circuit_sim.py"])
    circuit_sim.main()

    assert (tmp_path / "simulation.md").read_text() == report.page(tiny)
    assert (tmp_path / "simulation.svg").read_text() == plot.svg(tiny)
    assert page.read_text().startswith("A word.\n<!-- measured: fewest -->\n| threshold |")


def test_the_checks_are_of_what_was_estimated(tiny: Result) -> None:
    assert summary(tiny)["rows"]
    for check in (*tiny.checks, *tiny.busy):
        assert tiny.false_trips[check.case][check.bound] == check.estimated
    assert {check.case for check in tiny.busy} == {at_times(0.5, each, circuit_sim.BUSIEST) for each in (80.0, 5.0)}


def test_the_plot_has_a_line_for_each_rule_and_panel(tiny: Result) -> None:
    root = ElementTree.fromstring(plot.svg(tiny))
    space = "{http://www.w3.org/2000/svg}"
    titles = [text.text for text in root.iter(f"{space}text") if text.get("class") == "title"]
    assert len(titles) == 4
    for number in range(len(report.RULES)):
        points = [circle for circle in root.iter(f"{space}circle") if circle.get("class") == f"rule{number}"]
        assert len(points) == sum(len(line) for line in lines_of(tiny, report.RULES[number]))


def lines_of(result: Result, rule: str) -> list[list[Case]]:
    dead = [case for case, each in result.found.items() if case.error_rate == 1 and each[rule].after_s(50) is not None]
    half = [case for case in result.false_trips if case.error_rate == case.threshold / 200]
    return [dead, half]
