"""Whether a flag's last change has arrived: the database beside the bucket, and the bucket beside what sidecars say.

Pure.
"""

from collections.abc import Iterable

from tailslide_core.naming import FlagId
from tailslide_core.sentences.facts import Arrival, Missing, MissingSidecar
from tailslide_tower.flag_states.published import Published
from tailslide_tower.sidecars.registry import Sidecar


def is_published(version: int, published: Published | None, *, known: bool) -> bool | None:
    """Return whether the bucket holds a version of a flag, or a newer one; None where the bucket was never read."""
    if not known:
        return None
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


def arrival_of(
    flag_id: FlagId,
    published: Published | None,
    is_there: bool | None,
    sidecars: Iterable[tuple[Sidecar, int]],
    *,
    changed_ms: int | None,
    problem: str | None,
) -> Arrival:
    """Return how far a change has come.

    `sidecars` are those of the app, each with when it was last heard of, Unix milliseconds. `problem` is why nothing is
    published now, if something keeps it from being so.
    """
    all_sidecars = list(sidecars)
    if is_there is not True or published is None:
        return Arrival(0, len(all_sidecars), (), changed_ms, is_there, problem)
    missing = tuple(
        each
        for sidecar, heard_ms in all_sidecars
        if (each := missing_sidecar(flag_id, published, sidecar, heard_ms)) is not None
    )
    return Arrival(len(all_sidecars) - len(missing), len(all_sidecars), missing, changed_ms)
