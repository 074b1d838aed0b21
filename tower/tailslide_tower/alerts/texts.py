"""What alerts say: what happened, why in numbers, what users get now, what comes next. Pure.

What a circuit's transition is in words comes from the core, as everywhere; here is what only alerts tell: changes by
people, notices, what has happened since, and where to look.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from tailslide_core.circuit import Circuit, Signal, Transition
from tailslide_core.contracts import decode_circuit
from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.ruleset import Ruleset
from tailslide_core.sentences.numbers import counted, rough_span
from tailslide_core.sentences.phrases import Moment, Sentence
from tailslide_core.sentences.quoted import MAX_REASON, name_or, named, reason_of
from tailslide_core.sentences.transitions import LATE_MS, happened_late, transition_in_words
from tailslide_tower.alerts.messages import Message
from tailslide_tower.alerts.notices import NO_AEROBAT, NO_NATS, LostSidecars, NothingJudged
from tailslide_tower.alerts.occasions import Happening, Occasion
from tailslide_tower.times import timestamp

MOST_NAMED = 10

_SIGNALS = {
    Occasion.OPENED: Signal.BREACH,
    Occasion.REOPENED: Signal.BREACH,
    Occasion.RECOVERING: Signal.DELAY_OVER,
    Occasion.CLOSED: Signal.RAMP_FINISHED,
    Occasion.RESET: Signal.RESET,
}
_TITLES = {
    Occasion.OPENED: "Circuit open",
    Occasion.REOPENED: "Circuit open again",
    Occasion.RECOVERING: "Users come back",
    Occasion.CLOSED: "Circuit closed",
    Occasion.RESET: "Circuit reset",
}
_SINCE = {
    "open": "it has opened again",
    "recovering": "users have begun to come back",
    "closed": "it has closed",
    "reset": "a person has reset it",
}


def message_of(
    happening: Happening,
    now: datetime,
    *,
    later: Happening | None = None,
    deed: Happening | None = None,
    ruleset: Ruleset | None = None,
    app_name: str | None = None,
    environment: str | None = None,
    tower_url: str | None = None,
) -> Message:
    """Return what an alert says when it is sent now.

    `later`: the newest transition of the same circuit, where there was one since. `deed`: what a person did to the flag
    last before a reset, which the reset is the effect of. `ruleset`: the flag as it is now.
    `app_name`, `environment`: what people call the app, and where it runs. `tower_url`: where people reach Tower;
    without it there is no link.
    """
    occasion = happening.occasion
    lines: list[str]
    match occasion:
        case Occasion.NOTHING_JUDGED:
            title, lines = _nothing_judged(happening, now)
        case Occasion.SIDECAR_LOST:
            title, lines = _sidecars(happening, now)
        case Occasion.TOGGLED:
            title, lines = _toggled(happening)
        case Occasion.CHANGED:
            title, lines = _changed(happening)
        case _:
            title, lines = _transition(happening, occasion, ruleset, now)
    is_late = _ms(now) - _ms(happening.at) > LATE_MS
    if is_late and occasion not in _SIGNALS:
        lines.insert(0, happened_late(_ms(happening.at)).text(_ms(now)))
    if deed is not None:
        lines.append(_deed(deed))
    if later is not None:
        lines.append(_since(later, now))
    if (where := _where(happening, app_name, environment)) is not None:
        title = f"{title}: {where}"
    return Message(
        action=happening.action,
        happened_at=happening.at,
        title=title,
        lines=tuple(lines),
        link=_link(happening, tower_url),
        facts=_facts(happening, later, is_late),
    )


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _where(happening: Happening, app_name: str | None, environment: str | None) -> str | None:
    if happening.app is None:
        return None
    app = ", ".join(named(text) for text in (app_name or happening.app, environment) if text)
    return app if happening.flag is None else f"{happening.flag} ({app})"


def _link(happening: Happening, tower_url: str | None) -> str | None:
    if tower_url is None:
        return None
    link = tower_url.rstrip("/")
    if happening.app is not None:
        link += f"/apps/{quote(happening.app, safe='')}"
        link += "/sidecars" if happening.flag is None else f"/flags/{quote(happening.flag, safe='')}"
    return link


def _facts(happening: Happening, later: Happening | None, is_late: bool) -> Mapping[str, object]:
    facts: dict[str, object] = {
        "occasion": happening.occasion,
        "app": happening.app,
        "flag": happening.flag,
        "entry": happening.entry,
        "author": happening.author,
        "reason": happening.reason,
        "late": is_late,
        "since_then": None if later is None else {"action": later.action, "at": timestamp(later.at)},
    }
    if happening.occasion in _SIGNALS:
        facts |= {"before": happening.before, "after": happening.after}
    elif happening.flag is None:
        facts |= {"details": happening.details}
    # Not what a flag was and is: it may be large, and what it allows and denies names users.
    return facts


def _clock(moment: datetime, now: datetime) -> str:
    return Sentence.of(Moment(_ms(moment))).text(_ms(now))


def _since(later: Happening, now: datetime) -> str:
    state = "reset" if later.action == "circuit.reset" else (later.after or {}).get("state")
    what = _SINCE.get(str(state), "it has moved")
    return f"Since then {what}, at {_clock(later.at, now)}."


def _transition(
    happening: Happening, occasion: Occasion | None, ruleset: Ruleset | None, now: datetime
) -> tuple[str, list[str]]:
    before, after = _circuit(happening.before), _circuit(happening.after)
    flag = happening.flag or ""
    title = _TITLES.get(occasion, "Circuit moved") if occasion is not None else "Circuit moved"
    if before is None or after is None or occasion is None:
        return title, [f"The log says {shown(happening.action, 80)}, and no more that this Tower can read."]
    at_ms = _ms(happening.at)
    said = transition_in_words(Transition(_SIGNALS[occasion], at_ms, before, after), flag, ruleset)
    return title, [sentence.text(_ms(now)) for sentence in said.told(_ms(now))]


def _deed(deed: Happening) -> str:
    what = "reset the circuit" if deed.action == "circuit.reset" else "turned the flag on"
    return f"{_who(deed)} {what}{reason_of(deed.reason)}."


def _circuit(value: Mapping[str, Any] | None) -> Circuit | None:
    if value is None:
        return None
    try:
        return decode_circuit(orjson.dumps({"schema": 1, **value}))
    except (ContractError, orjson.JSONEncodeError):
        return None


def _who(happening: Happening) -> str:
    return name_or(happening.author, "Somebody")


def _toggled(happening: Happening) -> tuple[str, list[str]]:
    active = (happening.after or {}).get("active")
    how = "on" if active is True else "off" if active is False else "on or off"
    effect = ["Nobody gets it now, and its circuit is not judged."] if active is False else []
    return f"Turned {how}", [*_said_and_why(happening), *effect]


def _changed(happening: Happening) -> tuple[str, list[str]]:
    return f"Flag {happening.action.partition('.')[2].replace('_', ' ')}", _said_and_why(happening)


def _said_and_why(happening: Happening) -> list[str]:
    said = happening.sentence or f"The log has {shown(happening.action, 80)}."
    reason = named(happening.reason, MAX_REASON) if happening.reason else ""
    return [said, f"Reason: “{reason}”."] if reason else [said]


def _nothing_judged(happening: Happening, now: datetime) -> tuple[str, list[str]]:
    notice = NothingJudged.read(happening.details)
    since = _clock(notice.since, now) if notice.since is not None else "a while"
    if happening.action == "notice.judged_again":
        lasted = "for a while" if notice.since is None else f"for {_lasting(notice.since, happening.at)}"
        return "Circuits are judged again", [f"No circuit was judged {lasted}. That is over."]
    match notice.cause:
        case cause if cause == NO_NATS:
            why = "Tower cannot reach NATS"
            effect = (
                "Sidecars answer from the last state they have: no change arrives, and no circuit opens or recovers."
            )
        case cause if cause == NO_AEROBAT:
            why = "no Aerobat is judging circuits: none is running, or none can read Redis"
            effect = "Flags work and changes arrive, but no circuit opens or recovers."
        case _:
            why, effect = "the cause is not known to this Tower", "No circuit opens or recovers."
    return "No circuit is judged", [
        f"No circuit has been judged since {since}: {why}.",
        effect,
        "Another alert follows when circuits are judged again.",
    ]


def _lasting(since: datetime, until: datetime) -> str:
    return rough_span(max(_ms(until) - _ms(since), 0))


def _sidecars(happening: Happening, now: datetime) -> tuple[str, list[str]]:
    lost = LostSidecars.read(happening.details)
    number = counted(lost.count, "sidecar")
    names = _names(lost.instances, lost.count)
    have = "has" if lost.count == 1 else "have"
    if happening.action == "notice.sidecar_back":
        return f"{number} back", [f"{number} {have} been heard from again, or replaced by another one: {names}."]
    since = "" if lost.since is None else f" since {_clock(lost.since, now)}"
    did = "It" if lost.count == 1 else "They"
    return f"{number} lost", [
        f"{number} {have} not been heard from{since}: {names}. {did} did not stop cleanly.",
        "If a sidecar has died, its application gets its callers' defaults. If it cannot reach NATS, it answers from "
        "the last state it has, and changes do not arrive.",
    ]


def _names(instances: Sequence[str], count: int) -> str:
    names = ", ".join(named(instance) for instance in instances[:MOST_NAMED])
    more = count - min(len(instances), MOST_NAMED)
    return f"{names} and {more} more" if more > 0 else names
