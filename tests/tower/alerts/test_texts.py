"""What alerts say."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import circuit_json
from tailslide_core.ruleset import CircuitSettings, Recovery, Ruleset
from tailslide_tower.alerts.messages import MAX_HEADER, MAX_SECTION, Message, slack_body
from tailslide_tower.alerts.notices import NO_AEROBAT, NO_NATS, LostSidecars, NothingJudged
from tailslide_tower.alerts.occasions import ACTIONS, Happening
from tailslide_tower.alerts.signatures import new_secret, signed_headers
from tailslide_tower.alerts.texts import message_of
from tailslide_tower.alerts.webhook import Kind

NOW = datetime(2026, 11, 28, 3, 0, 10, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
REASON = TripReason(TripRule.ERROR_RATE, 62.0, 53.1, 50.0, 141, 10_000)
OPEN = Circuit(State.OPEN, 0.0, 1, 1, since_ms=NOW_MS, next_ms=NOW_MS + 30_000, reason=REASON)
RULESET = Ruleset("checkout", "new-checkout", 1, True, 25.0, "s", circuit=CircuitSettings(recovery=Recovery()))
URL = "https://tower.example.org/"


def happening(action: str, **more: Any) -> Happening:
    return Happening(**{"entry": 7, "at": NOW, "action": action, "app": "checkout", "flag": "new-checkout", **more})


def opened(**more: Any) -> Happening:
    return happening("circuit.opened", before=circuit_json(Circuit()), after=circuit_json(OPEN), **more)


def test_slack_text_of_an_opened_circuit() -> None:
    message = message_of(opened(), NOW, ruleset=RULESET, app_name="Checkout", environment="production", tower_url=URL)
    assert orjson.loads(message.body(Kind.SLACK)) == {
        "text": (
            "Circuit open: new-checkout (Checkout, production)\n"
            "The circuit of new-checkout opened: 62% of 141 calls failed in 10 s; the threshold is 50%.\n"
            "Nobody gets new-checkout now. Calls go to the fallback.\n"
            "The circuit lets users back in by itself from 03:00:40 UTC, 10% first.\n"
            "https://tower.example.org/apps/checkout/flags/new-checkout"
        ),
        "mrkdwn": False,
        "blocks": [
            {
                "type": "header",
                "text": {
                    "type": "plain_text",
                    "text": "Circuit open: new-checkout (Checkout, production)",
                    "emoji": False,
                },
            },
            {
                "type": "section",
                "text": {
                    "type": "plain_text",
                    "text": (
                        "The circuit of new-checkout opened: 62% of 141 calls failed in 10 s; the threshold is 50%.\n"
                        "Nobody gets new-checkout now. Calls go to the fallback.\n"
                        "The circuit lets users back in by itself from 03:00:40 UTC, 10% first."
                    ),
                    "emoji": False,
                },
            },
            {
                "type": "context",
                "elements": [
                    {
                        "type": "mrkdwn",
                        "text": "<https://tower.example.org/apps/checkout/flags/new-checkout|Open in Tailslide>",
                    }
                ],
            },
        ],
    }


def test_late_alert_says_when_it_happened_and_what_was_since() -> None:
    later = happening("circuit.closed", at=NOW + timedelta(minutes=5), after=circuit_json(Circuit()))
    message = message_of(opened(), NOW + timedelta(hours=3), later=later, ruleset=RULESET)
    assert message.lines[0] == "This happened 3 h ago, at 03:00:10 UTC."
    assert message.lines[-1] == "Since then it has closed, at 03:05:10 UTC."
    assert message.link is None
    assert message.facts["late"] is True


@pytest.mark.parametrize(
    ("change", "title", "lines"),
    [
        (
            happening(
                "flag.toggled",
                reason="payments incident",
                after={"active": False},
                sentence="editor@example.org turned new-checkout off.",
            ),
            "Turned off: new-checkout (checkout)",
            (
                "editor@example.org turned new-checkout off.",
                "Reason: “payments incident”.",
                "Nobody gets it now, and its circuit is not judged.",
            ),
        ),
        (
            happening("flag.toggled", after={"active": True}, sentence="CI turned new-checkout on for 12.5%."),
            "Turned on: new-checkout (checkout)",
            ("CI turned new-checkout on for 12.5%.",),
        ),
        (
            happening("flag.rolled_back", sentence="CI rolled new-checkout back to version 3."),
            "Flag rolled back: new-checkout (checkout)",
            ("CI rolled new-checkout back to version 3.",),
        ),
        (
            happening(
                "notice.nothing_judged",
                app=None,
                flag=None,
                details=NothingJudged(NO_AEROBAT, NOW - timedelta(seconds=30)).json(),
            ),
            "No circuit is judged",
            (
                "No circuit has been judged since 02:59:40 UTC: no Aerobat is judging circuits: none is running, or "
                "none can read Redis.",
                "Flags work and changes arrive, but no circuit opens or recovers.",
                "Another alert follows when circuits are judged again.",
            ),
        ),
        (
            happening("notice.nothing_judged", app=None, flag=None, details=NothingJudged(NO_NATS, NOW).json()),
            "No circuit is judged",
            (
                "No circuit has been judged since 03:00:10 UTC: Tower cannot reach NATS.",
                "Sidecars answer from the last state they have: no change arrives, and no circuit opens or recovers.",
                "Another alert follows when circuits are judged again.",
            ),
        ),
        (
            happening(
                "notice.judged_again",
                app=None,
                flag=None,
                details=NothingJudged(None, NOW - timedelta(minutes=8)).json(),
            ),
            "Circuits are judged again",
            ("No circuit was judged for 8 min. That is over.",),
        ),
        (
            happening("notice.sidecar_lost", flag=None, details=LostSidecars(2, ("pay-1", "pay-2"), NOW).json()),
            "2 sidecars lost: checkout",
            (
                "2 sidecars have not been heard from since 03:00:10 UTC: pay-1, pay-2. They did not stop cleanly.",
                "If a sidecar has died, its application gets its callers' defaults. If it cannot reach NATS, it "
                "answers from the last state it has, and changes do not arrive.",
            ),
        ),
        (
            happening("notice.sidecar_back", flag=None, details=LostSidecars(1, ("pay-1",), NOW).json()),
            "1 sidecar back: checkout",
            ("1 sidecar has been heard from again, or replaced by another one: pay-1.",),
        ),
    ],
)
def test_what_people_read(change: Happening, title: str, lines: tuple[str, ...]) -> None:
    message = message_of(change, NOW)
    assert (message.title, message.lines) == (title, lines)


def test_reset_says_who_and_why() -> None:
    reset = happening("circuit.reset", before=circuit_json(OPEN), after=circuit_json(Circuit(generation=2)))
    deed = happening("flag.toggled", author="editor@example.org", reason="fixed in 1.2")
    lines = message_of(reset, NOW, deed=deed).lines
    assert lines[-1] == "editor@example.org turned the flag on: “fixed in 1.2”."


def test_many_sidecars_are_counted_and_the_first_are_named() -> None:
    details = LostSidecars(200, tuple(f"pay-{n:03}" for n in range(200)), NOW).json()
    lines = message_of(happening("notice.sidecar_lost", flag=None, details=details), NOW).lines
    assert "pay-008, pay-009 and 190 more." in lines[0]


@given(
    st.sampled_from(sorted(ACTIONS)),
    st.one_of(st.none(), st.dictionaries(st.text(max_size=8), st.one_of(st.none(), st.text(max_size=5), st.floats()))),
    st.dictionaries(st.sampled_from(["cause", "since", "count", "instances"]), st.one_of(st.text(), st.integers())),
    st.text(max_size=40),
)
def test_whatever_the_log_has_an_alert_says_something(
    action: str, value: dict[str, object] | None, details: dict[str, object], text: str
) -> None:
    change = happening(action, before=value, after=value, details=details, author=text, reason=text)
    message = message_of(change, NOW, later=change, deed=change, tower_url=URL)
    assert message.title
    assert message.lines
    for kind in Kind:
        assert orjson.loads(message.body(kind))


@given(st.text(alphabet=st.sampled_from("<>&!@#|*_~`abc é\n"), max_size=4000))
def test_slack_reads_no_text_as_markup_and_takes_it_whatever_its_length(text: str) -> None:
    body = orjson.loads(slack_body(Message("flag.changed", NOW, text, (text,), URL)))
    header, section = body["blocks"][0]["text"]["text"], body["blocks"][1]["text"]["text"]
    assert len(header) <= MAX_HEADER
    assert len(section) <= MAX_SECTION
    for shown in (header, section, body["text"]):
        assert not set(shown) & set("<>")
        unescaped = shown.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "")
        assert "&" not in unescaped
    if len(text) * 5 <= MAX_HEADER:
        assert header == text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_mention_in_a_reason_mentions_nobody() -> None:
    change = happening("flag.toggled", author="a", reason="<!channel> <https://evil.example|x> & more")
    body = message_of(change, NOW).body(Kind.SLACK).decode()
    assert "<!channel>" not in body
    assert "&lt;!channel&gt;" in body


DOCUMENT = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()


def slack_text(message: Message) -> str:
    text: str = orjson.loads(message.body(Kind.SLACK))["text"]
    return text


def test_the_document_shows_the_texts_as_they_are() -> None:
    later = happening("circuit.closed", at=NOW + timedelta(minutes=5), after=circuit_json(Circuit()))
    more: dict[str, Any] = {"ruleset": RULESET, "app_name": "Checkout", "environment": "production", "tower_url": URL}
    at_once = message_of(opened(), NOW, **more)
    late = message_of(opened(), NOW + timedelta(hours=2), later=later, **more)
    shown = re.findall(r"```text\n(.*?)\n```", DOCUMENT, re.DOTALL)
    assert shown == [slack_text(at_once), slack_text(late)]


def test_the_receiver_s_code_in_the_document_takes_what_tower_signs_and_nothing_else() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    secret, body = new_secret(), b'{"type": "circuit.opened"}'
    now = datetime.now(UTC)
    headers = signed_headers("msg_1", now, body, [secret, new_secret()])
    assert names["verify"](secret, headers, body) is True
    assert names["verify"](new_secret(), headers, body) is False
    assert names["verify"](secret, headers, body + b" ") is False
    old = signed_headers("msg_1", now - timedelta(minutes=6), body, [secret])
    assert names["verify"](secret, old, body) is False
