"""An entry of the log as a sentence: `editor@example.org turned new-checkout on for 50%.` Pure.

Of circuits it says what alerts and pages say, too (`tailslide_core.sentences`). Why somebody has changed something
stands beside the sentence, not in it.
"""

from collections.abc import Callable, Mapping

import orjson

from tailslide_core.circuit import Signal, Transition
from tailslide_core.contracts import decode_circuit
from tailslide_core.sentences.numbers import counted, percent
from tailslide_core.sentences.quoted import name_or, named
from tailslide_core.sentences.transitions import transition_in_words
from tailslide_tower.audit.changes_in_words import changes_in_words, for_people
from tailslide_tower.audit.difference import Difference, difference
from tailslide_tower.audit.entry import Json, LogRow, SubjectKind
from tailslide_tower.auth.principal import PrincipalKind

_NOUNS: dict[str, str] = {
    SubjectKind.APP: "app",
    SubjectKind.FLAG: "flag",
    SubjectKind.SEGMENT: "segment",
    SubjectKind.CIRCUIT: "circuit of",
    SubjectKind.SIDECAR: "sidecar",
    SubjectKind.SDK_KEY: "SDK key",
    SubjectKind.USER: "user",
    SubjectKind.INVITATION: "invitation",
    SubjectKind.LINK: "link",
    SubjectKind.TOKEN: "API token",
    SubjectKind.SESSION: "session",
    SubjectKind.WEBHOOK: "webhook",
    SubjectKind.SYSTEM: "system",
}
_NOTICES = {
    "notice.nothing_judged": "No circuit is judged: calls may fail without any circuit opening.",
    "notice.judged_again": "Circuits are judged again.",
}
_PHRASES = {
    "admin_link.created": "made a log-in link for an admin",
    "login.succeeded": "logged in",
    "user.let_in_again": "let {} try to log in again",
    "user.password_changed": "changed the password of {}",
    "user.reset_link_created": "made a link by which {} can set a new password",
    "user.roles_changed": "changed the roles of {}",
    "user.sessions_ended": "ended all sessions of {}",
    "webhook.secret_rotated": "made a new secret for the webhook {}",
    "webhook.sent_again": "sent an alert to the webhook {} again",
}
_BY_KEY: frozenset[str] = frozenset({SubjectKind.APP, SubjectKind.FLAG, SubjectKind.SEGMENT, SubjectKind.CIRCUIT})
"""Whose key people know; others have a key that only programs know, and a name."""


def differences_of(row: LogRow) -> Difference:
    """Return what is different after an entry; nothing where something was made or deleted, or nothing changed."""
    if row.before is None or row.after is None:
        return []
    return for_people(difference(row.before, row.after))


def sentence_of(row: LogRow, changes: Difference) -> str:
    """Return an entry as a sentence; `changes` are its `differences_of`."""
    if row.action in _NOTICES:
        return _NOTICES[row.action]
    if row.action == "login.failed":
        account = named(str(row.details.get("account") or row.subject.key or ""))
        return f"An attempt to log in as {account} failed." if account else "An attempt to log in failed."
    if row.action.startswith("notice.sidecar_"):
        return _of_sidecars(row)
    if row.actor_kind == PrincipalKind.SYSTEM and row.subject.kind == SubjectKind.CIRCUIT:
        return _of_circuit(row)
    say = _SAID.get(row.action, _said_of_any)
    return f"{name_or(row.actor, 'Somebody')} {say(row, changes)}."


def _of_circuit(row: LogRow) -> str:
    name = name_or(row.subject.key, "a flag")
    try:
        before, after = (decode_circuit(orjson.dumps(circuit)) for circuit in (row.before, row.after))
        signal = Signal(str(row.details.get("signal")))
    except ValueError:  # a ContractError is one
        return f"The circuit of {name} moved."
    transition = Transition(signal, int(row.at.timestamp() * 1000), before, after)
    return transition_in_words(transition, name, None).what.text(transition.at_ms)


def _of_sidecars(row: LogRow) -> str:
    number = row.details.get("count")
    who = counted(number, "sidecar") if isinstance(number, int) else "Sidecars"
    verb = "has" if number == 1 else "have"
    where = f" of {row.subject.app}" if row.subject.app else ""
    if row.action == "notice.sidecar_lost":
        return f"{who}{where} {verb} not been heard from for a while."
    return f"{who}{where} {verb} come back."


def _toggled(row: LogRow, _: Difference) -> str:
    state = row.after or {}
    return f"turned {_flag(row)} {_on_for(state)}" if state.get("active") is True else f"turned {_flag(row)} off"


def _on_for(state: Json) -> str:
    rollout, rules = state.get("rollout"), state.get("rules")
    share = f"on for {percent(float(rollout))}" if isinstance(rollout, int | float) else "on"
    return f"{share}, and by {counted(len(rules), 'rule')}" if isinstance(rules, list) and rules else share


def _changed_flag(row: LogRow, changes: Difference) -> str:
    match [(change.path, getattr(change, "after", None)) for change in changes]:
        case [(("active",), _)]:
            return _toggled(row, changes)
        case [(("circuit", "forced_open"), True)]:
            return f"held {_flag(row)} off (forced its circuit open)"
        case [(("circuit", "forced_open"), False)]:
            return f"no longer holds {_flag(row)} off"
    return _with_changes(f"changed {_flag(row)}", changes)


def _with_changes(what: str, changes: Difference) -> str:
    words = changes_in_words(changes)
    return f"{what}: {words}" if words else what


def _rolled_back(row: LogRow, changes: Difference) -> str:
    return _with_changes(f"rolled {_flag(row)} back to version {row.details.get('version')}", changes)


def _created_flag(row: LogRow, _: Difference) -> str:
    source = row.details.get("copy_of")
    if not isinstance(source, Mapping):
        return f"made the flag {_flag(row)}"
    return f"made the flag {_flag(row)}, a copy of {named(str(source.get('key')))} of {named(str(source.get('app')))}"


def _flag(row: LogRow) -> str:
    return name_or(row.subject.key, "a flag")


def _said_of_any(row: LogRow, changes: Difference) -> str:
    """Say `changed the segment vip: …` of whatever there is, by the participle in its action."""
    if phrase := _PHRASES.get(row.action):
        return phrase.format(_subject(row) or "somebody")
    verb = row.action.partition(".")[2].replace("_", " ")
    noun = _NOUNS.get(row.subject.kind) or name_or(row.subject.kind.replace("_", " "), "subject")
    what = f"{'made' if verb == 'created' else verb} the {noun} {_subject(row)}".rstrip()
    return _with_changes(what, changes) if verb == "changed" else what


def _subject(row: LogRow) -> str:
    if row.subject.kind not in _BY_KEY:
        for state in (row.after, row.before, row.details):
            for name in ("name", "email"):
                if isinstance(text := (state or {}).get(name), str) and named(text):
                    return named(text)
    return named(row.subject.key or "")


_SAID: dict[str, Callable[[LogRow, Difference], str]] = {
    "flag.created": _created_flag,
    "flag.toggled": _toggled,
    "flag.changed": _changed_flag,
    "flag.rolled_back": _rolled_back,
    "circuit.reset": lambda row, _: f"reset the circuit of {_flag(row)}",
}
