"""The file is taken again whole or not at all, and only when it has changed and stands still."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from open_files import no_descriptor_left
from permissions import change_permissions, heed_permissions
from structlog.testing import capture_logs

from tailslide_sidecar.proxy.limits import ProxyLimits
from tailslide_sidecar.proxy.routes import ForwardHost, Side
from tailslide_sidecar.reload import Changeable, RouteReloader, needing_restart
from tailslide_sidecar.settings import Settings, load_config

ONE = "{app: shop, routes: [{upstream: 'http://a:1'}]}"
TWO = "{app: shop, routes: [{upstream: 'http://b:1'}, {answer: {status: 404}}]}"
WRONG = "{app: shop, routes: [{upstream: 'http://b:1'}, {upstream: b}]}"


@dataclass
class Scene:
    path: Path
    now_s: float = 100.0
    applied: list[Changeable] = field(default_factory=list)

    def start(self, text: str = ONE, poll_s: float = 0.001) -> RouteReloader:
        self.path.write_text(text)
        settings = load_config(self.path, {})
        return RouteReloader(settings, self.applied.append, now_s=lambda: self.now_s, poll_s=poll_s)

    def upstreams(self) -> list[str]:
        """The first upstream of each list of routes that was taken."""
        sides = [change.routes[0].upstream for change in self.applied]
        assert all(isinstance(side, Side) for side in sides)
        return [str(side) for side in sides]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "sidecar.yaml")


async def test_a_file_that_stays_as_it_is_is_not_read_again(scene: Scene) -> None:
    reloader = scene.start()
    for _ in range(3):
        await reloader.look()
    assert (scene.applied, reloader.loaded, reloader.refused, reloader.loaded_at) == ([], 0, 0, 100.0)


async def test_a_change_is_taken_once_it_stands_still(scene: Scene) -> None:
    reloader = scene.start()
    scene.path.write_text("{app: shop, routes: []}")
    await reloader.look()
    scene.path.write_text(TWO)
    await reloader.look()
    assert scene.applied == []
    scene.now_s = 200.0
    await reloader.look()
    await reloader.look()
    assert scene.upstreams() == ["http://b:1"]
    assert len(scene.applied[0].routes) == 2
    assert (reloader.loaded, reloader.refused, reloader.loaded_at, reloader.problem) == (1, 0, 200.0, None)


async def test_a_change_between_the_start_and_the_first_look_is_not_missed(scene: Scene) -> None:
    reloader = scene.start()
    scene.path.write_text(TWO)
    await reloader.look()
    await reloader.look()
    assert scene.upstreams() == ["http://b:1"]


async def test_what_is_wrong_changes_nothing_and_is_told_once(scene: Scene) -> None:
    reloader = scene.start()
    scene.path.write_text(WRONG)
    with capture_logs() as logs:
        for _ in range(4):
            await reloader.look()
    assert scene.applied == []
    assert (reloader.loaded, reloader.refused, reloader.loaded_at) == (0, 1, 100.0)
    assert reloader.problem is not None
    assert reloader.problem.startswith(f"{scene.path}: line 1: routes[1].upstream: expected http://host:port")
    assert logs == [
        {
            "event": "configuration_refused",
            "message": "configuration refused, the old one stays",
            "problem": reloader.problem,
            "log_level": "error",
        }
    ]
    scene.path.write_text(TWO)
    await reloader.look()
    await reloader.look()
    assert scene.upstreams() == ["http://b:1"]
    assert (reloader.loaded, reloader.refused) == (1, 1)
    assert reloader.problem is None


async def test_a_value_that_no_reader_can_take_changes_nothing(scene: Scene) -> None:
    reloader = scene.start()
    scene.path.write_text("app: shop\nlimits:\n  max_connections: !!bool maybe")
    await reloader.read()
    assert (scene.applied, reloader.refused) == ([], 1)
    assert reloader.problem == (f'{scene.path}: line 3, column 20: expected YAML, but "maybe" cannot be read as bool')


async def test_an_unexpected_error_changes_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("maybe")

    reloader = scene.start()
    scene.path.write_text(TWO)
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr("tailslide_sidecar.reload.load_again", fail)
        for _ in range(4):
            await reloader.look()
    assert reloader.problem == f"""{scene.path}: could not be read (KeyError: "'maybe'")"""
    assert [(entry["event"], entry["problem"], entry["exc_info"]) for entry in logs] == [
        ("configuration_failed", reloader.problem, True)
    ]
    assert (scene.applied, reloader.refused) == ([], 1)
    await reloader.read()
    assert scene.upstreams() == ["http://b:1"]
    assert reloader.problem is None


async def test_a_file_that_could_not_be_read_is_taken_after_a_chmod(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    reloader = scene.start()
    heed_permissions(monkeypatch)
    scene.path.write_text(TWO)
    scene.path.chmod(0)
    for _ in range(2):
        await reloader.look()
    assert reloader.problem == f"{scene.path}: cannot be read (Permission denied)"
    change_permissions(scene.path, 0o600)
    for _ in range(2):
        await reloader.look()
    assert scene.upstreams() == ["http://b:1"]


async def test_a_file_that_goes_away_and_comes_back(scene: Scene) -> None:
    reloader = scene.start()
    scene.path.unlink()
    for _ in range(3):
        await reloader.look()
    assert reloader.refused == 1
    assert reloader.problem is not None
    assert "cannot be read (No such file or directory)" in reloader.problem
    scene.path.write_text(TWO)
    await reloader.look()
    await reloader.look()
    assert scene.upstreams() == ["http://b:1"]


async def test_a_file_that_could_not_be_opened_is_taken_later_as_it_is(scene: Scene) -> None:
    reloader = scene.start()
    await reloader.read()
    scene.path.write_text(TWO)
    with no_descriptor_left(), capture_logs() as logs:
        for _ in range(4):
            await reloader.look()
    assert [(entry["event"], entry["problem"]) for entry in logs] == [
        ("configuration_refused", f"{scene.path}: cannot be read (Too many open files)")
    ]
    for _ in range(2):
        await reloader.look()
    assert scene.upstreams() == ["http://b:1"]
    assert (reloader.refused, reloader.problem) == (1, None)


async def test_a_link_that_leads_elsewhere_is_a_change(scene: Scene, tmp_path: Path) -> None:
    # As a mounted ConfigMap does it: the file is a link into a folder that is a link, which is swapped.
    for name, text in (("old", ONE), ("new", TWO)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sidecar.yaml").write_text(text)
    data = tmp_path / "data"
    data.symlink_to("old")
    scene.path.symlink_to(Path("data") / "sidecar.yaml")
    reloader = RouteReloader(load_config(scene.path, {}), scene.applied.append)
    (tmp_path / "swap").symlink_to("new")
    (tmp_path / "swap").rename(data)
    await reloader.look()
    await reloader.look()
    assert scene.upstreams() == ["http://b:1"]


async def test_the_same_in_other_words_changes_nothing(scene: Scene) -> None:
    reloader = scene.start()
    scene.path.write_text("app: shop\nroutes:\n  - upstream: http://a:1\n")
    with capture_logs() as logs:
        await reloader.read()
    assert (scene.applied, reloader.loaded) == ([], 1)
    assert [line["event"] for line in logs] == ["configuration_reloaded"]


async def test_what_needs_a_restart_is_named_and_the_rest_is_taken(scene: Scene) -> None:
    reloader = scene.start("{app: shop, routes: [{upstream: 'http://a:1'}], redis: {url: 'redis://a'}}")
    scene.path.write_text(
        "{app: other, proxy_listen: '127.0.0.1:1', nats: {url: 'nats://n'}, redis: {url: 'redis://b'},"
        " limits: {max_headers: 20, drain_ms: 1},"
        " answer_header: false, forward_allow: [a.example], routes: [{upstream: 'http://b:1'}]}"
    )
    with capture_logs() as logs:
        await reloader.read()
    assert logs[0] == {
        "event": "configuration_needs_restart",
        "message": "configuration needs a restart for some of its changes",
        "fields": ["app", "nats.url", "redis.url", "proxy_listen", "limits.max_headers", "limits.drain_ms"],
        "log_level": "warning",
    }
    (taken,) = scene.applied
    assert taken.forward_allow == (ForwardHost("a.example"),)
    assert not taken.proxy.answer_header
    assert taken.proxy.limits == ProxyLimits()


def test_settings_that_are_the_same_need_no_restart() -> None:
    assert needing_restart(Settings("a"), Settings("a")) == []
    assert needing_restart(Settings("a"), Settings("a", sdk_key="k", flags_token="t")) == ["sdk_key", "flags_token"]


async def test_changes_of_traces_need_a_restart_and_are_named_as_in_the_file(scene: Scene) -> None:
    reloader = scene.start()
    scene.path.write_text(ONE[:-1] + ", traces: {url: 'http://c:4318', sample_percent: 2, max_calls_per_s: 5}}")
    with capture_logs() as logs:
        await reloader.read()
    assert logs[0]["fields"] == ["traces.url", "traces.sample_percent", "traces.max_calls_per_s"]


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_reads_when_told_to_without_waiting_for_a_look(scene: Scene) -> None:
    taken = asyncio.Event()
    scene.path.write_text(ONE)
    reloader = RouteReloader(load_config(scene.path, {}), lambda change: taken.set(), poll_s=3_600)
    task = asyncio.create_task(reloader.run())
    scene.path.write_text(TWO)
    reloader.reload()
    await taken.wait()
    assert reloader.loaded == 1
    await ended(task)


async def test_it_looks_by_itself(scene: Scene) -> None:
    taken = asyncio.Event()
    scene.path.write_text(ONE)
    reloader = RouteReloader(load_config(scene.path, {}), lambda change: taken.set(), poll_s=0.001)
    task = asyncio.create_task(reloader.run())
    scene.path.write_text(TWO)
    await taken.wait()
    await ended(task)


async def test_without_a_file_there_is_nothing_to_read() -> None:
    reloader = RouteReloader(Settings("a"), lambda change: pytest.fail("there is no file"), poll_s=0.001)
    with capture_logs() as logs:
        task = asyncio.create_task(reloader.run())
        reloader.reload()
        while not logs:
            await asyncio.sleep(0)
        await ended(task)
    assert [line["event"] for line in logs] == ["nothing_to_reload"]
