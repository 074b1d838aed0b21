"""What is answered on the hot routes: right for each state of a flag, worked out once for each."""

import orjson
import pytest
from flag_listeners import Parts, parts
from flag_requests import APP, USER, content

from tailslide_core.circuit import Circuit, State
from tailslide_core.evaluation import Context, evaluate
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_sidecar import ofrep
from tailslide_sidecar.answers import Answers, matches
from tailslide_sidecar.evaluation_counts import EvaluationCounts
from tailslide_sidecar.flag_store import Content, FlagStore
from tailslide_sidecar.replies import Reply

WHO = Context("u1", {"country": "DE"})
QUERY = "targeting_key=u1&country=DE"


@pytest.fixture
def clinic() -> Parts:
    return parts(APP, content())


def body(reply: Reply) -> dict[str, object]:
    found: dict[str, object] = orjson.loads(reply.body)
    return found


def test_both_forms_say_what_the_store_says(clinic: Parts) -> None:
    for flag in clinic.store.flags():
        expected = evaluate(flag, clinic.store.ruleset(flag), clinic.store.content().circuits.get(flag), WHO)
        for _ in range(2):
            assert body(clinic.answers.native_one(flag, QUERY)) == {
                "flag": flag,
                "active": expected.active,
                "reason": expected.reason,
                "circuit": expected.circuit,
                "version": 7,
            }
            assert body(clinic.answers.ofrep_one(flag, USER)) == ofrep.answer(expected).body


def test_all_flags_are_what_one_flag_is(clinic: Parts) -> None:
    flags = clinic.store.flags()
    assert body(clinic.answers.native_all(QUERY))["flags"] == [
        body(clinic.answers.native_one(flag, QUERY)) for flag in flags
    ]
    reply = body(clinic.answers.ofrep_all(USER))
    assert reply["flags"] == [body(clinic.answers.ofrep_one(flag, USER)) for flag in flags]
    assert reply["eventStreams"] == [{"type": "sse", "endpoint": {"requestUri": clinic.events.request_uri}}]


def test_without_a_stream_none_is_named() -> None:
    store = FlagStore(APP)
    store.restore(Content({}, {}))
    quiet = Answers(store, EvaluationCounts(), is_stale=lambda: False)
    assert quiet.ofrep_all(b"").body == b'{"flags":[]}'


def test_an_answer_is_worked_out_once_for_each_state(clinic: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    ofrep_answers = {flag: clinic.answers.ofrep_one(flag, USER) for flag in clinic.store.flags()}
    everything = clinic.answers.ofrep_all(USER)

    def not_again(*_: object) -> bytes:
        raise AssertionError("worked out again")

    monkeypatch.setattr(ofrep, "answer", not_again)
    for flag, reply in ofrep_answers.items():
        assert clinic.answers.ofrep_one(flag, USER) is reply
    assert clinic.answers.ofrep_all(USER) == everything


def test_a_change_is_answered_at_once(clinic: Parts) -> None:
    for state, percentage, active in ((State.OPEN, 0.0, False), (State.CLOSED, 100.0, True)):
        ruleset = Ruleset(APP, "f", 1, active=True, rollout=100.0, salt="f", circuit=CircuitSettings())
        clinic.store.restore(Content({"f": ruleset}, {"f": Circuit(state, percentage)}))
        assert body(clinic.answers.ofrep_one("f", USER))["value"] is active
        assert body(clinic.answers.native_one("f", QUERY))["active"] is active


def test_what_is_stale_says_so_in_every_answer(clinic: Parts) -> None:
    fresh = clinic.answers.ofrep_all(USER)
    clinic.stale[0] = True
    clinic.store.forget_answers()
    stale = clinic.answers.ofrep_all(USER)
    metadata = orjson.loads(stale.body)["flags"][0]["metadata"]
    assert metadata["stale"] is True
    assert orjson.loads(clinic.answers.ofrep_one("half", USER).body)["metadata"]["stale"] is True
    assert dict(stale.headers)["ETag"] != dict(fresh.headers)["ETag"]
    clinic.stale[0] = False
    clinic.store.forget_answers()
    assert clinic.answers.ofrep_all(USER) == fresh


def test_who_has_the_answer_gets_none(clinic: Parts) -> None:
    etag = dict(clinic.answers.ofrep_all(USER).headers)["ETag"]
    assert clinic.answers.ofrep_all(USER, etag) == Reply(304, b"", (("ETag", etag),))
    assert clinic.answers.ofrep_all(b'{"context":{"targetingKey":"u2"}}', etag).status == 200


@pytest.mark.parametrize(
    ("if_none_match", "matched"),
    [
        ('"a1"', True),
        ("a1", True),
        ('W/"a1"', True),
        ("W/a1", True),
        ('"x", "a1"', True),
        ('"x","y" , W/"a1"', True),
        ("*", True),
        ('"A1"', False),
        ('w/"a1"', False),
        ('"a1', False),
        ('"a12"', False),
        ("", False),
        (",", False),
    ],
)
def test_tags_are_compared_weakly(if_none_match: str, matched: bool) -> None:
    assert matches(if_none_match, '"a1"') is matched


def test_errors_of_all_kinds(clinic: Parts) -> None:
    one, every = clinic.answers.ofrep_one("half", b"{"), clinic.answers.ofrep_all(b"{")
    assert (one.status, body(one)["key"], body(one)["errorCode"]) == (400, "half", "PARSE_ERROR")
    assert (every.status, body(every)["errorCode"], "key" in body(every)) == (400, "PARSE_ERROR", False)
    gone = clinic.answers.ofrep_one("gone", USER)
    assert gone.status == 404
    assert body(gone) == {
        "key": "gone",
        "errorCode": "FLAG_NOT_FOUND",
        "errorDetails": "the app clinic has no flag gone",
    }
    native = clinic.answers.native_one("gone", QUERY)
    assert (native.status, body(native)["error"]) == (
        404,
        {"code": "FLAG_NOT_FOUND", "message": "the app clinic has no flag gone", "field": "key"},
    )
    keyless = clinic.answers.ofrep_one("half", b"{}")
    assert (keyless.status, body(keyless)["errorCode"]) == (400, "TARGETING_KEY_MISSING")


def test_before_anything_is_loaded_that_is_said() -> None:
    empty = Answers(FlagStore(APP), EvaluationCounts(), is_stale=lambda: False)
    for reply in (empty.ofrep_one("f", USER), empty.native_one("f", QUERY)):
        assert reply.status in {404, 500, 503}
        assert b"no rulesets are loaded yet" in reply.body
    every = empty.native_all(QUERY)
    assert every.status == 503
    assert b'"code":"NOT_READY"' in every.body


def test_each_answer_is_counted(clinic: Parts) -> None:
    clinic.answers.ofrep_one("plain", USER)
    clinic.answers.native_one("plain", QUERY)
    clinic.answers.ofrep_all(USER)
    clinic.answers.native_all(QUERY)
    clinic.answers.native_one("gone", QUERY)
    samples = [sample for metric in clinic.counts.collect() for sample in metric.samples]
    counted = {sample.labels["flag"]: sample.value for sample in samples}
    assert (counted["plain"], counted["half"], counted["(unknown)"]) == (4, 2, 1)
