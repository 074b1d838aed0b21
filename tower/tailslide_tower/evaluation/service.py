"""Tries a flag out: the core's own evaluation of the flag and all that it depends on, out of the database.

Circuits are as this Tower knows them now; where it knows none, they count as closed, and the answer says so.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.attributes import TARGETING_KEY, Items, at_path
from tailslide_core.circuit import Circuit
from tailslide_core.contracts import Json
from tailslide_core.errors import ContractError
from tailslide_core.evaluation import Context, evaluate
from tailslide_core.explanation import explain
from tailslide_core.flag_set import FlagSet
from tailslide_core.naming import MAX_FLAG_KEY, FlagId, SegmentId
from tailslide_core.ramp import FULL
from tailslide_core.relations import segments_named
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment
from tailslide_core.work import Demands, demands_of, together, work_of
from tailslide_tower import times
from tailslide_tower.database import Database
from tailslide_tower.evaluation.models import MAX_CONTEXTS, MAX_KEYS, EvaluateFlag
from tailslide_tower.evaluation.told import MAX_VALUE, MAX_VALUES, answer_json
from tailslide_tower.flags.checks import not_found
from tailslide_tower.flags.flag import Flag, changed
from tailslide_tower.flags.store import FlagStore, read_flag
from tailslide_tower.segments.store import SegmentStore, read_segment

MAX_ATTRIBUTES = 1_000
MAX_WORK = 2_000_000
"""Of all users together, in the units of `tailslide_core.work`; about 60 ms."""
MAX_ANSWER_BYTES = 16 << 20
"""What the answer may come to, estimated from above before it is worked out."""
_CONDITION_BYTES = 300 + 2 * MAX_VALUE
_LINE_BYTES = 500
_TURN = 20
"""After so many users other requests get a turn."""


class Circuits(Protocol):
    """Who knows what Aerobat has said of circuits."""

    @property
    def circuits_known(self) -> bool:
        """Whether circuits were ever read."""

    def circuit_of(self, flag_id: FlagId) -> Circuit | None:
        """Return the circuit of a flag; None where Aerobat has said nothing of it."""


class NoCircuits:
    """Stands where nobody knows of circuits."""

    circuits_known = False

    def circuit_of(self, flag_id: FlagId) -> Circuit | None:
        """Return None."""
        return None


class EvaluationService:
    """Flags, tried out: raises `ApiError` and `ContractError` on what is asked in vain."""

    def __init__(self, database: Database, circuits: Circuits) -> None:
        self._database = database
        self._circuits = circuits

    async def evaluate(self, flag_id: FlagId, request: EvaluateFlag) -> Json:
        """Return what a flag, or what a change would make of it, gives to those who are asked for."""
        contexts = _contexts(request)
        async with self._database.begin() as connection:
            flag = await FlagStore(connection).get(flag_id)
            if flag is None:
                raise await not_found(connection, flag_id)
            if request.flag is not None:
                flag = _draft(flag, request)
            flags = await self._load(connection, flag)
        ready = _bounded(contexts, flags, flag.ruleset, request)
        answers = []
        for index, context in enumerate(ready):
            evaluation = evaluate(flag_id.flag, flags, context)
            answers.append(answer_json(context, evaluation, explain(flag_id.flag, flags, context)))
            if index % _TURN == _TURN - 1:
                await asyncio.sleep(0)
        prepared = flags.prepared(flag_id.flag)
        effective = None if prepared is None else prepared.effective
        return {
            "app": flag_id.app,
            "key": flag_id.flag,
            "version": flag.version,
            "is_draft": request.flag is not None,
            "archived": prepared is None,
            "circuit": None if effective is None else effective.state,
            "percentage": FULL if effective is None else effective.percentage,
            "circuits_known": self._circuits.circuits_known,
            "variants": dict(Counter(str(each["variant"]) for each in answers if each["variant"] is not None)),
            "answers": answers,
        }

    async def _load(self, connection: AsyncConnection, flag: Flag) -> FlagSet:
        """Return the flag with all that it depends on, however far; what sidecars do not get is not there."""
        app, key = flag.flag_id
        rulesets: dict[str, Ruleset] = {}
        store = FlagStore(connection)
        (row,) = await store.rows_of([flag.flag_id])
        if not row["is_archived"]:
            rulesets[key] = flag.ruleset
        asked, wanted = {key}, _required(rulesets.values())
        while wanted:
            asked |= wanted
            rows = await store.rows_of([FlagId(app, each) for each in wanted])
            found = [read_flag(row).ruleset for row in rows if not row["is_archived"]]
            rulesets |= {ruleset.key: ruleset for ruleset in found}
            wanted = _required(found) - asked
        named = {segment for ruleset in rulesets.values() for segment in segments_named(ruleset)}
        segments: dict[str, Segment] = {}
        if named:
            kept = await SegmentStore(connection).rows_of([SegmentId(app, each) for each in named])
            segments = {row["key"]: read_segment(row).segment for row in kept}
        known = {each: self._circuits.circuit_of(FlagId(app, each)) for each in rulesets}
        circuits = {each: circuit for each, circuit in known.items() if circuit is not None}
        return FlagSet(rulesets, circuits, segments)


def _required(rulesets: Iterable[Ruleset]) -> set[str]:
    return {requirement.flag for ruleset in rulesets for requirement in ruleset.requires}


def _draft(flag: Flag, request: EvaluateFlag) -> Flag:
    assert request.flag is not None
    try:
        return changed(flag, request.flag, times.now())
    except ContractError as error:
        raise error.within("flag") from None


def _contexts(request: EvaluateFlag) -> list[Context]:
    contexts, keys = request.contexts, request.targeting_keys
    if (contexts is None) == (keys is None):
        raise ContractError("contexts", "expected either contexts or targeting_keys")
    if contexts is not None:
        _check_count("contexts", len(contexts), MAX_CONTEXTS)
        return [Context(each.targeting_key, each.attributes) for each in contexts]
    assert keys is not None
    _check_count("targeting_keys", len(keys), MAX_KEYS)
    return [Context(key) for key in keys]


def _check_count(field: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise ContractError(field, f"expected 1 to {most} of them, got {count}")


def _bounded(contexts: list[Context], flags: FlagSet, ruleset: Ruleset, request: EvaluateFlag) -> list[Context]:
    """Return the contexts as they are evaluated; raise `ContractError` where that would be too much."""
    field = "contexts" if request.contexts is not None else "targeting_keys"
    each_bytes = _answer_bytes(ruleset, flags)
    if len(contexts) * each_bytes > MAX_ANSWER_BYTES:
        most = MAX_ANSWER_BYTES // each_bytes
        raise ContractError(field, f"expected at most {most} for a flag that is as large as this one")
    demands = together(demands_of(each, flags.segments) for each in flags.rulesets.values())
    ready, work = [], 0
    for index, context in enumerate(contexts):
        if len(context.attributes) > MAX_ATTRIBUTES:
            problem = f"expected at most {MAX_ATTRIBUTES} attributes, got {len(context.attributes)}"
            raise ContractError(f"contexts[{index}].attributes", problem)
        ready.append(Context(context.targeting_key, _attributes(context.attributes, demands)))
        known = {**ready[-1].attributes, TARGETING_KEY: context.targeting_key}
        work += work_of(demands, known.items())[0]
        if work > MAX_WORK:
            problem = (
                f"expected texts and lists that can be compared in {MAX_WORK} units of work; send fewer or shorter"
            )
            raise ContractError(f"{field}[{index}]", problem)
    return ready


def _answer_bytes(ruleset: Ruleset, flags: FlagSet) -> int:
    """Return more than the bytes of one user's answer, its attributes' values included, which are cut off."""
    values = (len(orjson.dumps(variant.value)) for variant in ruleset.variants)
    conditions = [condition for rule in ruleset.rules for condition in rule.when]
    compared = sum(len(orjson.dumps(list(condition.values[:MAX_VALUES]))) for condition in conditions)
    splits = sum(len(rule.split or ruleset.split) for rule in ruleset.rules) + len(ruleset.split)
    lines = 1 + len(ruleset.rules) + len(ruleset.requires) + splits
    known = (flags.rulesets.get(requirement.flag) for requirement in ruleset.requires)
    counting = sum(len(other.variants) for other in known if other is not None)
    counting += sum(len(requirement.variants or ()) for requirement in ruleset.requires)
    return (
        max(values)
        + compared
        + (MAX_FLAG_KEY + 3) * counting
        + _CONDITION_BYTES * len(conditions)
        + _LINE_BYTES * lines
    )


def _attributes(attributes: Mapping[str, object], demands: Demands) -> Mapping[str, object]:
    """Return attributes with lists converted once for all conditions, and with what conditions ask for by paths."""
    ready = dict(attributes)
    for name, path in demands.paths.items():
        if attributes.get(name) is None and (value := at_path(attributes, path)) is not None:
            ready[name] = value
    return {name: Items(value) if isinstance(value, list) else value for name, value in ready.items()}
