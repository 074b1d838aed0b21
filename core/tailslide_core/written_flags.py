"""Flags and segments as people write them: which fields they may give, and what the others are. Pure.

The language of Tower's API and of a flags file. What the values may be is checked by reading each result exactly as
sidecars do (`flag_contracts`); what flags may say of each other is in `relations`.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import cache, partial
from typing import Any

import orjson

from tailslide_core.conditions import Condition
from tailslide_core.contracts import Json
from tailslide_core.errors import ContractError
from tailslide_core.fields import Fields, shown
from tailslide_core.flag_contracts import (
    circuit_settings,
    circuit_settings_json,
    decode_ruleset,
    decode_segment,
    encode_ruleset,
    encode_segment,
    ruleset_json,
    segment_json,
)
from tailslide_core.naming import check_flag_key
from tailslide_core.ruleset import (
    RESERVED_METADATA,
    CircuitSettings,
    LocalGuard,
    Recovery,
    Requirement,
    Rule,
    Ruleset,
)
from tailslide_core.segment import MAX_MEMBERS, Segment
from tailslide_core.variants import Share

MAX_RULESET_BYTES = 512 * 1024
"""Half of what a NATS server takes as one message by default."""
MAX_SEGMENT_BYTES = 1_000_000
"""What a NATS server takes as one message by default is 1 MiB, headers included."""

NOTED_FIELDS = frozenset({"name", "description", "tags", "owner", "lifetime", "expected_end"})
"""Fields of a flag that are notes for people: they decide nothing, and sidecars never get them."""

_NOTHING: Json = {}


def new_ruleset(app: str, key: str, given: Json, defaults: Json = _NOTHING) -> Ruleset:
    """Return the first version of a flag; raise `ContractError`. What is not given is as in `defaults`, else as usual.

    Neither may have notes in it.
    """
    blank = Ruleset(app, check_flag_key("key", key), 0, False, 100.0, key, circuit=CircuitSettings())
    given = {name: value for name, value in given.items() if name != "salt" or value is not None}
    ruleset = ruleset_with(ruleset_json(blank), over_defaults(defaults, given), CircuitSettings(), 0)
    return replace(ruleset, version=1)


def over_defaults(defaults: Json, given: Json) -> Json:
    """Return what is given over the defaults; where it has other variants, none of theirs are left."""
    superseded: set[str] = set()
    if "variants" in given or given.get("type", defaults.get("type")) != defaults.get("type"):
        superseded = {"variants", "off_variant", "split"}
        rules = defaults.get("rules")
        if isinstance(rules, list) and any(
            isinstance(rule, Mapping) and (rule.get("split") or rule.get("variant")) for rule in rules
        ):
            superseded.add("rules")
    return _merged({name: value for name, value in defaults.items() if name not in superseded}, given)


def ruleset_with(base: Json, given: Json, circuit: CircuitSettings, reset_generation: int) -> Ruleset:
    """Return the ruleset of the fields of `base` with the given ones over them; raise `ContractError`.

    What is given of a circuit and of its parts goes over `circuit`, whose generation becomes `reset_generation`.
    """
    written = given.get("circuit")
    if isinstance(written, dict):
        merged = _merged(circuit_settings_json(circuit), written) | {"reset_generation": reset_generation}
        settings = Fields.within("circuit", lambda: circuit_settings(Fields(merged)))
        given = given | {"circuit": circuit_settings_json(settings)}
    ruleset = decode_ruleset(_json(base | given))
    for name, _ in ruleset.metadata:
        if name in RESERVED_METADATA:
            raise ContractError(f"metadata.{name}", "expected another name: the sidecar sets this one in its answers")
    size = len(encode_ruleset(ruleset))
    if size > MAX_RULESET_BYTES:
        raise ContractError("body", f"expected a flag of at most {MAX_RULESET_BYTES} bytes as JSON, got {size}")
    return ruleset


def new_segment(app: str, key: str, given: Json) -> Segment:
    """Return the first version of a segment; raise `ContractError`. It may not have notes in it."""
    return segment_with(Segment(app, check_flag_key("key", key), 1), given)


def segment_with(base: Segment, given: Json) -> Segment:
    """Return a segment with the given fields over its own; raise `ContractError`."""
    segment = decode_segment(_json(segment_json(base) | given))
    members = len(segment.include) + len(segment.exclude)
    if members > MAX_MEMBERS:
        longer = "include" if len(segment.include) >= len(segment.exclude) else "exclude"
        raise ContractError(longer, f"expected at most {MAX_MEMBERS} members in both lists together, got {members}")
    size = len(encode_segment(segment))
    if size > MAX_SEGMENT_BYTES:
        raise ContractError("body", f"expected a segment of at most {MAX_SEGMENT_BYTES} bytes as JSON, got {size}")
    return segment


def _merged(before: Json, given: Json) -> Json:
    """Return what is given over what was there; inside the circuit and its parts, too."""
    merged = {**before, **given}
    for part in ("circuit", "recovery", "local_guard"):
        old, new = before.get(part), given.get(part)
        if isinstance(old, dict) and isinstance(new, dict):
            merged[part] = _merged(old, new)
    return merged


def _json(value: Json) -> bytes:
    try:
        written = orjson.dumps(value)
    except (orjson.JSONEncodeError, RecursionError) as error:  # nested more deeply than any reader takes
        raise ContractError("body", f"expected what JSON can hold ({error})") from None
    _check_finite("", value)
    return written


def _check_finite(path: str, value: object) -> None:
    """Raise `ContractError` on an infinite number or NaN, which JSON does not have: it would be written as null."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ContractError(path, f"expected a finite number, got {shown(value)}")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            _check_finite(f"{path}.{_printable(name)}" if path else _printable(name), item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_finite(f"{path}[{index}]", item)


@cache
def _names(kind: type[Any]) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind) if field.init)


_SET_BY_TOWER = frozenset({"schema", "app", "version", "updated_at"})
_FLAG = (_names(Ruleset) - _SET_BY_TOWER) | NOTED_FIELDS
_SEGMENT = (_names(Segment) - _SET_BY_TOWER) | {"description"}
_CIRCUIT = _names(CircuitSettings) - {"reset_generation"}
_RULE = _names(Rule) | {"variant"}


def check_flag_names(given: Json) -> None:
    """Raise `ContractError` on a field, anywhere in a flag, that flags do not have."""
    check_names(given, _FLAG)
    _check_items(given, "split", _names(Share))
    _check_items(given, "requires", _names(Requirement))
    for path, rule in _check_items(given, "rules", _RULE):
        Fields.within(path, partial(_check_rule, rule))
    circuit = given.get("circuit")
    if isinstance(circuit, Mapping):
        Fields.within("circuit", partial(_check_circuit, circuit))


def check_segment_names(given: Json) -> None:
    """Raise `ContractError` on a field, anywhere in a segment, that segments do not have."""
    check_names(given, _SEGMENT)
    _check_items(given, "when", _names(Condition))


def _check_rule(rule: Mapping[str, object]) -> None:
    _check_items(rule, "when", _names(Condition))
    _check_items(rule, "split", _names(Share))


def _check_circuit(circuit: Mapping[str, object]) -> None:
    check_names(circuit, _CIRCUIT)
    for part, kind in (("recovery", Recovery), ("local_guard", LocalGuard)):
        inner = circuit.get(part)
        if isinstance(inner, Mapping):
            Fields.within(part, partial(check_names, inner, _names(kind)))


def _check_items(
    given: Mapping[str, object], name: str, known: Collection[str]
) -> Iterable[tuple[str, Mapping[str, object]]]:
    """Check the objects of a list; return them with their paths. What is none, the decoder refuses."""
    items = given.get(name)
    found: list[tuple[str, Mapping[str, object]]] = []
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, Mapping):
            path = f"{name}[{index}]"
            Fields.within(path, partial(check_names, item, known))
            found.append((path, item))
    return found


def check_names(given: Mapping[str, object], known: Collection[str]) -> None:
    """Raise `ContractError` on the first name that is not known, with the name that was probably meant."""
    for name in given:
        if name not in known:
            alike = get_close_matches(str(name), known, 1)
            meant = f"; did you mean {alike[0]}?" if alike else f"; expected one of {', '.join(sorted(known))}"
            raise ContractError(_printable(str(name)), f"unknown field{meant}")


def _printable(name: str) -> str:
    """Return a name that somebody has typed, as a part of a field's path."""
    return name if name.isprintable() and len(name) <= 80 else shown(name, 80)
