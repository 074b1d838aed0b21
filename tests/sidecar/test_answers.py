"""What is answered on the hot routes: right for each state of a flag, worked out once for each."""

import orjson
import pytest
from flag_listeners import Parts, parts
from flag_requests import APP, USER, content

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import encode_circuit
from tailslide_core.evaluation import Context, evaluate
from tailslide_core.flag_set import FlagSet
from tailslide_core.naming import CIRCUITS_BUCKET
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_runtime.bucket_watch import Entry
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


def test_both_forms_say_what_the_rules_say(clinic: Parts) -> None:
    held = clinic.store.content()
    flags = FlagSet(held.rulesets, held.circuits, held.segments)
    for flag in clinic.store.flags():
        expected = evaluate(flag, flags, WHO)
        for _ in range(2):
            native = body(clinic.answers.native_one(flag, QUERY))
            assert {name: native[name] for name in list(native)[:7]} == {
                "flag": flag,
                "active": expected.active,
                "variant": expected.variant,
                "value": expected.value,
                "reason": expected.reason,
                "circuit": expected.circuit,
                "version": 7,
            }
            assert (native.get("rule"), native.get("prerequisite")) == (expected.rule, expected.prerequisite)
            bucket_by = held.rulesets[flag].bucket_by
            assert body(clinic.answers.ofrep_one(flag, USER)) == ofrep.answer(expected, bucket_by=bucket_by).body


# What each form says of a flag to a user, and to nobody in particular.
SAID: list[tuple[str, dict[str, object], dict[str, object]]] = [
    (
        "dark",
        {"value": False, "variant": "off", "reason": "DISABLED",
         "metadata": {"ticket": "SHOP-12", "cost": 1.5, "stale": False, "active": False,
                      "circuit": "closed", "version": 7,
                      "disabled_by": "flag"}},
        {"active": False, "variant": "off", "value": False, "reason": "DISABLED", "circuit": "closed",
         "metadata": {"ticket": "SHOP-12", "cost": 1.5}},
    ),
    (
        "depends",
        {"value": False, "variant": "off", "reason": "DISABLED",
         "metadata": {"stale": False, "active": False, "circuit": "closed", "version": 7, "disabled_by": "prerequisite",
                      "prerequisite": "open", "prerequisite_reason": "CIRCUIT_OPEN"}},
        {"active": False, "variant": "off", "value": False, "reason": "PREREQUISITE_FAILED", "circuit": "closed",
         "prerequisite": "open", "prerequisite_reason": "CIRCUIT_OPEN"},
    ),
    (
        "open",
        {"value": False, "variant": "off", "reason": "DISABLED",
         "metadata": {"stale": False, "active": False, "circuit": "open", "version": 7, "disabled_by": "circuit"}},
        {"active": False, "variant": "off", "value": False, "reason": "CIRCUIT_OPEN", "circuit": "open"},
    ),
    (
        "Theme.old",
        {"value": "#f00", "variant": "red", "reason": "TARGETING_MATCH",
         "metadata": {"stale": False, "active": True, "circuit": "closed", "version": 7, "rule": "germany"}},
        {"active": True, "variant": "red", "value": "#f00", "reason": "TARGETING_MATCH", "circuit": "closed",
         "rule": "germany"},
    ),
    (
        "number",
        {"value": 3.14, "variant": "pi", "reason": "STATIC",
         "metadata": {"stale": False, "active": True, "circuit": "closed", "version": 7}},
        {"active": True, "variant": "pi", "value": 3.14, "reason": "STATIC", "circuit": "closed"},
    ),
    (
        "object",
        {"value": {"limits": [1, 2], "title": "Zoë"}, "variant": "some", "reason": "STATIC",
         "metadata": {"stale": False, "active": True, "circuit": "closed", "version": 7}},
        {"active": True, "variant": "some", "value": {"limits": [1, 2], "title": "Zoë"}, "reason": "STATIC",
         "circuit": "closed"},
    ),
    (
        "plain",
        {
            "value": True,
            "variant": "on",
            "reason": "STATIC",
            "metadata": {"stale": False, "active": True, "version": 7},
        },
        {"active": True, "variant": "on", "value": True, "reason": "STATIC", "circuit": None},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("flag", "in_ofrep", "native"), SAID, ids=[flag for flag, _, _ in SAID])
def test_both_forms_word_for_word(
    clinic: Parts, flag: str, in_ofrep: dict[str, object], native: dict[str, object]
) -> None:
    assert body(clinic.answers.ofrep_one(flag, USER)) == {"key": flag} | in_ofrep
    assert body(clinic.answers.native_one(flag, QUERY)) == {"flag": flag, "version": 7} | native


@pytest.mark.parametrize(
    ("flag", "status", "reason", "asked_for"),
    [
        ("half", 400, "TARGETING_KEY_MISSING", "context.targetingKey: "),
        ("control", 400, "TARGETING_KEY_MISSING", "context.targetingKey: "),
        ("Theme.new", 400, "TARGETING_KEY_MISSING", "context.country: "),
        ("recovering", 200, "DISABLED", None),
        ("depends.on", 400, "TARGETING_KEY_MISSING", "context."),
        ("plain", 200, "STATIC", None),
        ("dark", 200, "DISABLED", None),
    ],
)
def test_without_a_key_it_is_an_error_only_where_it_decides(
    clinic: Parts, flag: str, status: int, reason: str, asked_for: str | None
) -> None:
    reply = clinic.answers.ofrep_one(flag, b"{}")
    said = body(reply)
    assert (reply.status, said.get("errorCode", said.get("reason"))) == (status, reason)
    assert asked_for is None or str(said["errorDetails"]).startswith(asked_for)
    native = clinic.answers.native_one(flag, "")
    assert native.status == 200
    if status == 400:
        assert (body(native)["active"], body(native)["reason"]) == (False, "TARGETING_KEY_MISSING")
    in_bulk = body(clinic.answers.ofrep_all(b"{}"))["flags"]
    assert isinstance(in_bulk, list)
    assert said in in_bulk


def test_a_change_of_a_prerequisite_is_answered_at_once(clinic: Parts) -> None:
    before = clinic.answers.ofrep_all(USER)
    assert body(clinic.answers.native_one("depends", QUERY))["active"] is False
    clinic.store.apply(CIRCUITS_BUCKET, Entry("clinic.open", encode_circuit(Circuit(generation=2)), 9))
    assert body(clinic.answers.native_one("depends", QUERY))["active"] is True
    assert dict(clinic.answers.ofrep_all(USER).headers) != dict(before.headers)


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

    def not_again(*_: object, **__: object) -> bytes:
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
