"""Whether a change has arrived."""

from dataclasses import replace

import orjson
import pytest
from contract_samples import PRESENCE

from tailslide_core.naming import FlagId
from tailslide_core.presence import Presence, decode_presence
from tailslide_core.sentences.facts import Arrival, Missing, MissingSidecar
from tailslide_tower.flag_states.arriving import arrival_of, fleet_of, is_published
from tailslide_tower.flag_states.published import Position, Published
from tailslide_tower.sidecars.registry import Sidecar

ONE = FlagId("checkout", "one")
SAMPLE = decode_presence(orjson.dumps(PRESENCE))
AT = Published(4, Position(7, 5000))
HEARD_MS = 9_000


def sidecar(instance: str, revision: int, stored_ms: int, *, silent: bool = False, refused: str = "") -> Sidecar:
    presence: Presence = replace(
        SAMPLE,
        instance=instance,
        revision=revision,
        revision_ms=stored_ms,
        refused=(refused,) if refused else (),
    )
    return Sidecar(presence, 1, 0.0, silent)


def arrival(*sidecars: Sidecar) -> Arrival:
    heard = [(each, HEARD_MS) for each in sidecars]
    # With and without the short cut for sidecars that have taken in everything.
    fleets = [fleet_of(heard, latest) for latest in (None, AT.position)]
    (come,) = {arrival_of(ONE, AT, True, fleet, changed_ms=1, problem=None) for fleet in fleets}
    return come


@pytest.mark.parametrize(
    ("version", "published", "known", "expected"),
    [
        (4, AT, True, True),
        (3, AT, True, True),
        (5, AT, True, False),
        (4, None, True, False),
        (4, replace(AT, version=None), True, False),
        (4, None, False, None),
    ],
)
def test_change_is_published_when_the_bucket_has_its_version(
    version: int, published: Published | None, known: bool, expected: bool | None
) -> None:
    assert is_published(version, published, known=known) is expected


@pytest.mark.parametrize(
    ("revision", "stored_ms", "missing"),
    [
        (7, 5000, 0),
        (9, 5400, 0),
        (6, 4000, 1),
        # Of a bucket that was there before: its revisions were higher, and older.
        (900, 4000, 1),
        (0, 0, 1),
    ],
)
def test_change_has_arrived_where_its_place_in_the_bucket_was_seen(revision: int, stored_ms: int, missing: int) -> None:
    come = arrival(sidecar("a", revision, stored_ms))
    assert (come.arrived, come.of, len(come.missing)) == (1 - missing, 1, missing)


def test_each_sidecar_that_lacks_the_change_is_named_with_the_reason() -> None:
    come = arrival(
        sidecar("has-it", 7, 5000),
        sidecar("has-it-and-is-silent", 8, 6000, silent=True),
        sidecar("behind", 6, 4000),
        sidecar("silent", 6, 4000, silent=True),
        sidecar("cannot-read-it", 7, 5000, refused="one"),
        sidecar("cannot-read-another", 7, 5000, refused="two"),
    )
    assert (come.arrived, come.of) == (3, 6)
    assert come.missing == (
        MissingSidecar("behind", Missing.BEHIND, HEARD_MS),
        MissingSidecar("silent", Missing.SILENT, HEARD_MS),
        MissingSidecar("cannot-read-it", Missing.REFUSED, HEARD_MS),
    )
    assert come.on_its_way


def test_change_that_is_not_published_has_arrived_nowhere() -> None:
    fleet = fleet_of([(sidecar("a", 7, 5000), HEARD_MS)], AT.position)
    come = arrival_of(ONE, AT, False, fleet, changed_ms=1, problem="NATS is away")
    assert come == Arrival(0, 1, (), 1, False, "NATS is away")


def test_archived_flag_is_published_when_the_bucket_has_nothing_but_its_deletion() -> None:
    deleted = replace(AT, version=None)
    assert is_published(4, AT, known=True, archived=True) is False
    assert is_published(4, deleted, known=True, archived=True) is True
    assert is_published(4, None, known=True, archived=True) is True
    assert is_published(4, None, known=False, archived=True) is None
    fleet = fleet_of([(sidecar("a", 6, 4000), HEARD_MS)], None)
    assert arrival_of(ONE, deleted, True, fleet, changed_ms=1, problem=None).arrived == 0
    assert arrival_of(ONE, None, True, fleet, changed_ms=1, problem=None).arrived == 1
