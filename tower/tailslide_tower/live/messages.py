"""What is said over the live socket: what clients send, read strictly, and what they get. JSON texts both ways.

The models of what they get are for readers and for OpenAPI; `docs/live.md` says when each is sent.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId, check_app_key
from tailslide_runtime.http import parse_json
from tailslide_runtime.settings import problems
from tailslide_tower.requests import RequestBody
from tailslide_tower.timeseries.models import FlagName

PROTOCOL_VERSION = 1
MAX_APPS = 200
MAX_FLAGS = 500
MAX_CLIENT_BYTES = 65_536
MAX_REFRESHED = 20
"""Flags that one client may have looked at again and again."""
EVERY_MS = (1_000, 2_000, 5_000, 10_000, 60_000)
"""How often graph points may come, in milliseconds, which is also the width of their buckets."""

Json = dict[str, Any]


class CloseCode(IntEnum):
    """Why Tower ends a socket (RFC 6455, section 7.4). From 4000 on they are our own."""

    GOING_AWAY = 1001
    """This Tower stops. Connect again, to it or to another one."""
    BAD_MESSAGES = 4400
    """Too many messages that could not be read."""
    NOT_AUTHORIZED = 4401
    """The session or the token has ended, or may view nothing any more."""
    TOO_SLOW = 4408
    """The client has not taken what was sent for too long."""
    TOO_MANY_MESSAGES = 4429
    """The client has sent more messages than it may."""


class PointsFields(RequestBody):
    """Graph points of some flags."""

    flags: Annotated[list[FlagName], Field(min_length=1, max_length=MAX_FLAGS)]
    every_ms: int = 1_000


class SubscribeFields(RequestBody):
    """What a client wants to be told of; it takes the place of what it wanted before.

    `apps` are apps whose flags it follows, `"*"` all that it may view; `flags` are single flags in addition. `log` and
    `sidecars` are of those apps. With `snapshot` it is sent all of that as it is now. With `refresh_ms` single flags
    are looked at again so often, for what their states say of calls and of time.
    """

    apps: Annotated[list[str], Field(max_length=MAX_APPS)] | Literal["*"] = Field(default_factory=list)
    flags: Annotated[list[FlagName], Field(max_length=MAX_FLAGS)] = Field(default_factory=list)
    log: bool = False
    sidecars: bool = False
    snapshot: bool = True
    refresh_ms: int | None = None
    points: PointsFields | None = None


class ClientMessage(RequestBody):
    """What clients send. `since` is the last cursor that they have got: what has changed behind it comes first."""

    subscribe: SubscribeFields
    since: Annotated[str, Field(max_length=20)] | None = None


@dataclass(frozen=True, slots=True)
class PointsWanted:
    """Flags of which graph points are wanted, and how often, in milliseconds."""

    flags: tuple[FlagId, ...]
    every_ms: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subscription."""

    every_app: bool = False
    apps: frozenset[str] = frozenset()
    flags: frozenset[FlagId] = frozenset()
    log: bool = False
    sidecars: bool = False
    snapshot: bool = True
    refresh_ms: int | None = None
    points: PointsWanted | None = None

    def has_app(self, app: str) -> bool:
        """Whether an app as a whole is followed."""
        return self.every_app or app in self.apps

    def has_flag(self, flag_id: FlagId) -> bool:
        """Whether a flag is followed."""
        return self.has_app(flag_id.app) or flag_id in self.flags

    def named_apps(self) -> frozenset[str]:
        """Return the apps that it names, by themselves or with a flag."""
        points = () if self.points is None else self.points.flags
        return self.apps | {flag_id.app for flag_id in (*self.flags, *points)}


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that was read: what is wanted, and from which entry of the log on; None from now on."""

    wanted: Wanted
    since: int | None


def read_message(text: str) -> Asked:
    """Read what a client has sent; raise `ContractError` that names the field."""
    try:
        value = parse_json(text.encode())
    except ValueError as error:
        raise ContractError("message", str(error)) from None
    if not isinstance(value, dict):
        raise ContractError("message", "expected a JSON object")
    try:
        message = ClientMessage.model_validate(value)
    except ValidationError as error:
        raise ContractError(*problems(error)[0]) from None
    asked = message.subscribe
    apps = [] if asked.apps == "*" else asked.apps
    for index, app in enumerate(apps):
        check_app_key(f"subscribe.apps[{index}]", app)
    points = asked.points
    if points is not None and points.every_ms not in EVERY_MS:
        expected = ", ".join(map(str, EVERY_MS))
        raise ContractError("subscribe.points.every_ms", f"expected one of {expected}, got {points.every_ms}")
    if asked.refresh_ms is not None:
        if asked.refresh_ms not in EVERY_MS:
            expected = ", ".join(map(str, EVERY_MS))
            raise ContractError("subscribe.refresh_ms", f"expected one of {expected}, or null, got {asked.refresh_ms}")
        if not 0 < len(asked.flags) <= MAX_REFRESHED:
            problem = f"expected 1 to {MAX_REFRESHED} flags, since refresh_ms is set, got {len(asked.flags)}"
            raise ContractError("subscribe.flags", problem)
    wanted = Wanted(
        every_app=asked.apps == "*",
        apps=frozenset(apps),
        flags=frozenset(_flags("subscribe.flags", asked.flags)),
        log=asked.log,
        sidecars=asked.sidecars,
        snapshot=asked.snapshot,
        refresh_ms=asked.refresh_ms,
        points=None
        if points is None
        else PointsWanted(tuple(dict.fromkeys(_flags("subscribe.points.flags", points.flags))), points.every_ms),
    )
    return Asked(wanted, _cursor(message.since))


def _flags(field: str, names: list[str]) -> list[FlagId]:
    flags = []
    for index, name in enumerate(names):
        try:
            flags.append(FlagId.parse(name))
        except ContractError as error:
            raise ContractError(f"{field}[{index}]", error.problem) from None
    return flags


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ContractError("since", "expected a cursor as it was sent")
    return int(text)


class Hello(BaseModel):
    """The first message."""

    type: Literal["hello"] = "hello"
    version: int = PROTOCOL_VERSION
    cursor: str
    """Where the log stands now."""


class Subscribed(BaseModel):
    """A subscription was taken. With `resync`, what the client holds may be out of date, for this reason."""

    type: Literal["subscribed"] = "subscribed"
    cursor: str
    resync: Literal["cursor_too_old", "cursor_unknown"] | None = None


class FlagMessage(BaseModel):
    """A flag as the API shows it, and as it is now; null when it is not there."""

    type: Literal["flag"] = "flag"
    app: str
    key: str
    flag: Json | None


class SidecarMessage(BaseModel):
    """A sidecar as the API shows it; null when it is no longer known."""

    type: Literal["sidecar"] = "sidecar"
    app: str
    instance: str
    sidecar: Json | None


class CurrentMessage(BaseModel):
    """All of the snapshot was sent. With `resync`, flags were too many to send: read them over REST."""

    type: Literal["current"] = "current"
    cursor: str
    resync: Literal["too_many_flags"] | None = None


class LogMessage(BaseModel):
    """An entry of the log, to those who want the log."""

    type: Literal["log"] = "log"
    cursor: str
    entry: Json


class ChangedMessage(BaseModel):
    """Something else than a flag has changed: a segment, an app, a webhook."""

    type: Literal["changed"] = "changed"
    cursor: str
    kind: str
    app: str | None
    key: str | None
    action: str


class CursorMessage(BaseModel):
    """All up to here was sent."""

    type: Literal["cursor"] = "cursor"
    cursor: str


class ResyncMessage(BaseModel):
    """More has changed than is told one by one: read again what you show; changes go on from here."""

    type: Literal["resync"] = "resync"
    reason: Literal["too_many_changes"] = "too_many_changes"


class PointsMessage(BaseModel):
    """The last buckets of flags, by `<app>.<flag>`: calls and failures, null where nothing was counted.

    A bucket is sent again while it may still grow; the last sent counts. Without Redis `available` is false.
    """

    type: Literal["points"] = "points"
    available: bool
    detail: str | None = None
    now_ms: int | None = None
    resolution_ms: int
    at_ms: list[int]
    flags: dict[str, dict[Literal["calls", "failures"], list[int | None]]]


class StatusMessage(BaseModel):
    """Whether changes are followed now. While they are not, nothing comes; nothing is lost either."""

    type: Literal["status"] = "status"
    following: bool
    detail: str | None = None


class ErrorMessage(BaseModel):
    """A message was not taken; what was subscribed to stays as it was."""

    type: Literal["error"] = "error"
    code: str
    field: str
    detail: str


ServerMessage = Annotated[
    Hello
    | Subscribed
    | FlagMessage
    | SidecarMessage
    | CurrentMessage
    | LogMessage
    | ChangedMessage
    | CursorMessage
    | ResyncMessage
    | PointsMessage
    | StatusMessage
    | ErrorMessage,
    Field(discriminator="type"),
]
