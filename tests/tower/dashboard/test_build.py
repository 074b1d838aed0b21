"""How the dashboard is built into the package, with a stand-in for npm."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import dashboard_build as build
import hatch_build
import pytest
from dashboard_build import Wish, digest_of_sources, make_dashboard, wish_of
from dashboard_node import FailedError, Node, UnavailableError

CHECKOUT = Path(__file__).parents[3]


class Bench:
    """A checkout's dashboard in a folder of its own, and what the index and the registry have."""

    def __init__(self, folder: Path) -> None:
        self.sources, self.built = folder / "dashboard", folder / "package" / "built"
        self.npm_runs = 0
        self.unavailable: str | None = None
        self.built.parent.mkdir()
        self.sources.mkdir()
        (self.sources / "src.ts").write_text("one")

    def ensure_packages(self, *, development: bool) -> Node:
        self.npm_runs += 1
        if self.unavailable is not None:
            raise UnavailableError(self.unavailable)
        return FakeNode(self.sources)

    def change(self, text: str) -> None:
        (self.sources / "src.ts").write_text(text)

    @property
    def page(self) -> str | None:
        index = self.built / "site" / "index.html"
        return index.read_text() if index.exists() else None

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.built / "build.json").read_text())
        return record


class FakeNode(Node):
    """Builds a page that is the source, and compresses nothing."""

    def __init__(self, sources: Path) -> None:
        super().__init__(Path("node"), Path("npm"))
        self._sources = sources

    def script(self, script: Path, *arguments: str, limit_s: float | None = None) -> subprocess.CompletedProcess[str]:
        source = (self._sources / "src.ts").read_text()
        if source == "fail":
            return subprocess.CompletedProcess(arguments, 1, stdout="no such variable")
        if script.name == "npm":
            (site,) = (Path(word.removeprefix("--outDir=")) for word in arguments if word.startswith("--outDir="))
            site.mkdir()
            (site / "index.html").write_text(source)
        return subprocess.CompletedProcess(arguments, 0, stdout="")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(tmp_path)
    monkeypatch.setattr(build, "SOURCES", bench.sources)
    monkeypatch.setattr(build, "BUILT", bench.built)
    monkeypatch.setattr(build, "ensure_packages", bench.ensure_packages)
    return bench


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".built-lock")


def test_build_is_made_once_for_the_same_sources(bench: Bench) -> None:
    assert make_dashboard(Wish.AUTO) is None
    assert bench.page == "one"
    assert make_dashboard(Wish.REQUIRE) is None
    assert bench.npm_runs == 1
    bench.change("two")
    assert make_dashboard(Wish.AUTO) is None
    assert (bench.page, bench.npm_runs) == ("two", 2)
    assert left_in(bench.built.parent) == ["built"]


def test_build_can_be_read_by_other_users(bench: Bench) -> None:
    make_dashboard(Wish.AUTO)
    assert (bench.built.stat().st_mode & 0o055) == (bench.sources.stat().st_mode & 0o055)


@pytest.mark.parametrize("before", [False, True])
def test_without_registry_there_is_a_reason_and_no_dashboard_of_older_sources(bench: Bench, before: bool) -> None:
    if before:
        make_dashboard(Wish.AUTO)
        bench.change("two")
    bench.unavailable = "the npm registry could not be reached (ENOTFOUND)"
    assert make_dashboard(Wish.AUTO) == bench.unavailable
    assert bench.page is None
    assert bench.record["missing"] == bench.unavailable
    bench.unavailable = None
    assert make_dashboard(Wish.AUTO) is None
    assert bench.page is not None


def test_registry_is_not_asked_again_at_once_in_passing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.unavailable = "the npm registry could not be reached (ENOTFOUND)"
    now = 1000.0
    monkeypatch.setattr("time.time", lambda: now)
    for _ in range(3):
        assert make_dashboard(Wish.AUTO, in_passing=True) == bench.unavailable
    assert bench.npm_runs == 1
    now += build.RETRY_AFTER_S
    make_dashboard(Wish.AUTO, in_passing=True)
    assert bench.npm_runs == 2
    make_dashboard(Wish.AUTO)
    assert bench.npm_runs == 3
    with pytest.raises(FailedError):
        make_dashboard(Wish.REQUIRE, in_passing=True)
    bench.change("two")
    make_dashboard(Wish.AUTO, in_passing=True)
    assert bench.npm_runs == 5


def test_required_dashboard_that_cannot_be_built_is_an_error(bench: Bench) -> None:
    bench.unavailable = "the npm registry could not be reached (ENOTFOUND)"
    with pytest.raises(FailedError, match=r"ENOTFOUND.*TAILSLIDE_DASHBOARD=skip"):
        make_dashboard(Wish.REQUIRE)


def test_build_that_fails_is_an_error_and_leaves_no_older_dashboard(bench: Bench) -> None:
    make_dashboard(Wish.AUTO)
    bench.change("fail")
    with pytest.raises(FailedError, match="no such variable"):
        make_dashboard(Wish.AUTO)
    assert bench.page is None
    assert bench.record["missing"] == "its build failed"
    assert left_in(bench.built.parent) == ["built"]


def test_dashboard_is_left_out_on_request(bench: Bench) -> None:
    make_dashboard(Wish.AUTO)
    assert make_dashboard(Wish.SKIP) == bench.record["missing"] == "it was left out (TAILSLIDE_DASHBOARD=skip)"
    assert (bench.page, bench.npm_runs) == (None, 1)
    assert make_dashboard(Wish.AUTO) is None


def test_folder_of_a_killed_build_is_removed(bench: Bench) -> None:
    (bench.built.parent / ".built-old" / "new").mkdir(parents=True)
    make_dashboard(Wish.AUTO)
    assert left_in(bench.built.parent) == ["built"]


def test_digest_follows_what_a_build_reads(bench: Bench) -> None:
    before = digest_of_sources()
    for name in ("node_modules/a.js", "a.test.ts", "a.tsbuildinfo", ".vite/x", "dist/index.html"):
        path = bench.sources / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
        assert digest_of_sources() == before, name
    for name in (".npmrc", "public/a.svg", "src/b.ts"):
        path = bench.sources / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
        assert digest_of_sources() != before, name
        before = digest_of_sources()


def test_wish_is_that_of_the_environment() -> None:
    assert wish_of({}) is Wish.AUTO
    assert wish_of({"CI": "true"}) is Wish.REQUIRE
    assert wish_of({"CI": "true", "TAILSLIDE_DASHBOARD": "auto"}) is Wish.AUTO
    assert wish_of({"TAILSLIDE_DASHBOARD": "skip"}) is Wish.SKIP
    with pytest.raises(FailedError, match="auto, require, skip"):
        wish_of({"TAILSLIDE_DASHBOARD": "yes"})


@pytest.mark.parametrize(
    ("environ", "platforms", "asked"),
    [
        ({}, ["linux_x86_64", "manylinux_2_28_x86_64"], [hatch_build.NODE]),
        ({}, ["linux_riscv64", "manylinux_2_39_riscv64"], []),
        ({"TAILSLIDE_DASHBOARD": "skip"}, ["manylinux_2_28_x86_64"], []),
    ],
)
def test_node_is_a_requirement_only_where_it_is_used(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    platforms: list[str],
    asked: list[str],
) -> None:
    nothing: Any = None
    hook = hatch_build.DashboardHook("", {}, nothing, nothing, "", "wheel")
    monkeypatch.setattr(hatch_build, "platform_tags", lambda: iter(platforms))
    for name in ("CI", "TAILSLIDE_DASHBOARD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert hook.dependencies() == asked
    make_dashboard(Wish.AUTO)
    assert hook.dependencies() == []


def test_node_of_a_build_is_that_of_development() -> None:
    hook = (CHECKOUT / "tower" / "dashboard" / "packaging" / "hatch_build.py").read_text()
    (requirement,) = re.findall(r'^NODE = "(.+)"$', hook, re.MULTILINE)
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert any(line.startswith(f"{requirement} ;") for line in project["optional-dependencies"]["dev"])


def test_lock_file_names_no_registry() -> None:
    lock = json.loads((CHECKOUT / "tower" / "dashboard" / "package-lock.json").read_text())
    assert not any("resolved" in package for package in lock["packages"].values())
