"""OFREP, the OpenFeature Remote Evaluation Protocol: an evaluation in its words, and its errors. Pure.

Source: open-feature/protocol, `service/openapi.yaml`, version 0.3.0. The HTTP around it is `flags_api`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tailslide_core.decisions import Reason
from tailslide_core.evaluation import Context, Evaluation
from tailslide_core.work import Demands
from tailslide_sidecar.question_limits import MAX_CONTEXT_BYTES, TooMuchError, bounded
from tailslide_sidecar.readiness import NOTHING_LOADED
from tailslide_sidecar.surrogates import loads

TARGETING_KEY = "targetingKey"

_REASONS = {
    Reason.DISABLED: "DISABLED",
    Reason.CIRCUIT_OPEN: "DISABLED",
    Reason.PREREQUISITE_FAILED: "DISABLED",
    Reason.STATIC: "STATIC",
    Reason.TARGETING_MATCH: "TARGETING_MATCH",
    Reason.SPLIT: "SPLIT",
    # Only while a circuit recovers: nobody gets past its ramp without a key. Otherwise it is an error.
    Reason.TARGETING_KEY_MISSING: "DISABLED",
}
_DISABLED_BY = {
    Reason.DISABLED: "flag",
    Reason.CIRCUIT_OPEN: "circuit",
    Reason.PREREQUISITE_FAILED: "prerequisite",
    Reason.TARGETING_KEY_MISSING: "circuit",
}
"""What `metadata.disabled_by` says about a flag that is off for every user."""


class ErrorCode(StrEnum):
    """The error codes of OpenFeature that this answers with."""

    PARSE_ERROR = "PARSE_ERROR"
    INVALID_CONTEXT = "INVALID_CONTEXT"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    GENERAL = "GENERAL"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and the JSON that goes with it."""

    status: int
    body: Mapping[str, object]


class OfrepError(Exception):
    """A request that cannot be evaluated."""

    def __init__(self, code: ErrorCode, details: str, status: int | None = None) -> None:
        """`status` is the answer's; without one it follows from the code."""
        super().__init__(details)
        self.code = code
        self.status = status


_STATUSES = {ErrorCode.FLAG_NOT_FOUND: 404, ErrorCode.GENERAL: 500}
"""Every other code is 400. A sidecar that is not ready answers 500, too: the protocol has no 503, and its clients read
the body of no status that it does not have."""


def failure(key: str | None, code: ErrorCode, details: str, status: int | None = None) -> Answer:
    """Return an error, of a request for one flag or, `key` being None, for all; the status follows from the code."""
    body: dict[str, object] = {"errorCode": code, "errorDetails": details}
    return Answer(status or _STATUSES.get(code, 400), body if key is None else {"key": key, **body})


def not_ready(key: str | None) -> Answer:
    """Return that nothing is known yet, which is not to be taken for an app without flags."""
    return failure(key, ErrorCode.GENERAL, NOTHING_LOADED)


def read_context(body: bytes) -> Context:
    """Read the context of a request, `{"context": {"targetingKey": …, …}}`; raise `OfrepError`.

    Without a body or a context nothing is known of the user. An attribute that is nothing to compare (an object that
    no condition asks into, a text with a lone surrogate) never matches a condition, and takes nothing from the others.
    """
    if not body:
        return Context()
    try:
        request = loads(body)
    except ValueError as error:
        raise OfrepError(ErrorCode.PARSE_ERROR, f"expected a JSON object: {error}") from None
    if not isinstance(request, dict):
        raise OfrepError(ErrorCode.PARSE_ERROR, "expected a JSON object with a context")
    context = request.get("context")
    if context is None:
        return Context()
    if not isinstance(context, dict):
        raise OfrepError(ErrorCode.INVALID_CONTEXT, "context: expected an object")
    targeting_key = context.pop(TARGETING_KEY, None)
    if targeting_key is not None and not isinstance(targeting_key, str):
        raise OfrepError(ErrorCode.INVALID_CONTEXT, f"context.{TARGETING_KEY}: expected a string")
    return Context(targeting_key, context)


def read_bounded_context(body: bytes, demands: Demands) -> Context:
    """Read a context that may be evaluated for flags with these demands; raise `OfrepError`."""
    if len(body) > MAX_CONTEXT_BYTES:
        problem = f"body: expected a context of at most {MAX_CONTEXT_BYTES} bytes, got {len(body)}"
        raise OfrepError(ErrorCode.GENERAL, problem, 413)
    try:
        return bounded(read_context(body), demands, TARGETING_KEY)
    except TooMuchError as error:
        where = "context" if error.field is None else f"context.{error.field}"
        raise OfrepError(ErrorCode.INVALID_CONTEXT, f"{where}: {error.problem}") from None


def answer(
    evaluation: Evaluation, *, bucket_by: str | None = None, has_prerequisites: bool = False, stale: bool = False
) -> Answer:
    """Return an evaluation of a known flag in the form of the protocol.

    `bucket_by` is the attribute that it is rolled out by, None for the targeting key; `stale` says that the sidecar is
    out of contact. An entry of the flag's own metadata with the name of one of ours is left out, even if the answer has
    no such entry of ours: otherwise `disabled_by` could name a circuit that is not open.
    """
    if evaluation.is_error:
        return failure(
            evaluation.flag,
            ErrorCode.TARGETING_KEY_MISSING,
            f"context.{bucket_by or TARGETING_KEY}: expected a value: this flag"
            f"{', or one that it requires,' if has_prerequisites else ''} is rolled out by it",
        )
    told = {
        "stale": stale,
        "active": evaluation.active,
        "circuit": evaluation.circuit,
        "version": evaluation.version,
        "rule": evaluation.rule,
        "disabled_by": _DISABLED_BY.get(evaluation.reason),
        "prerequisite": evaluation.prerequisite,
        "prerequisite_reason": evaluation.prerequisite_reason,
    }
    metadata: dict[str, object] = {name: value for name, value in evaluation.metadata if name not in told}
    metadata |= {name: value for name, value in told.items() if value is not None}
    return Answer(
        200,
        {
            "key": evaluation.flag,
            "value": evaluation.value,
            "reason": _REASONS[evaluation.reason],
            "variant": evaluation.variant,
            "metadata": metadata,
        },
    )
