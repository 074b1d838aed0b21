"""Names of log events, the page that lists them, and that each alert rule says what to do and has scenes.

`tests/e2e/` runs the processes, and `tests/integration/test_alert_rules.py` the scenes.
"""

import json
import re
from pathlib import Path

import pytest
from alert_scenes import moments, rules, series
from log_events import COMPUTED, event_names, logged
from observability_page import page_events, page_metrics, page_metrics_with_tls

ROOT = Path(__file__).parent.parent
DASHBOARDS = sorted((ROOT / "deploy" / "observability" / "grafana").glob("*.json"))
SNAKE_CASE = re.compile(r"[a-z]+(_[a-z0-9]+)*")
MOST_LETTERS = 40


def test_log_events_have_short_names_in_snake_case() -> None:
    calls = logged()
    assert len(calls) > 150
    wrong = [
        f"{each.path}:{each.line}: {each.name}"
        for each in calls
        if each.name is not None and not (SNAKE_CASE.fullmatch(each.name) and len(each.name) <= MOST_LETTERS)
    ]
    assert wrong == []
    assert {name for name in event_names() if not SNAKE_CASE.fullmatch(name)} == set()


def test_names_that_are_computed_are_known() -> None:
    assert {(each.path, each.expression) for each in logged() if each.name is None} == COMPUTED


def test_the_page_lists_every_log_event_and_no_other() -> None:
    events = event_names()
    assert "circuit_opened" in events
    assert page_events() == events


def test_each_alert_has_a_duration_a_severity_a_summary_and_a_runbook() -> None:
    sections = re.findall(r"^### (\w+)\n\n(.*)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    assert [rule["alert"] for rule in rules()] == [heading for heading, _ in sections]
    for rule, (_, first) in zip(rules(), sections, strict=True):
        annotations = rule["annotations"]
        assert re.fullmatch(r"\d+[mh]", rule["for"]), rule
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}, rule
        assert annotations["summary"], rule
        assert annotations["description"], rule
        assert annotations["runbook_url"] == f"docs/runbooks.md#{rule['alert'].lower()}"
        when = "at once" if rule["for"] == "0m" else f"after {rule['for']}"
        assert first == f"*{annotations['summary']}* ({rule['labels']['severity']}, {when})."


def test_each_alert_has_a_scene_where_it_fires_and_one_where_it_does_not() -> None:
    told = set(moments())
    assert {name for name, _ in told} == {rule["alert"] for rule in rules()}
    assert [rule["alert"] for rule in rules() if not {(rule["alert"], True), (rule["alert"], False)} <= told] == []


def test_ranges_hold_two_samples_where_one_is_taken_a_minute() -> None:
    # Samples of scenes lie where rules are evaluated; real ones do not, so that a range of 2m may have one.
    for rule in rules():
        for number, unit in re.findall(r"\[(\d+)(\w)\]", rule["expr"]):
            assert unit == "h" or (unit == "m" and int(number) >= 3), rule["alert"]


def test_scenes_have_what_processes_tell_and_all_that_rules_ask_for() -> None:
    page = page_metrics("Sidecar") | page_metrics("Aerobat") | page_metrics("Tower") | page_metrics_with_tls()
    beside = {"tailslide_sidecar_flags_file_valid": ("gauge", set[str]())}
    read = list(series())
    for metric, labels in read:
        assert labels == (page | beside)[metric][1] | {"job", "instance"}, metric
    asked = {metric for rule in rules() for metric in re.findall(r"\btailslide_\w+", rule["expr"])}
    assert asked <= {metric for metric, _ in read}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_each_panel_has_a_place_of_its_own(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
