"""Whether a flag's last change has arrived: the database beside the bucket, and the bucket beside what sidecars say.

Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tailslide_core.naming import FlagId
from tailslide_core.sentences.facts import Arrival, Missing, MissingSidecar
from tailslide_tower.flag_states.published import Position, Published
from tailslide_tower.sidecars.registry import Sidecar


def is_published(version: int, published: Published | None, *, known: bool, archived: bool = False) -> bool | None:
    """Return whether the bucket holds a version of a flag, or a newer one; None where the bucket was never read.

    An archived flag is published when the bucket holds nothing of it but its deletion.
    """
    if not known:
        return None
    if archived:
        return published is None or published.version is None
    return published is not None and published.version is not None and published.version >= version


def missing_sidecar(flag_id: FlagId, published: Published, sidecar: Sidecar, heard_ms: int) -> MissingSidecar | None:
    """Return what keeps a change from having arrived in a sidecar; None if it has.

    A sidecar that had taken the change in before it fell silent has it still.
    """
    presence = sidecar.presence
    if flag_id.flag in presence.refused:
        why = Missing.REFUSED
    elif published.position.is_seen_by(presence):
        return None
    else:
        why = Missing.BEHIND
    return MissingSidecar(presence.instance, Missing.SILENT if sidecar.silent else why, heard_ms)


@dataclass(frozen=True, slots=True)
class Fleet:
    """The sidecars of an app: how many have taken in all that is published of it, and the others.

    Of these each has when it was last heard from, Unix milliseconds. So that a list of many flags looks at the others
    only, of which there are mostly none.
    """

    whole: int = 0
    others: Sequence[tuple[Sidecar, int]] = ()

    @property
    def size(self) -> int:
        """Return how many there are."""
        return self.whole + len(self.others)


def fleet_of(sidecars: Iterable[tuple[Sidecar, int]], latest: Position | None) -> Fleet:
    """Divide an app's sidecars, each with when it was last heard from; `latest` is the last place of all its keys."""
    all_sidecars = list(sidecars)
    others = [
        (sidecar, heard_ms)
        for sidecar, heard_ms in all_sidecars
        if latest is None or sidecar.presence.refused or not latest.is_seen_by(sidecar.presence)
    ]
    return Fleet(len(all_sidecars) - len(others), others)


def arrival_of(
    flag_id: FlagId,
    published: Published | None,
    is_there: bool | None,
    fleet: Fleet,
    *,
    changed_ms: int | None,
    problem: str | None,
) -> Arrival:
    """Return how far a change has come. `problem` is what keeps it from being published now, if anything does."""
    if is_there is not True:
        return Arrival(0, fleet.size, (), changed_ms, is_there, problem)
    if published is None:  # an archived flag, in a bucket that was made since
        return Arrival(fleet.size, fleet.size, (), changed_ms)
    missing = tuple(
        each
        for sidecar, heard_ms in fleet.others
        if (each := missing_sidecar(flag_id, published, sidecar, heard_ms)) is not None
    )
    return Arrival(fleet.size - len(missing), fleet.size, missing, changed_ms)
