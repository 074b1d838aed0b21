"""What the flags listener answers on its hot routes: one flag and all flags, in our words and in OFREP's. No I/O.

A known flag has few answers as long as neither it nor what it depends on changes, so each is worked out once and kept
until then. Which route a request takes, and what carries it, is `hot_path` and `flags_api`.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from tailslide_core.decisions import Decision
from tailslide_core.errors import ContractError
from tailslide_core.evaluation import Known, decide, evaluation_of
from tailslide_core.naming import check_flag_key
from tailslide_core.work import NO_DEMANDS
from tailslide_sidecar import ofrep
from tailslide_sidecar.evaluation_counts import EvaluationCounts, Tally
from tailslide_sidecar.flag_store import FlagStore, HeldFlag
from tailslide_sidecar.query import TARGETING_KEY, context_of_query
from tailslide_sidecar.question_limits import SMALL, TooMuchError, bounded
from tailslide_sidecar.readiness import NOT_READY, NOTHING_LOADED
from tailslide_sidecar.replies import Reply

OFREP_ONE = 0
OFREP_ITEM = 1
NATIVE_ONE = 2
NATIVE_ITEM = 3
"""What a held flag keeps its answers by, together with the decision."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    """An answer, and where each use of it is counted."""

    answer: T
    tally: Tally


class Answers:
    """Answers from the store, and counts each evaluation."""

    def __init__(
        self,
        store: FlagStore,
        counts: EvaluationCounts,
        *,
        is_stale: Callable[[], bool],
        event_stream: str | None = None,
    ) -> None:
        """`is_stale` says whether the sidecar is out of contact for too long, `event_stream` where changes are told."""
        self._store = store
        self._counts = counts
        self._is_stale = is_stale
        streams = [] if event_stream is None else [_event_stream(event_stream)]
        self._bulk_end = b"]" + (b',"eventStreams":' + orjson.dumps(streams) if streams else b"") + b"}"

    def ofrep_one(self, flag: str, body: bytes) -> Reply:
        """Evaluate one flag as OFREP asks for it."""
        held = self._store.held(flag)
        try:
            if len(body) <= SMALL:
                context = ofrep.read_context(body)
            else:
                demands = NO_DEMANDS if held is None else self._store.demands_of_question(held)
                context = ofrep.read_bounded_context(body, demands)
        except ofrep.OfrepError as error:
            return _json(ofrep.failure(flag, error.code, str(error), error.status))
        if held is None:
            self._counts.unknown += 1
            if self._store.origin is None:
                return _json(ofrep.not_ready(flag))
            return _json(ofrep.failure(flag, ofrep.ErrorCode.FLAG_NOT_FOUND, self.not_found(flag)))
        decision = decide(held.prepared, context.targeting_key, context.attributes)
        kept: _Kept[Reply] | None = held.answers.get((OFREP_ONE, decision))
        if kept is None:
            kept = self._keep(held, OFREP_ONE, decision, _json(self._ofrep(held, decision)))
        kept.tally.count += 1
        return kept.answer

    def ofrep_all(self, body: bytes, if_none_match: str | None = None) -> Reply:
        """Evaluate all flags as OFREP asks for them; 304 when the caller has that answer already."""
        try:
            context = ofrep.read_bounded_context(body, self._store.demands)
        except ofrep.OfrepError as error:
            return _json(ofrep.failure(None, error.code, str(error), error.status))
        if self._store.origin is None:
            return _json(ofrep.not_ready(None))
        items = []
        key, attributes = context.targeting_key, context.attributes
        known: Known = {}
        for held in self._store.all_held().values():
            decision = decide(held.prepared, key, attributes, known)
            kept: _Kept[bytes] | None = held.answers.get((OFREP_ITEM, decision))
            if kept is None:
                kept = self._keep(held, OFREP_ITEM, decision, _dumps(self._ofrep(held, decision).body))
            kept.tally.count += 1
            items.append(kept.answer)
        content = b'{"flags":[' + b",".join(items) + self._bulk_end
        etag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
        if if_none_match is not None and matches(if_none_match, etag):
            return Reply(304, b"", (("ETag", etag),))
        return Reply(200, content, (("ETag", etag),))

    def native_one(self, flag: str, query: str) -> Reply:
        """Evaluate one flag as our own endpoint asks for it."""
        held = self._store.held(flag)
        if held is None:
            self._counts.unknown += 1
            return self._no_flag(flag)
        context = context_of_query(query)
        if len(query) > SMALL:
            try:
                context = bounded(context, self._store.demands_of_question(held), TARGETING_KEY)
            except TooMuchError as error:
                return _error(400, "INVALID", error.problem, error.field)
        decision = decide(held.prepared, context.targeting_key, context.attributes)
        kept: _Kept[Reply] | None = held.answers.get((NATIVE_ONE, decision))
        if kept is None:
            kept = self._keep(held, NATIVE_ONE, decision, Reply(200, _dumps(_native(held, decision))))
        kept.tally.count += 1
        return kept.answer

    def native_all(self, query: str) -> Reply:
        """Evaluate all flags as our own endpoint asks for them: `{"flags": […]}`, in the order of their keys."""
        if self._store.origin is None:
            return _error(503, NOT_READY, NOTHING_LOADED)  # which is not an app without flags
        try:
            context = bounded(context_of_query(query), self._store.demands, TARGETING_KEY)
        except TooMuchError as error:
            return _error(400, "INVALID", error.problem, error.field)
        items = []
        known: Known = {}
        for held in self._store.all_held().values():
            decision = decide(held.prepared, context.targeting_key, context.attributes, known)
            kept: _Kept[bytes] | None = held.answers.get((NATIVE_ITEM, decision))
            if kept is None:
                kept = self._keep(held, NATIVE_ITEM, decision, _dumps(_native(held, decision)))
            kept.tally.count += 1
            items.append(kept.answer)
        return Reply(200, b'{"flags":[' + b",".join(items) + b"]}")

    def _keep(self, held: HeldFlag, kind: int, decision: Decision, answer: T) -> "_Kept[T]":
        kept = held.answers[kind, decision] = _Kept(answer, self._counts.tally(held.ruleset.key, decision))
        return kept

    def _ofrep(self, held: HeldFlag, decision: Decision) -> ofrep.Answer:
        evaluation = evaluation_of(held.prepared, decision)
        ruleset = held.ruleset
        return ofrep.answer(
            evaluation,
            bucket_by=ruleset.bucket_by,
            has_prerequisites=bool(ruleset.requires),
            stale=self._is_stale(),
        )

    def _no_flag(self, flag: str) -> Reply:
        """Return why our own endpoint has nothing to say of a flag: a key that is none, too early, or unknown."""
        try:
            check_flag_key("key", flag)
        except ContractError as error:
            return _error(400, "INVALID", error.problem, error.field)
        if self._store.origin is None:
            return _error(503, NOT_READY, self.not_found(flag))
        return _error(404, "FLAG_NOT_FOUND", self.not_found(flag), "key")

    def not_found(self, flag: str) -> str:
        """Return why there is no such flag."""
        try:
            check_flag_key("key", flag)
        except ContractError as error:
            return str(error)
        if self._store.origin is None:
            return f"no rulesets are loaded yet, so nothing is known of a flag {flag}"
        return f"the app {self._store.app} has no flag {flag}"


def _native(held: HeldFlag, decision: Decision) -> dict[str, object]:
    """Return an evaluation in the native form; optional fields come last."""
    evaluation = evaluation_of(held.prepared, decision)
    body: dict[str, object] = {
        "flag": evaluation.flag,
        "active": evaluation.active,
        "variant": evaluation.variant,
        "value": evaluation.value,
        "reason": evaluation.reason,
        "circuit": evaluation.circuit,
        "version": evaluation.version,
    }
    sometimes = {
        "rule": evaluation.rule,
        "prerequisite": evaluation.prerequisite,
        "prerequisite_reason": evaluation.prerequisite_reason,
        "metadata": dict(evaluation.metadata) or None,
    }
    return body | {name: value for name, value in sometimes.items() if value is not None}


def _json(answer: ofrep.Answer) -> Reply:
    return Reply(answer.status, _dumps(answer.body))


def _dumps(value: Mapping[str, object]) -> bytes:
    """Return JSON to be kept. What orjson returns holds on to the whole of its buffer, a kilobyte or more."""
    return bytes(memoryview(orjson.dumps(value)))


def _error(status: int, code: str, message: str, field: str | None = None) -> Reply:
    error = {"code": code, "message": message}
    if field is not None:
        error["field"] = field
    return Reply(status, _dumps({"error": error}))


def _event_stream(path: str) -> dict[str, object]:
    return {"type": "sse", "endpoint": {"requestUri": path}}


def matches(if_none_match: str, etag: str) -> bool:
    """Whether `If-None-Match` names this tag, weakly compared (RFC 9110 §13.1.2), or says `*`.

    A tag without its quotes, as some clients send it, is taken for the quoted one.
    """
    for tag in if_none_match.split(","):
        bare = tag.strip().removeprefix("W/")
        if bare == "*" or bare == etag or f'"{bare}"' == etag:
            return True
    return False
