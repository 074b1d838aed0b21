"""An entry of the log as people read it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from circuit_moves import FLAG, LIFE

from tailslide_core.contracts import CircuitEvent
from tailslide_tower.audit.circuit_events import entry_of
from tailslide_tower.audit.entry import LogEntry, LogRow, Subject, SubjectKind
from tailslide_tower.audit.sentences import differences_of, sentence_of
from tailslide_tower.auth.principal import BY_SYSTEM, Author, Principal, PrincipalKind

EDITOR = Author(Principal(PrincipalKind.USER, "7", "editor@example.org"))
STATE: dict[str, Any] = {
    "active": False,
    "rollout": 25.0,
    "version": 3,
    "updated_at": "2026-11-22T10:00:00Z",
    "description": "The new checkout",
    "tags": [],
    "allow": ["u1"],
    "rules": [],
    "circuit": {"error_threshold": 50.0, "forced_open": False, "reset_generation": 1, "recovery": {"delay_ms": 30_000}},
}


def row_of(entry: LogEntry) -> LogRow:
    principal = entry.author.principal
    return LogRow(
        id=1,
        at=datetime(2026, 11, 22, 10, tzinfo=UTC),
        action=entry.action,
        subject=entry.subject,
        version=entry.version,
        actor_kind=principal.kind,
        actor_id=principal.principal_id,
        actor=principal.name,
        address=None,
        reason=entry.author.reason,
        before=entry.before,
        after=entry.after,
        details=entry.details,
        minor=entry.minor,
    )


def said(
    action: str,
    kind: SubjectKind = SubjectKind.FLAG,
    key: str | None = "new-checkout",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    author: Author = EDITOR,
    details: dict[str, Any] | None = None,
) -> str:
    row = row_of(LogEntry(action, Subject(kind, "shop", key), author, before, after, details=details or {}))
    return sentence_of(row, differences_of(row))


def changed(**fields: Any) -> str:
    return said("flag.changed", before=STATE, after=STATE | {"version": 4, "updated_at": "later"} | fields)


def test_toggles_say_for_how_many() -> None:
    on = STATE | {"active": True, "rollout": 50.0}
    assert said("flag.toggled", before=STATE, after=on) == "editor@example.org turned new-checkout on for 50%."
    with_rules = on | {"rules": [{}, {}]}
    assert said("flag.toggled", after=with_rules) == (
        "editor@example.org turned new-checkout on for 50%, and by 2 rules."
    )
    assert said("flag.toggled", before=on, after=STATE) == "editor@example.org turned new-checkout off."


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rollout": 50.0}, "rollout 25% → 50%"),
        ({"rollout": 0.5, "allow": ["u1", "u2", "u3"]}, "rollout 25% → 0.5%; 2 users added to the allow list"),
        ({"allow": []}, "1 user removed from the allow list"),
        ({"circuit": STATE["circuit"] | {"error_threshold": 20.0}}, "error threshold 50% → 20%"),
        ({"circuit": STATE["circuit"] | {"recovery": {"delay_ms": 120_000}}}, "recovery delay 30 s → 2 min"),
        ({"circuit": STATE["circuit"] | {"recovery": None}}, "recovery changed"),
        ({"circuit": None}, "circuit changed"),
        ({"tags": ["beta"]}, "tag “beta” added"),
        ({"rules": [{"rollout": 5.0}]}, "1 rule added"),
        ({"active": True, "rollout": 30.0}, "turned on; rollout 25% → 30%"),
        ({"description": "x" * 100}, "description changed"),
        ({"owner": "payments"}, "owner changed"),
        (
            {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6},
            "a changed; b changed; c changed; d changed; 2 more changes",
        ),
    ],
)
def test_changes_are_said_in_words(fields: dict[str, Any], words: str) -> None:
    assert changed(**fields) == f"editor@example.org changed new-checkout: {words}."


def test_a_change_of_one_rule_names_it() -> None:
    rules: list[dict[str, Any]] = [{"rollout": 5.0}, {"rollout": 6.0, "when": []}]
    before, after = STATE | {"rules": rules}, STATE | {"rules": [rules[0], rules[1] | {"rollout": 7.0}]}
    assert said("flag.changed", before=before, after=after) == (
        "editor@example.org changed new-checkout: rollout of rule 2 6% → 7%."
    )


def test_a_change_of_one_condition_names_it_and_its_rule() -> None:
    rule = {"rollout": 5.0, "when": [{"attribute": "country", "operator": "in", "values": ["DE"]}]}
    more = {"rollout": 5.0, "when": [{"attribute": "country", "operator": "in", "values": ["DE", "AT"]}]}
    assert said("flag.changed", before=STATE | {"rules": [rule]}, after=STATE | {"rules": [more]}) == (
        "editor@example.org changed new-checkout: 1 value added to values of condition 1 of rule 1."
    )


def test_what_is_one_deed_is_said_as_one() -> None:
    assert changed(active=True) == "editor@example.org turned new-checkout on for 25%."
    forced = STATE["circuit"] | {"forced_open": True}
    assert changed(circuit=forced) == "editor@example.org held new-checkout off (forced its circuit open)."
    assert said("flag.changed", before=STATE | {"circuit": forced}, after=STATE) == (
        "editor@example.org no longer holds new-checkout off."
    )
    assert said("circuit.reset", SubjectKind.CIRCUIT) == "editor@example.org reset the circuit of new-checkout."
    assert said("flag.rolled_back", before=STATE, after=STATE | {"rollout": 5.0}, details={"version": 7}) == (
        "editor@example.org rolled new-checkout back to version 7: rollout 25% → 5%."
    )


def test_a_copy_says_of_what() -> None:
    copied = said("flag.created", after=STATE, details={"copy_of": {"app": "store", "key": "checkout"}})
    assert copied == "editor@example.org made the flag new-checkout, a copy of checkout of store."


def test_circuits_are_said_as_alerts_say_them() -> None:
    rows = [row_of(entry_of(CircuitEvent(FLAG, transition))) for transition in LIFE]
    assert [sentence_of(row, differences_of(row)) for row in rows] == [
        "The circuit of new-checkout opened: 62% of 141 calls failed in 10 s; the threshold is 50%.",
        "The circuit of new-checkout lets users back in: 10% of the rollout.",
        "The circuit of new-checkout lets more users back in: 20% of the rollout, after 10%.",
        "The circuit of new-checkout closed: its recovery went well.",
    ]


def test_circuit_that_cannot_be_read_still_has_a_sentence() -> None:
    assert said("circuit.opened", SubjectKind.CIRCUIT, before={}, after={}, author=BY_SYSTEM) == (
        "The circuit of new-checkout moved."
    )


@pytest.mark.parametrize(
    ("action", "kind", "key", "after", "sentence"),
    [
        ("app.created", SubjectKind.APP, "shop", {}, "editor@example.org made the app shop."),
        ("segment.deleted", SubjectKind.SEGMENT, "vip", None, "editor@example.org deleted the segment vip."),
        ("token.revoked", SubjectKind.TOKEN, "t_1", {"name": "CI"}, "editor@example.org revoked the API token CI."),
        ("user.roles_changed", SubjectKind.USER, "7", {"email": "a@b"}, "editor@example.org changed the roles of a@b."),
        ("sdk_key.revoked", SubjectKind.SDK_KEY, "k1", None, "editor@example.org revoked the SDK key k1."),
        ("login.succeeded", SubjectKind.SESSION, "s1", None, "editor@example.org logged in."),
        ("login.failed", SubjectKind.SESSION, "a@b", None, "An attempt to log in as a@b failed."),
        (
            "notice.judged_again",
            SubjectKind.SYSTEM,
            None,
            None,
            "Circuits are judged again.",
        ),
    ],
)
def test_other_subjects_are_said_by_their_action(
    action: str, kind: SubjectKind, key: str | None, after: dict[str, Any] | None, sentence: str
) -> None:
    assert said(action, kind, key, after=after) == sentence


def test_lost_sidecars_are_counted() -> None:
    assert said("notice.sidecar_lost", SubjectKind.SIDECAR, None, author=BY_SYSTEM, details={"count": 1}) == (
        "1 sidecar of shop has not been heard from for a while."
    )
    assert said("notice.sidecar_back", SubjectKind.SIDECAR, None, author=BY_SYSTEM, details={"count": 2}) == (
        "2 sidecars of shop have come back."
    )


def test_names_of_people_stay_on_one_line() -> None:
    author = Author(Principal(PrincipalKind.TOKEN, "1", "a\nb\u202e" + "c" * 300))
    sentence = said("flag.toggled", after=STATE, author=author)
    assert sentence.isprintable()
    assert len(sentence) < 140
