"""What running processes tell: the metrics that dashboards and the page name, and the log events of the page.

Alert rules ask for what the page has: `tests/test_observability.py`.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import platformdirs
import pytest
from alert_scenes import increases
from log_events import event_names
from observability_page import page_metrics
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from scene import APP, FLAG, Scene
from suite_install import without

from tailslide_core.circuit import State

ROOT = Path(__file__).parent.parent.parent
DASHBOARDS = sorted((ROOT / "deploy" / "observability" / "grafana").glob("*.json"))
CHECKER = ROOT / "tests" / "conformance" / "observability"
PARTS = ("sidecar", "aerobat", "tower")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
LIBRARY_LABELS = {"job", "instance"}
"""What Prometheus itself adds."""
BUILD_S = 600.0

Asked = Mapping[str, list[Mapping[str, Any]]]
"""What each file asks for: expressions, each with the metrics that it selects."""
Told = dict[str, Metric]
"""Families of metrics by the name of each sample."""


async def metrics_of(scene: Scene, part: str) -> Told:
    address = scene.loop.addresses.flags if part == "sidecar" else getattr(scene.loop.addresses, part)
    async with aiohttp.ClientSession() as session, session.get(f"{address}/metrics") as response:
        assert response.status == 200
        text = await response.text()
    await assert_promtool_has_nothing_to_say(text)
    families = list(text_string_to_metric_families(text))
    return {f"{family.name}{suffix}": family for family in families for suffix in SUFFIXES[family.type]}


async def assert_promtool_has_nothing_to_say(text: str) -> None:
    program = shutil.which("promtool")
    if program is None:
        return  # `test_alert_rules` fails for the want of it where it has to be there
    pipe = asyncio.subprocess.PIPE
    lint = await asyncio.create_subprocess_exec(program, "check", "metrics", stdin=pipe, stdout=pipe, stderr=pipe)
    said = await lint.communicate(text.encode())
    assert (lint.returncode, *said) == (0, b"", b"")


def lines_of(scene: Scene, part: str) -> list[dict[str, Any]]:
    text = scene.loop.stack.children[part].spec.log.read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def asked() -> Asked:
    """Return what each file asks for, once Prometheus's and Grafana's own readers have found nothing wrong with it."""
    go = shutil.which("go")
    if go is None:
        without("expected go on PATH, without which dashboards are not read")
    program = platformdirs.user_cache_path("tailslide") / "observability-checker"
    program.parent.mkdir(parents=True, exist_ok=True)
    own = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    # Not optimised, because with an empty cache building takes most of the time.
    built = subprocess.run(
        [go, "build", "-gcflags=all=-N -l", "-o", str(program), "."],
        cwd=CHECKER,
        env={**os.environ, **own},
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_S,
    )
    assert built.returncode == 0, built.stderr
    read = subprocess.run([program, *DASHBOARDS], check=False, capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
    found: Asked = json.loads(read.stdout)
    return found


@pytest.mark.timeout(BUILD_S + 120)  # the checker is built once, before the scene
async def test_what_is_asked_for_is_told_and_what_is_told_is_on_the_page(asked: Asked, scene: Scene) -> None:
    assert_counters_of_alerts_are_told({part: await metrics_of(scene, part) for part in PARTS})
    scene.services.new.break_down()
    await scene.until(State.OPEN)
    scene.services.new.heal()
    await scene.until(State.CLOSED)
    told = {part: await metrics_of(scene, part) for part in PARTS}

    for part, metrics in told.items():
        own = {name: family for name, family in metrics.items() if not name.startswith("process_")}
        page = page_metrics(part.capitalize())
        names = {f"{family.name}_total" if family.type == "counter" else family.name for family in own.values()}
        assert page.keys() == names
        for name, family in own.items():
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            on_page = page.get(name) or page[family.name]
            assert on_page[0] == family.type, name
            assert labels in (set(), on_page[1]), name

    everything: Told = {name: family for metrics in told.values() for name, family in metrics.items()}
    assert len(asked) == len(DASHBOARDS) > 1
    for file, expressions in asked.items():
        assert expressions, file
        for each in expressions:
            for metric in each["metrics"]:
                assert metric["name"] in everything, f"{file}: {each['expression']}"
                samples = everything[metric["name"]].samples
                labels = {label for sample in samples for label in sample.labels} | LIBRARY_LABELS
                assert not samples or metric["labels"].keys() <= labels, f"{file}: {each['expression']}"

    assert_outcomes_are_told(told["sidecar"])
    assert_logs_tell_of_the_circuit(scene)


def assert_counters_of_alerts_are_told(told: Mapping[str, Told]) -> None:
    """Of a series that begins with its first event, `increase` would miss that one."""
    counters = list(increases())
    assert len(counters) > 10
    for metric, labels in counters:
        _, part, _ = metric.split("_", 2)
        samples = told[part][metric].samples
        assert any(labels.items() <= sample.labels.items() for sample in samples), (metric, labels)


def assert_outcomes_are_told(metrics: Told) -> None:
    samples = metrics["tailslide_sidecar_outcomes_total"].samples
    assert {(sample.labels["app"], sample.labels["flag"]) for sample in samples} == {(APP, FLAG)}
    counts = {(each.labels["target"], each.labels["outcome"], each.labels["cause"]): each.value for each in samples}
    assert counts["feature", "failure", "5xx"] > 0
    assert counts["feature", "success", "none"] > 0
    assert counts["fallback", "success", "none"] > 0
    assert counts["feature", "failure", "refused"] == 0


def assert_logs_tell_of_the_circuit(scene: Scene) -> None:
    events = event_names()
    for part in PARTS:
        lines = lines_of(scene, part)
        assert lines, part
        assert [line["event"] for line in lines if line["event"] not in events] == []
    for part, flag in (("sidecar", FLAG), ("aerobat", f"{APP}.{FLAG}")):
        moves = [line for line in lines_of(scene, part) if line["event"].startswith("circuit_") and "state" in line]
        # After a while its trips are forgotten, which may be told by now.
        assert [line["event"] for line in moves if line["event"] != "circuit_calm"] == [
            "circuit_opened",
            "circuit_recovering",
            *["circuit_step"] * 2,
            "circuit_closed",
        ], part
        opened = moves[0]
        assert (opened["flag"], opened["level"], opened["rule"]) == (flag, "warning", "error_rate")
        assert opened["message"].startswith(f"The circuit of {FLAG} opened: ")
        assert "The circuit lets users back in by itself from " in opened["message"]
