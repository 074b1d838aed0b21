"""What is remembered of sidecars, and when one counts as silent, by Tower's own clock."""

from dataclasses import replace

import orjson
import pytest
from contract_samples import PRESENCE

from tailslide_core.presence import Presence, decode_presence, encode_presence
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_tower.sidecars import registry as registry_module
from tailslide_tower.sidecars.registry import Happening, SidecarRegistry

SAMPLE = decode_presence(orjson.dumps(PRESENCE))


class Scene:
    """A registry that listens, its clock, and what it told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.registry = SidecarRegistry(clock=lambda: self.now)
        self.registry.listens(True)
        self.told: list[tuple[Happening, str]] = []
        self.registry.subscribe(
            lambda news: self.told.append((news.happening, news.sidecar.presence.instance)),
        )
        self._revision = 0

    def says(self, instance: str, **fields: object) -> Entry:
        self._revision += 1
        presence = replace(SAMPLE, instance=instance, **fields)  # type: ignore[arg-type] # fields of Presence
        entry = Entry(str(presence.sidecar_id), encode_presence(presence), self._revision)
        self.registry.take(entry)
        return entry

    def after(self, seconds: float) -> None:
        """Let time pass, looking every second as Tower does."""
        for _ in range(round(seconds)):
            self.now += 1
            self.registry.look()

    def silent(self) -> dict[str, bool]:
        return {sidecar.presence.instance: sidecar.silent for sidecar in self.registry.of("checkout")}

    def heard(self) -> list[tuple[Happening, str]]:
        told, self.told = self.told, []
        return told


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_sidecar_that_speaks_is_known(scene: Scene) -> None:
    scene.says("a", revision=7)
    (sidecar,) = scene.registry.of("checkout")
    assert sidecar.presence.revision == 7
    assert scene.registry.apps() == ["checkout"]
    assert scene.registry.of("another") == []
    assert scene.heard() == [(Happening.APPEARED, "a")]


def test_sidecar_is_silent_after_thirty_seconds_and_back_when_it_speaks(scene: Scene) -> None:
    scene.says("a")
    scene.after(30)
    assert scene.silent() == {"a": False}
    scene.after(1)
    assert scene.silent() == {"a": True}
    scene.after(10)
    assert scene.registry.silent_for_s(scene.registry.of("checkout")[0]) == 41
    scene.says("a")
    assert scene.silent() == {"a": False}
    assert scene.heard() == [(Happening.APPEARED, "a"), (Happening.SILENT, "a"), (Happening.BACK, "a")]


def test_silence_does_not_count_while_tower_itself_hears_nothing(scene: Scene) -> None:
    scene.says("a")
    scene.after(20)
    scene.registry.listens(False)
    assert not scene.registry.listening
    scene.after(600)
    assert scene.silent() == {"a": False}
    scene.registry.listens(True)
    scene.after(30)
    assert scene.silent() == {"a": False}
    scene.after(1)
    assert scene.silent() == {"a": True}


def test_listing_that_repeats_an_entry_makes_nobody_younger(scene: Scene) -> None:
    entry = scene.says("a")
    scene.after(20)
    scene.registry.take(Listing({entry.key: entry}))
    scene.registry.take(Listing({}))
    scene.after(11)
    assert scene.silent() == {"a": True}


def test_sidecar_that_stops_in_order_is_not_missed(scene: Scene) -> None:
    entry = scene.says("a")
    scene.registry.take(Entry(entry.key, None, 9))
    scene.after(60)
    assert scene.registry.apps() == []
    assert scene.heard() == [(Happening.APPEARED, "a"), (Happening.LEFT, "a")]


def test_deletion_of_one_that_was_never_heard_of_is_no_news(scene: Scene) -> None:
    scene.registry.take(Entry("checkout.a", None, 9))
    assert scene.heard() == []


def test_silent_sidecar_is_forgotten_after_a_day(scene: Scene) -> None:
    scene.says("a")
    scene.after(86_400)
    assert scene.silent() == {"a": True}
    scene.after(1)
    assert scene.silent() == {}
    assert scene.heard()[-1] == (Happening.FORGOTTEN, "a")


def test_sidecar_that_was_killed_is_forgotten_when_another_listens_in_its_place(scene: Scene) -> None:
    scene.says("a", started_ms=1)
    scene.after(25)
    scene.says("b", started_ms=2)
    scene.after(6)
    assert scene.silent() == {"b": False}
    assert (Happening.SILENT, "a") not in scene.heard()


def test_silent_sidecar_stays_while_only_an_older_or_another_place_is_heard_of(scene: Scene) -> None:
    scene.says("a", started_ms=5)
    for _ in range(4):
        scene.says("older", started_ms=4)
        scene.says("elsewhere", started_ms=9, host="b")
        scene.says("other-port", started_ms=9, listeners=("127.0.0.1:1",))
        scene.after(10)
    assert scene.silent() == {"a": True, "older": False, "elsewhere": False, "other-port": False}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("checkout", encode_presence(SAMPLE)),
        ("checkout.a.b", encode_presence(SAMPLE)),
        ("checkout.another", encode_presence(SAMPLE)),
        (str(SAMPLE.sidecar_id), b"{}"),
        (str(SAMPLE.sidecar_id), b"\xff"),
    ],
)
def test_entry_that_is_not_its_key_s_is_refused(scene: Scene, key: str, value: bytes) -> None:
    scene.registry.take(Entry(key, value, 1))
    assert list(scene.registry) == []


def test_app_has_a_bounded_number_of_sidecars(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "MAX_SIDECARS_OF_APP", 3)
    for instance in "abcd":
        scene.now += 1
        scene.says(instance)
    assert list(scene.silent()) == ["b", "c", "d"]


def test_subscriber_hears_no_more_once_it_has_left(scene: Scene) -> None:
    heard: list[Presence] = []
    leave = scene.registry.subscribe(lambda news: heard.append(news.sidecar.presence))
    scene.says("a")
    leave()
    scene.says("b")
    assert [presence.instance for presence in heard] == ["a"]
    assert "2 sidecars" in repr(scene.registry)
