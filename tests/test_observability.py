"""Names of log events, the page that lists them, and that each alert rule says what to do. `tests/e2e/` runs it all."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from log_events import COMPUTED, event_names, logged
from observability_page import page_events

ROOT = Path(__file__).parent.parent
RULES = ROOT / "deploy" / "observability" / "prometheus" / "tailslide-rules.yml"
DASHBOARDS = sorted((ROOT / "deploy" / "observability" / "grafana").glob("*.json"))
SNAKE_CASE = re.compile(r"[a-z]+(_[a-z0-9]+)*")
MOST_LETTERS = 40


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


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
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    assert [rule["alert"] for rule in rules()] == headings
    for rule in rules():
        annotations = rule["annotations"]
        assert re.fullmatch(r"\d+[mh]", rule["for"]), rule
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}, rule
        assert annotations["summary"], rule
        assert annotations["description"], rule
        assert annotations["runbook_url"] == f"docs/runbooks.md#{rule['alert'].lower()}"


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
