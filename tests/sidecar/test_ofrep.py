"""Evaluations and errors in the words of OFREP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.circuit import State
from tailslide_core.decisions import Reason
from tailslide_core.evaluation import Context, Evaluation
from tailslide_sidecar.ofrep import ErrorCode, OfrepError, answer, failure, not_ready, read_context

OPENFEATURE_REASONS = {"STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED"}
metadata = st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.booleans(), max_size=3)
evaluations = st.builds(
    Evaluation,
    st.just("f"),
    st.booleans(),
    st.sampled_from(list(set(Reason) - {Reason.FLAG_NOT_FOUND})),
    st.sampled_from(["on", "Blue.v2"]),
    st.one_of(st.booleans(), st.text(max_size=5), st.integers(), st.just({"a": [1]})),
    st.none() | st.sampled_from(State),
    st.none() | st.integers(0, 99),
    st.none() | st.just("germany"),
    st.none() | st.just("other"),
    st.none() | st.sampled_from(Reason),
    st.booleans(),
    metadata.map(lambda entries: tuple(entries.items())),
)


@given(evaluations, st.booleans(), st.none() | st.just("company"))
def test_every_answer_has_the_shape_of_the_protocol(evaluation: Evaluation, stale: bool, by: str | None) -> None:
    given_answer = answer(evaluation, bucket_by=by, stale=stale)
    if evaluation.is_error:
        assert (given_answer.status, given_answer.body["errorCode"]) == (400, ErrorCode.TARGETING_KEY_MISSING)
        assert str(given_answer.body["errorDetails"]).startswith(f"context.{by or 'targetingKey'}: ")
        assert set(given_answer.body) == {"key", "errorCode", "errorDetails"}
        return
    assert given_answer.status == 200
    assert set(given_answer.body) == {"key", "value", "variant", "reason", "metadata"}
    assert given_answer.body["value"] is evaluation.value
    assert given_answer.body["variant"] == evaluation.variant
    assert given_answer.body["reason"] in OPENFEATURE_REASONS
    said = given_answer.body["metadata"]
    assert isinstance(said, dict)
    assert said["stale"] is stale
    assert said["active"] is evaluation.active
    assert None not in said.values()
    # What the flag says of itself is there, but for what we say of it.
    assert said == dict(evaluation.metadata) | said


@pytest.mark.parametrize(
    ("reason", "word", "disabled_by"),
    [
        (Reason.DISABLED, "DISABLED", "flag"),
        (Reason.CIRCUIT_OPEN, "DISABLED", "circuit"),
        (Reason.PREREQUISITE_FAILED, "DISABLED", "prerequisite"),
        (Reason.TARGETING_KEY_MISSING, "DISABLED", "circuit"),
        (Reason.STATIC, "STATIC", None),
        (Reason.TARGETING_MATCH, "TARGETING_MATCH", None),
        (Reason.SPLIT, "SPLIT", None),
    ],
)
def test_reasons(reason: Reason, word: str, disabled_by: str | None) -> None:
    said = {"stale": False, "active": False, "circuit": "open", "version": 3}
    assert answer(Evaluation("f", False, reason, "off", False, State.OPEN, 3)).body == {
        "key": "f",
        "value": False,
        "reason": word,
        "variant": "off",
        "metadata": said if disabled_by is None else said | {"disabled_by": disabled_by},
    }


def test_metadata_say_which_rule_or_which_prerequisite_it_was() -> None:
    by_rule = Evaluation("f", True, Reason.SPLIT, "on", True, rule="germany")
    assert answer(by_rule).body["metadata"] == {"stale": False, "active": True, "rule": "germany"}
    unmet = Evaluation(
        "f", False, Reason.PREREQUISITE_FAILED, "off", False, prerequisite="g", prerequisite_reason=Reason.CIRCUIT_OPEN
    )
    assert answer(unmet).body["metadata"] == {
        "stale": False,
        "active": False,
        "disabled_by": "prerequisite",
        "prerequisite": "g",
        "prerequisite_reason": "CIRCUIT_OPEN",
    }


def test_what_a_flag_says_of_itself_does_not_hide_what_is_said_of_it() -> None:
    own = (("ticket", "SHOP-12"), ("version", "mine"), ("stale", "no"), ("active", "no"))
    evaluation = Evaluation("f", True, Reason.STATIC, "on", True, State.CLOSED, 3, metadata=own)
    assert answer(evaluation).body["metadata"] == {
        "ticket": "SHOP-12",
        "version": 3,
        "stale": False,
        "active": True,
        "circuit": "closed",
    }


def test_what_is_stale_says_so() -> None:
    metadata = answer(Evaluation("f", True, Reason.SPLIT, "on", True), stale=True).body["metadata"]
    assert metadata == {"stale": True, "active": True}


@pytest.mark.parametrize(
    ("body", "context"),
    [
        (b"", Context()),
        (b"{}", Context()),
        (b'{"context": null}', Context()),
        (b'{"context": {"targetingKey": "u", "a": [1, "b"]}}', Context("u", {"a": [1, "b"]})),
        (b'{"context": {"targetingKey": null}}', Context()),
    ],
)
def test_contexts(body: bytes, context: Context) -> None:
    assert read_context(body) == context


@pytest.mark.parametrize(
    ("body", "code", "details"),
    [
        (b"{", ErrorCode.PARSE_ERROR, "expected a JSON object"),
        (b"\xff", ErrorCode.PARSE_ERROR, "expected a JSON object"),
        (b"[]", ErrorCode.PARSE_ERROR, "expected a JSON object with a context"),
        (b'{"context": []}', ErrorCode.INVALID_CONTEXT, "context: expected an object"),
        (b'{"context": {"targetingKey": 5}}', ErrorCode.INVALID_CONTEXT, "context.targetingKey: expected a string"),
    ],
)
def test_bad_requests(body: bytes, code: ErrorCode, details: str) -> None:
    with pytest.raises(OfrepError) as error:
        read_context(body)
    assert error.value.code is code
    assert str(error.value).startswith(details)


def outcome(body: bytes) -> Context | ErrorCode:
    try:
        return read_context(body)
    except OfrepError as error:
        return error.code


@given(st.binary(max_size=40))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    assert isinstance(outcome(body), Context) or outcome(body) in {ErrorCode.PARSE_ERROR, ErrorCode.INVALID_CONTEXT}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ErrorCode.PARSE_ERROR, 400),
        (ErrorCode.INVALID_CONTEXT, 400),
        (ErrorCode.TARGETING_KEY_MISSING, 400),
        (ErrorCode.FLAG_NOT_FOUND, 404),
        (ErrorCode.GENERAL, 500),
    ],
)
def test_failures(code: ErrorCode, status: int) -> None:
    one, every = failure("f", code, "why"), failure(None, code, "why")
    assert (one.status, one.body) == (status, {"key": "f", "errorCode": code, "errorDetails": "why"})
    assert (every.status, every.body) == (status, {"errorCode": code, "errorDetails": "why"})
    assert failure("f", code, "why", 415).status == 415


def test_not_ready_is_an_error_and_no_answer_about_flags() -> None:
    assert (not_ready("f").status, not_ready("f").body["errorCode"]) == (500, "GENERAL")
    assert set(not_ready(None).body) == {"errorCode", "errorDetails"}
