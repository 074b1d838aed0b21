"""Evaluations and errors in the words of OFREP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.circuit import State
from tailslide_core.evaluation import Context, Evaluation, Reason
from tailslide_sidecar.ofrep import ErrorCode, OfrepError, answer, failure, not_ready, read_context

OPENFEATURE_REASONS = {"STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "UNKNOWN"}
evaluations = st.builds(
    Evaluation,
    st.just("f"),
    st.booleans(),
    st.sampled_from(Reason),
    st.one_of(st.none(), st.sampled_from(State)),
    st.one_of(st.none(), st.integers(0, 99)),
)


@given(evaluations, st.booleans())
def test_every_answer_has_the_shape_of_the_protocol(evaluation: Evaluation, stale: bool) -> None:
    given_answer = answer(evaluation, stale=stale)
    if given_answer.status == 200:
        assert given_answer.body["value"] is evaluation.active
        assert given_answer.body["variant"] == ("on" if evaluation.active else "off")
        assert given_answer.body["reason"] in OPENFEATURE_REASONS
        metadata = given_answer.body["metadata"]
        assert isinstance(metadata, dict)
        assert metadata["stale"] is stale
        assert None not in metadata.values()
    else:
        assert set(given_answer.body) == {"key", "errorCode", "errorDetails"}
        assert given_answer.status == (404 if evaluation.reason is Reason.FLAG_NOT_FOUND else 400)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (Reason.DISABLED, "DISABLED"),
        (Reason.CIRCUIT_OPEN, "DISABLED"),
        (Reason.TARGETING_MATCH, "TARGETING_MATCH"),
        (Reason.SPLIT, "SPLIT"),
    ],
)
def test_reasons(reason: Reason, word: str) -> None:
    assert answer(Evaluation("f", False, reason, State.OPEN, 3)).body == {
        "key": "f",
        "value": False,
        "reason": word,
        "variant": "off",
        "metadata": {"stale": False, "circuit": "open", "version": 3},
    }


def test_what_is_stale_says_so() -> None:
    metadata = answer(Evaluation("f", True, Reason.SPLIT), stale=True).body["metadata"]
    assert metadata == {"stale": True}


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
