"""What an alert says, in the form that its receiver expects. What there is to say is worked out in `texts`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from tailslide_tower.alerts.webhook import Kind
from tailslide_tower.times import timestamp

MAX_HEADER = 150
"""Slack's bound on the text of a header."""
MAX_SECTION = 3000
"""Slack's bound on the text of a section."""
OPEN_LINK = "Open in Tailslide"

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True)
class Message:
    """An alert: a title, lines in the order in which they matter, a link, and the facts for programs."""

    action: str
    """As in the log: `circuit.opened`."""
    happened_at: datetime
    title: str
    lines: tuple[str, ...]
    link: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)

    def body(self, kind: str) -> bytes:
        """Return the body of the request; raise `ValueError` for no `Kind`."""
        match Kind(kind):
            case Kind.SLACK:
                return slack_body(self)
            case Kind.GENERIC:
                return generic_body(self)


def generic_body(message: Message) -> bytes:
    """Return `type`, `timestamp` (when it happened) and `data`, as the Standard Webhooks specification suggests."""
    return orjson.dumps(
        {
            "type": message.action,
            "timestamp": timestamp(message.happened_at),
            "data": {
                **message.facts,
                "title": message.title,
                "text": " ".join(message.lines),
                "link": message.link,
            },
        }
    )


def slack_body(message: Message) -> bytes:
    """Return `text`, which notifications and other chats show, and `blocks`, which Slack shows.

    No text is read as markup: `&`, `<` and `>` are escaped, so that no name or reason can mention or link anything;
    blocks are plain text, and `mrkdwn` is off for the rest. Only the link is markup, and it is ours.
    """
    text = "\n".join((message.title, *message.lines, *((message.link,) if message.link else ())))
    blocks: list[dict[str, object]] = [{"type": "header", "text": _plain(message.title, MAX_HEADER)}]
    if message.lines:
        blocks.append({"type": "section", "text": _plain("\n".join(message.lines), MAX_SECTION)})
    if message.link is not None:
        link = {"type": "mrkdwn", "text": f"<{_escaped(message.link)}|{OPEN_LINK}>"}
        blocks.append({"type": "context", "elements": [link]})
    return orjson.dumps({"text": _escaped(text), "mrkdwn": False, "blocks": blocks})


def _plain(text: str, limit: int) -> dict[str, object]:
    cut = text
    while len(_escaped(cut)) > limit:  # cut before it is escaped, so that no escape is cut in two
        cut = cut[: -max(1, (len(_escaped(cut)) - limit) // 5)].removesuffix("…") + "…"
    return {"type": "plain_text", "text": _escaped(cut), "emoji": False}


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
