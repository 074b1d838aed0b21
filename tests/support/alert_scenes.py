"""The alert rules, and the scenes in which promtool has them fire, as their files have them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parent.parent.parent / "deploy" / "observability" / "prometheus"
RULES = _FOLDER / "tailslide-rules.yml"
SCENES = sorted((_FOLDER / "tests").glob("*.yml"))


def rules() -> list[dict[str, Any]]:
    """Return all rules in their order."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def increases() -> Iterator[tuple[str, dict[str, str]]]:
    """Return the counters whose increase a rule asks for, each with the labels by which it is selected."""
    for rule in rules():
        for metric, matchers in re.findall(r"\bincrease\((\w+)(\{.*?\})?\[", rule["expr"]):
            yield metric, dict(re.findall(r'(\w+)="(.*?)"', matchers))


def moments() -> Iterator[tuple[str, bool]]:
    """Return what each scene says of an alert at one moment: its name, and whether it fires."""
    for scene in _scenes():
        for moment in scene.get("alert_rule_test", ()):
            yield moment["alertname"], bool(moment["exp_alerts"])


def series() -> Iterator[tuple[str, set[str]]]:
    """Return each series that Prometheus is said to have read: its metric and its labels."""
    for scene in _scenes():
        for each in scene["input_series"]:
            metric, _, labels = each["series"].partition("{")
            yield metric, set(re.findall(r'(\w+)="', labels))


def _scenes() -> Iterator[dict[str, Any]]:
    for path in SCENES:
        yield from yaml.safe_load(path.read_text())["tests"]
