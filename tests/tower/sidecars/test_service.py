"""Pages of sidecars."""

from dataclasses import dataclass, replace

import orjson
from contract_samples import PRESENCE

from tailslide_core.presence import Presence, decode_presence, encode_presence
from tailslide_runtime.bucket_watch import Entry
from tailslide_tower.sidecars.metrics import SidecarMetrics
from tailslide_tower.sidecars.models import SidecarList, SidecarOut, Status
from tailslide_tower.sidecars.registry import SidecarRegistry
from tailslide_tower.sidecars.service import SidecarService

SAMPLE = decode_presence(orjson.dumps(PRESENCE))


@dataclass
class At:
    revision: int

    def is_seen_by(self, presence: Presence, /) -> bool:
        return presence.revision >= self.revision


def service(*presences: Presence) -> SidecarService:
    registry = SidecarRegistry(clock=lambda: 100.0)
    for number, presence in enumerate(presences):
        registry.take(Entry(str(presence.sidecar_id), encode_presence(presence), number))
    return SidecarService(registry, lambda app: None if app == "quiet" else At(7), now_ms=lambda: 1795363190302)


def test_sidecars_are_shown_in_the_order_of_their_names_page_by_page() -> None:
    sidecars = service(*(replace(SAMPLE, app=app, instance=f"{n}") for app in ("b", "a", "a-b") for n in (2, 1)))
    seen: list[str] = []
    after = ""
    for _ in range(3):
        page = sidecars.page(None, after, 2)
        seen += [f"{each['app']}.{each['instance']}" for each in page.sidecars]
        after = page.following or ""
    assert seen == ["a-b.1", "a-b.2", "a.1", "a.2", "b.1", "b.2"]
    assert after == ""
    assert sidecars.page(["a", "c"], "", 10).json()["counts"] == {"current": 2, "behind": 0, "silent": 0}


def test_sidecar_is_shown_with_what_follows_from_what_it_says() -> None:
    sidecars = service(
        SAMPLE, replace(SAMPLE, instance="slow", revision=6), replace(SAMPLE, app="quiet", started_ms=2**53)
    )
    page = sidecars.page(None, "", 10).json()
    shown = SidecarList.model_validate(page)
    assert {each.instance + each.app: each.status for each in shown.sidecars} == {
        "pay-1a2b3ccheckout": "current",
        "slowcheckout": "behind",
        "pay-1a2b3cquiet": "current",
    }
    assert shown.sidecars[0].started_at == "2026-11-22T15:59:50.302Z"
    assert (shown.sidecars[0].last_heard_at, shown.sidecars[0].silent_ms) == (shown.sidecars[0].started_at, 0)
    assert set(orjson.loads(orjson.dumps(page))["sidecars"][0]) == set(SidecarOut.model_fields)


def test_sidecars_in_one_state_are_shown_among_the_counts_of_all() -> None:
    page = service(SAMPLE, replace(SAMPLE, instance="slow", revision=6)).page(None, "", 10, status=Status.BEHIND)
    assert [each["instance"] for each in page.sidecars] == ["slow"]
    assert page.json()["counts"] == {"current": 1, "behind": 1, "silent": 0}


def test_prometheus_is_told_how_many_sidecars_are_in_each_state() -> None:
    (gauge,) = SidecarMetrics(service(SAMPLE, replace(SAMPLE, instance="slow", revision=6))).collect()
    assert {sample.labels["status"]: sample.value for sample in gauge.samples} == {
        "current": 1,
        "behind": 1,
        "silent": 0,
    }
