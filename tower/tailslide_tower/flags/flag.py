"""A flag as Tower keeps it, and every change that it can undergo. Pure: the time is an argument.

What may be in a ruleset is checked by the core, by reading each new one exactly as the sidecars will. What it says of
other flags and of segments is checked in `relations`.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from tailslide_core.contracts import Json
from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.flag_contracts import (
    RULESET_SCHEMA,
    decode_ruleset,
    encode_ruleset,
    ruleset_json,
)
from tailslide_core.naming import FlagId, check_flag_key
from tailslide_core.ramp import FULL
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_core.variants import ON_OFF
from tailslide_core.written_flags import NOTED_FIELDS, over_defaults, ruleset_with
from tailslide_tower.flags.about import About
from tailslide_tower.flags.models import FlagChange, FlagCreate
from tailslide_tower.times import timestamp

_NONE: Json = {}
_NAME = re.compile(r"\w+")

SANE_NUMBER = 2**52
"""No number of changes leads here. A version or a generation that is larger is broken, and is not gone on from: a
ruleset may not have more than twice as much, and the flag could be changed no more."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag: its ruleset as it is published, and what only Tower knows of it."""

    ruleset: Ruleset
    about: About
    reset_generation: int
    """The circuit's; kept while there is no circuit, so that it never goes back."""
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    """Since when it is not published; None: it is."""

    @property
    def flag_id(self) -> FlagId:
        """Return what names this flag."""
        return self.ruleset.flag_id

    @property
    def version(self) -> int:
        """Return the number of this version, raised by each change."""
        return self.ruleset.version

    def json(self, alike: Collection[str] = ()) -> Json:
        """Return the flag as the API shows it; `alike` are the app's flags whose keys differ from its only by case."""
        fields = ruleset_json(self.ruleset, whole=True)
        del fields["schema"]
        return fields | {
            **self.about.json(),
            "archived_at": None if self.archived_at is None else timestamp(self.archived_at),
            "created_at": timestamp(self.created_at),
            "warnings": warnings_of_alike("flag", alike),
        }


def warnings_of_alike(kind: str, alike: Collection[str]) -> list[str]:
    """Return what is said of others of the app whose keys differ only by case; `kind` is flag or segment."""
    return [
        f"the app has a {kind} {shown(key, 200)} too, which differs only by upper and lower case"
        for key in sorted(alike)
    ]


_AS_THEY_ARE = (
    *("app", "key", "version", "active", "rollout", "salt", "type", "variants", "off_variant", "split", "bucket_by"),
    *("requires", "allow", "deny", "rules", "metadata"),
)
"""Fields of a ruleset that are columns."""


def flag_of(row: Mapping[Any, Any]) -> Flag:
    """Return the flag of a row of the database; raise `ContractError` when it is none that the core allows."""
    wire = {
        "schema": RULESET_SCHEMA,
        **{name: row[name] for name in _AS_THEY_ARE},
        "circuit": None if row["circuit"] is None else row["circuit"] | {"reset_generation": row["reset_generation"]},
        "updated_at": timestamp(row["updated_at"]),
    }
    ruleset = decode_ruleset(orjson.dumps(wire))
    return Flag(
        ruleset,
        About.of_row(row),
        row["reset_generation"],
        row["created_at"],
        row["updated_at"],
        row["archived_at"],
    )


def row_of(flag: Flag) -> dict[str, Any]:
    """Return the row that holds a flag."""
    row: dict[str, Any] = ruleset_json(flag.ruleset, whole=True)
    del row["schema"]
    if row["circuit"] is not None:
        row["circuit"] = {name: value for name, value in row["circuit"].items() if name != "reset_generation"}
    return row | {
        **flag.about.row(flag.ruleset.key),
        "archived_at": flag.archived_at,
        "reset_generation": flag.reset_generation,
        "created_at": flag.created_at,
        "updated_at": flag.updated_at,
    }


def created(app: str, request: FlagCreate, now: datetime, defaults: Json = _NONE) -> Flag:
    """Return a new flag; raise `ContractError` that names the field. What is not given is as in `defaults`."""
    key = check_flag_key("key", request.key)
    blank = Ruleset(app, key, 0, active=False, rollout=100.0, salt=key, circuit=CircuitSettings())
    given = request.model_dump(exclude_unset=True)
    if given.get("salt") is None:
        given.pop("salt", None)
    flag = _with(Flag(blank, About(key), 0, now, now), over_defaults(defaults, given), ruleset_json(blank))
    return _stamped(flag, 1, now)


def because_of_defaults(error: ContractError, request: FlagCreate, defaults: Json) -> ContractError:
    """Return an error on a new flag as one that says so where an app's default is at fault, which nobody has sent."""
    name = _NAME.match(error.field)
    if name is None or name[0] not in defaults or name[0] in request.model_fields_set:
        return error
    return ContractError(error.field, f"{error.problem}; the app's defaults for new flags have it so")


def check_defaults(app: str, defaults: Json, now: datetime) -> Ruleset:
    """Return a ruleset that an app's defaults make; raise `ContractError` where they could be no flag's."""
    try:
        return created(app, FlagCreate(key="defaults"), now, defaults).ruleset
    except ContractError as error:
        raise error.within("defaults") from None


def duplicated(flag: Flag, app: str, key: str, now: datetime) -> Flag:
    """Return a copy of a flag under another name: turned off, with a circuit of its own that is closed.

    The salt is the new key where it was the old one's, so that two flags of one app do not have the same users in.
    """
    ruleset = flag.ruleset
    salt = key if ruleset.salt == ruleset.key else ruleset.salt
    circuit = None if ruleset.circuit is None else replace(ruleset.circuit, reset_generation=0)
    name = key if flag.about.name == ruleset.key else flag.about.name
    copy = replace(ruleset, app=app, key=key, active=False, salt=salt, circuit=circuit)
    return _stamped(Flag(copy, replace(flag.about, name=name), 0, now, now), 1, now)


def recreated(flag: Flag, version: int, reset_generation: int) -> Flag:
    """Return a new flag as one that follows a deleted one of the same key.

    Its version goes on, so that no precondition of old holds by chance; its circuit starts afresh, whatever verdict
    on the old one is still around.
    """
    return _reset(_stamped(flag, version + 1, flag.updated_at), reset_generation + 1)


def changed(flag: Flag, request: FlagChange, now: datetime) -> Flag:
    """Return the flag after a change, the same object when it changes nothing; raise `ContractError`.

    What is not given stays, and has to fit: a variant that the split or a rule names cannot be left out of `variants`.
    Only a split that gave everybody the one variant that was not the off variant follows by itself.
    """
    return _after(flag, request.model_dump(exclude_unset=True), now)


def rolled_back(flag: Flag, state: Json, now: datetime) -> Flag:
    """Return the flag as it was in an earlier version, the same object where it is so now; raise `ContractError`.

    `state` is the flag as it was shown then. What that version did not have yet has its default. Its own version and
    its circuit go on: turned on by this, the flag starts with a closed circuit, as ever.
    """
    ruleset = flag.ruleset
    if state.get("type", ruleset.type) != ruleset.type:
        raise ContractError(
            "version",
            f"expected a version of the type {ruleset.type}, got {shown(state['type'], 20)}: a flag keeps its type",
        )
    given = {name: value for name, value in state.items() if name in FlagChange.model_fields and name not in _OWN}
    if isinstance(circuit := given.get("circuit"), dict):
        given["circuit"] = {name: value for name, value in circuit.items() if name != "reset_generation"}
    blank = Ruleset(
        *(ruleset.app, ruleset.key, ruleset.version),
        active=False,
        rollout=FULL,
        salt=ruleset.key,
        circuit=CircuitSettings(reset_generation=flag.reset_generation),
        updated_at=ruleset.updated_at,
    )
    then = replace(flag, ruleset=blank, about=About(ruleset.key))
    return _became(flag, _with(then, given, ruleset_json(blank)), now)


_OWN = frozenset({"app", "key", "version", "archived_at", "created_at", "updated_at", "warnings"})
"""What a version has to itself, so that no other takes it over."""


def archived(flag: Flag, now: datetime) -> Flag:
    """Return the flag as one that is not published any more; the same object if it is not now."""
    if flag.archived_at is not None:
        return flag
    return _stamped(replace(flag, archived_at=now), flag.version + 1, now)


def restored(flag: Flag, now: datetime) -> Flag:
    """Return the flag as one that is published again, as it was, its circuit closed; the same object if it is now."""
    if flag.archived_at is None:
        return flag
    return _reset(_stamped(replace(flag, archived_at=None), flag.version + 1, now), flag.reset_generation + 1)


def toggled(flag: Flag, active: bool | None, now: datetime) -> Flag:
    """Return the flag turned on or off; None is the other way round."""
    return _after(flag, {"active": not flag.ruleset.active if active is None else active}, now)


def circuit_reset(flag: Flag, now: datetime) -> Flag:
    """Return the flag with its circuit reset by a person."""
    return _stamped(_reset(flag, flag.reset_generation + 1), flag.version + 1, now)


def reset_above(flag: Flag, reset_generation: int) -> Flag:
    """Return the flag with its circuit reset after a verdict with this number, the same object where it is already."""
    if flag.reset_generation > reset_generation or reset_generation >= SANE_NUMBER:
        return flag
    return _reset(flag, reset_generation + 1)


def _after(flag: Flag, given: Json, now: datetime) -> Flag:
    return _became(flag, _with(flag, given, _base_of_change(flag, given)), now)


def _became(flag: Flag, candidate: Flag, now: datetime) -> Flag:
    """Return what a flag became as its next version; the same object where nothing is different."""
    # As bytes, since to Python 1 equals true.
    if encode_ruleset(candidate.ruleset) == encode_ruleset(flag.ruleset) and candidate.about == flag.about:
        return flag
    turned_on = candidate.ruleset.active and not flag.ruleset.active
    circuit_added = candidate.ruleset.circuit is not None and flag.ruleset.circuit is None
    # A circuit that is added starts closed: what was said of an earlier one is no longer true.
    if turned_on or circuit_added:
        candidate = _reset(candidate, flag.reset_generation + 1)
    return _stamped(candidate, flag.version + 1, now)


def _base_of_change(flag: Flag, given: Json) -> Json:
    """Return the flag's fields, which a change is applied to; raise `ContractError` if the change has another type."""
    ruleset = flag.ruleset
    if given.get("type", ruleset.type) != ruleset.type:
        raise ContractError("type", f"expected {ruleset.type}: a flag keeps its type; make another flag instead")
    base = ruleset_json(ruleset, whole=True)
    if "variants" in given or "off_variant" in given:
        now = base | given
        variants = {variant.key: variant.value for variant in ON_OFF} if now["variants"] is None else now["variants"]
        follows = base["split"] == _split_of_none(base["variants"], ruleset.off_variant)
        if follows and _split_of_none(variants, now["off_variant"]) is not None:
            base["split"] = None
    return base


def _split_of_none(variants: object, off_variant: object) -> list[Json] | None:
    """Return the core's default split; None if there is none."""
    others = [key for key in variants if key != off_variant] if isinstance(variants, Mapping) else []
    return [{"variant": others[0] if others else off_variant, "weight": 1}] if len(others) <= 1 else None


def _with(flag: Flag, given: Json, base: Json) -> Flag:
    """Return the flag with the given fields over those of `base`, version and times as they were."""
    noted = flag.about.after(given, flag.ruleset.key)
    given = {name: value for name, value in given.items() if name not in NOTED_FIELDS}
    circuit = flag.ruleset.circuit or CircuitSettings()
    return replace(flag, ruleset=ruleset_with(base, given, circuit, flag.reset_generation), about=noted)


def _reset(flag: Flag, reset_generation: int) -> Flag:
    circuit = flag.ruleset.circuit
    if circuit is not None:
        circuit = replace(circuit, reset_generation=reset_generation)
    return replace(flag, ruleset=replace(flag.ruleset, circuit=circuit), reset_generation=reset_generation)


def _stamped(flag: Flag, version: int, now: datetime) -> Flag:
    return replace(flag, ruleset=replace(flag.ruleset, version=version, updated_at=timestamp(now)), updated_at=now)
