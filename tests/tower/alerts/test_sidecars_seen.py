"""What the watcher of notices hears of sidecars."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
from contract_samples import PRESENCE

from tailslide_core.presence import decode_presence, encode_presence
from tailslide_runtime.bucket_watch import Entry
from tailslide_tower.alerts.sidecars_seen import RegistrySidecars
from tailslide_tower.alerts.watcher import SeenSidecar
from tailslide_tower.sidecars.registry import SidecarRegistry

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)
SAMPLE = decode_presence(orjson.dumps(PRESENCE))


def test_silent_sidecar_is_seen_and_one_that_has_stopped_is_not() -> None:
    seconds = 100.0
    registry = SidecarRegistry(clock=lambda: seconds)
    sidecars = RegistrySidecars(registry, now=lambda: NOW)
    assert sidecars.seen() is None
    registry.listens(True)
    assert sidecars.seen() == []
    for revision, instance in enumerate(("here", "stopped"), 1):
        presence = replace(SAMPLE, instance=instance)
        registry.take(Entry(str(presence.sidecar_id), encode_presence(presence), revision))
    registry.take(Entry(str(replace(SAMPLE, instance="stopped").sidecar_id), None, 3))
    assert sidecars.seen() == [SeenSidecar(SAMPLE.app, "here", NOW, silent=False)]
    seconds += 40
    registry.look()
    assert sidecars.seen() == [SeenSidecar(SAMPLE.app, "here", NOW - timedelta(seconds=40), silent=True)]
    assert set(sidecars.replaced()) == set()
    other = replace(SAMPLE, instance="other", started_ms=SAMPLE.started_ms + 1)
    registry.take(Entry(str(other.sidecar_id), encode_presence(other), 4))
    registry.look()
    assert set(sidecars.replaced()) == {(SAMPLE.app, "here")}
    assert sidecars.seen() == [SeenSidecar(SAMPLE.app, "other", NOW, silent=False)]
    registry.listens(False)
    assert sidecars.seen() is None
