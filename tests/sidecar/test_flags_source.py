"""The store follows the file: whole or not at all, and only when the file has changed and stands still."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from open_files import no_descriptor_left
from permissions import change_permissions, heed_permissions
from structlog.testing import capture_logs

from tailslide_core.decisions import Reason
from tailslide_core.evaluation import Context
from tailslide_core.evaluation import decide as decide_prepared
from tailslide_sidecar.flag_store import FlagStore, Origin
from tailslide_sidecar.flags_file import read_flags_file
from tailslide_sidecar.flags_source import FlagsSource
from tailslide_sidecar.route_file import RoutePart

ONE = "app: shop\nflags: {f: {active: true}}"
TWO = "app: shop\nflags: {f: {active: false}, g: {active: true}}"
WRONG = "app: shop\nflags:\n  f: {active: maybe}"
PROBLEM = 'line 3: flags.f.active: expected true or false, got "maybe"'


@dataclass
class Scene:
    path: Path
    now_s: float = 100.0
    changes: int = 0
    store: FlagStore = field(default_factory=lambda: FlagStore("shop"))

    def start(self, text: str = ONE, *, routes: tuple[Any, ...] = (), poll_s: float = 0.001) -> FlagsSource:
        self.path.write_text(text)
        return FlagsSource(
            read_flags_file(self.path, None),
            self.store,
            routes,
            changed=self.count,
            now_s=lambda: self.now_s,
            clock=lambda: self.now_s,
            poll_s=poll_s,
        )

    def count(self) -> None:
        self.changes += 1

    def versions(self) -> dict[str, int]:
        return {flag: held.ruleset.version for flag, held in self.store.all_held().items()}

    def reason(self, flag: str) -> Reason:
        held = self.store.held(flag)
        assert held is not None
        return decide_prepared(held.prepared, "ada", Context().attributes).reason


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "flags.yaml")


async def test_the_store_has_the_file_from_the_start(scene: Scene) -> None:
    source = scene.start()
    assert (scene.store.origin, scene.store.is_published, scene.versions()) == (Origin.FILE, None, {"f": 1})
    for _ in range(3):
        await source.look()
    assert (source.loaded, source.refused, source.problem, scene.changes) == (1, 0, None, 0)


async def test_a_change_is_taken_once_it_stands_still(scene: Scene) -> None:
    source = scene.start()
    scene.path.write_text("app: shop\nflags: {}")
    await source.look()
    scene.path.write_text(TWO)
    await source.look()
    assert scene.versions() == {"f": 1}
    scene.now_s = 200.0
    await source.look()
    assert (scene.versions(), scene.reason("f"), scene.reason("g")) == (
        {"f": 2, "g": 1},
        Reason.DISABLED,
        Reason.STATIC,
    )
    assert (source.loaded, source.loaded_at, scene.changes) == (2, 200.0, 1)


async def test_a_flag_that_is_gone_from_the_file_is_gone(scene: Scene) -> None:
    source = scene.start(TWO)
    scene.path.write_text("app: shop\nflags: {g: {active: true}}")
    await source.read()
    assert scene.versions() == {"g": 1}


async def test_what_says_the_same_changes_no_version(scene: Scene) -> None:
    source = scene.start(ONE)
    scene.path.write_text("# a remark\napp: shop\nflags: {f: {active: true, rollout: 100}}")
    await source.read()
    assert (scene.versions(), source.loaded, scene.changes) == ({"f": 1}, 2, 0)


async def test_a_value_of_another_kind_is_another_value_though_python_calls_it_equal(scene: Scene) -> None:
    text = "app: shop\nflags: {f: {type: object, variants: {a: {x: %s}, b: {}}, off_variant: b, active: true}}"
    source = scene.start(text % "1")
    for version, value in enumerate(("true", "1.0", "1"), start=2):
        scene.path.write_text(text % value)
        await source.read()
        assert scene.versions() == {"f": version}


async def test_a_version_that_the_file_gives_goes_on_from_there(scene: Scene) -> None:
    text = "app: shop\nflags: {f: {version: %d, rollout: %d}}"
    source = scene.start(text % (7, 10))
    seen = [scene.versions()["f"]]
    for version, rollout in ((7, 20), (7, 30), (12, 30), (12, 30)):
        scene.path.write_text(text % (version, rollout))
        await source.read()
        seen.append(scene.versions()["f"])
    assert seen == [7, 8, 9, 12, 12]


async def test_a_segment_changes_the_flags_that_use_it(scene: Scene) -> None:
    rules = "rules: [{when: [{operator: in_segment, values: [beta]}], rollout: 100}]"
    text = f"app: shop\nflags: {{f: {{active: true, rollout: 0, {rules}}}}}\nsegments: {{beta: {{include: [%s]}}}}"
    source = scene.start(text % "bob")
    assert scene.reason("f") is Reason.STATIC
    scene.path.write_text(text % "ada")
    await source.read()
    assert (scene.reason("f"), scene.versions(), scene.store.segments()["beta"].version, scene.changes) == (
        Reason.TARGETING_MATCH,
        {"f": 1},
        2,
        1,
    )


@pytest.mark.parametrize("value", ["!!bool maybe", "!!timestamp abc", "9" * 400, "0x" + "f" * 400])
async def test_a_value_that_no_reader_can_take_keeps_the_last_good_flags(scene: Scene, value: str) -> None:
    source = scene.start()
    scene.path.write_text(f"app: shop\nflags:\n  f: {{rollout: {value}}}")
    await source.read()
    assert source.problem is not None
    assert source.problem.startswith(f"{scene.path}: line 3, column 16: expected YAML, but ")
    assert (scene.versions(), source.refused) == ({"f": 1}, 1)


async def test_an_unexpected_error_keeps_the_last_good_flags(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("x" * 1_000)

    source = scene.start()
    scene.path.write_text(TWO)
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr("tailslide_sidecar.flags_source.read_flags_file", fail)
        for _ in range(4):
            await source.look()
    assert [(entry["event"], entry["problem"], entry["exc_info"]) for entry in logs] == [
        ("flags_file_failed", source.problem, True)
    ]
    assert source.problem is not None
    assert source.problem.startswith(f"{scene.path}: could not be read (KeyError: ")
    assert len(source.problem) < 300 + len(str(scene.path))
    assert (scene.versions(), source.refused, source.connected) == ({"f": 1}, 1, False)
    await source.read()
    assert (scene.reason("f"), source.connected) == (Reason.DISABLED, True)


async def test_a_file_that_could_not_be_read_is_taken_after_a_chmod(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = scene.start()
    heed_permissions(monkeypatch)
    scene.path.write_text(TWO)
    scene.path.chmod(0)
    for _ in range(2):
        await source.look()
    assert source.problem == f"{scene.path}: cannot be read (Permission denied)"
    change_permissions(scene.path, 0o600)
    for _ in range(2):
        await source.look()
    assert (scene.reason("f"), source.connected) == (Reason.DISABLED, True)


async def test_many_mistakes_are_a_short_sentence(scene: Scene) -> None:
    source = scene.start()
    scene.path.write_text("app: shop\nflags:\n" + "".join(f"  f{n}: {{active: maybe}}\n" for n in range(200)))
    await source.read()
    assert source.problem is not None
    assert source.problem.endswith("; and 190 more")
    assert len(source.problem) < 5_000


async def test_a_broken_file_keeps_the_last_good_flags_and_is_told_once(scene: Scene) -> None:
    source = scene.start()
    scene.path.write_text(WRONG)
    with capture_logs() as logs:
        for second in range(10):
            scene.now_s = 100.0 + second
            await source.look()
    assert [(entry["event"], entry["problem"]) for entry in logs] == [
        ("flags_file_refused", f"{scene.path}: {PROBLEM}")
    ]
    assert (scene.versions(), source.connected, source.refused, source.loaded) == ({"f": 1}, False, 1, 1)
    assert source.silent_for_s() == 9.0
    scene.path.write_text(TWO)
    for _ in range(2):
        await source.look()
    assert (scene.versions(), source.connected, source.problem) == ({"f": 2, "g": 1}, True, None)
    assert source.silent_for_s() == 0.0


async def test_a_file_that_is_mended_to_what_it_was_is_good_again(scene: Scene) -> None:
    source = scene.start()
    for text in (WRONG, ONE):
        scene.path.write_text(text)
        await source.read()
    assert (scene.versions(), source.problem, scene.changes) == ({"f": 1}, None, 0)


async def test_a_file_that_disappears_keeps_the_flags_until_it_is_back(scene: Scene) -> None:
    source = scene.start()
    scene.path.unlink()
    with capture_logs() as logs:
        for _ in range(5):
            await source.look()
    assert [entry["problem"] for entry in logs] == [f"{scene.path}: cannot be read (No such file or directory)"]
    assert scene.versions() == {"f": 1}
    new = scene.path.with_suffix(".new")
    new.write_text(TWO)
    new.rename(scene.path)
    for _ in range(2):
        await source.look()
    assert (scene.versions(), source.problem) == ({"f": 2, "g": 1}, None)


async def test_a_file_that_could_not_be_opened_is_taken_later_as_it_is(scene: Scene) -> None:
    source = scene.start()
    await source.read()
    scene.path.write_text(TWO)
    with no_descriptor_left(), capture_logs() as logs:
        for second in range(4):
            scene.now_s = 100.0 + second
            await source.look()
    assert [(entry["event"], entry["problem"]) for entry in logs] == [
        ("flags_file_refused", f"{scene.path}: cannot be read (Too many open files)")
    ]
    assert (scene.versions(), source.connected, source.silent_for_s()) == ({"f": 1}, False, 3.0)
    for _ in range(2):
        await source.look()
    assert (scene.versions(), source.refused, source.silent_for_s()) == ({"f": 2, "g": 1}, 1, 0.0)


async def test_another_app_in_the_file_is_refused(scene: Scene) -> None:
    source = scene.start()
    scene.path.write_text("app: other\nflags: {}")
    await source.read()
    assert source.problem is not None
    assert "expected shop" in source.problem
    assert scene.versions() == {"f": 1}


async def test_a_route_that_names_a_flag_which_the_file_lacks_is_told_once(scene: Scene) -> None:
    part = {"flag": "g", "feature": "http://a:1", "fallback": "http://b:1"}
    source = scene.start(routes=(RoutePart.model_validate(part).read(),))
    with capture_logs() as logs:
        await within(source, lambda: bool(logs))
        source.use(())
    assert [entry["flag"] for entry in logs] == ["g"]


async def within(source: FlagsSource, holds: Callable[[], bool]) -> None:
    """Run a source until something holds."""
    running = asyncio.ensure_future(source.run())
    try:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("tell", [False, True])
async def test_it_is_read_in_time_or_when_told(scene: Scene, *, tell: bool) -> None:
    source = scene.start(poll_s=3_600.0 if tell else 0.001)
    scene.path.write_text(TWO)
    if tell:
        source.reload()
    await within(source, lambda: scene.versions() == {"f": 2, "g": 1})
    assert repr(source) == f"FlagsSource({str(scene.path)!r}, problem=None)"
