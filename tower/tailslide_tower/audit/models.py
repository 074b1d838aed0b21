"""What can be asked of the log, and what is shown of it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.naming import MAX_FLAG_KEY, check_app_key
from tailslide_tower.audit.entry import SubjectKind
from tailslide_tower.audit.queries import Filters
from tailslide_tower.requests import STORABLE, PageQuery, RequestBody

MAX_ID = 2**63 - 1
_KINDS = tuple(str(kind) for kind in SubjectKind)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+ -]\d{2}:\d{2})")
_ACTION = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}")


def _moment(value: object) -> object:
    """Read a time in RFC 3339. In a query an unescaped + is a space."""
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        day, time = value[:10], value[11:].upper()
        clock = re.sub(r"\.\d+", lambda fraction: fraction[0][:7], time.replace(" ", "+").replace("Z", "+00:00"))
        try:
            return datetime.fromisoformat(f"{day}T{clock}").astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise ValueError("expected a time like 2026-11-22T10:00:00Z")


def _actions(text: str) -> str:
    for action in text.split(",") if text else ():
        if _ACTION.fullmatch(action) is None:
            raise ValueError(f"expected actions like flag.toggled with commas between them, got {shown(action, 80)}")
    return text


def _kinds(text: str) -> str:
    for kind in text.split(",") if text else ():
        if kind not in _KINDS:
            known = ", ".join(_KINDS)
            raise ValueError(f"expected kinds with commas between them, of {known}; got {shown(kind, 80)}")
    return text


Time = Annotated[datetime | None, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class ExportFormat(StrEnum):
    """How the log is exported."""

    CSV = "csv"
    JSONL = "jsonl"


class FlagLogQuery(PageQuery):
    """Which entries of a flag are asked for; filters add up."""

    action: Annotated[
        str, Field(max_length=1000, description="Actions with commas between them."), AfterValidator(_actions)
    ] = ""
    kind: Annotated[
        str,
        Field(max_length=200, description="Kinds of subjects with commas between them: flag, circuit, …"),
        AfterValidator(_kinds),
    ] = ""
    actor: Annotated[
        str, Field(max_length=320, description="Who has done it: an e-mail address, a token's name."), STORABLE
    ] = ""
    from_: Annotated[Time, Field(alias="from", description="The earliest time, in RFC 3339.")] = None
    to: Annotated[Time, Field(description="Where the time ends, in RFC 3339; not included.")] = None
    q: Annotated[
        str,
        Field(
            max_length=200,
            description="Words; each has to begin a word of the subject's key, the actor or the reason, in any case.",
        ),
        STORABLE,
    ] = ""
    hide_steps: Annotated[
        bool, Field(description="Leave out the steps of recoveries, and other entries that repeat what is known.")
    ] = True
    full: Annotated[bool, Field(description="With the whole states before and after.")] = False

    @property
    def before(self) -> int | None:
        """Return the id below which the page begins; raise `ContractError`."""
        return entry_id("after", self.after) if self.after else None

    def filters(self, app: str | None, key: str = "", kinds: Sequence[str] = ()) -> Filters:
        """Return what is asked for, of an app or of a subject of it, of these kinds; raise `ContractError`."""
        asked = tuple(self.kind.split(",")) if self.kind else tuple(kinds)
        if kinds and not set(asked) <= set(kinds):
            raise ContractError("kind", f"expected {' or '.join(kinds)}, got {shown(self.kind, 80)}")
        return Filters(
            actions=tuple(self.action.split(",")) if self.action else (),
            kinds=asked,
            actor=self.actor,
            app=app,
            key=key,
            since=self.from_,
            until=self.to,
            text=self.q,
            minor=not self.hide_steps,
        )


class AppLogQuery(FlagLogQuery):
    """Which entries of an app are asked for."""

    key: Annotated[
        str, Field(max_length=MAX_FLAG_KEY, description="What names the subject: a flag's key."), STORABLE
    ] = ""


class LogQuery(AppLogQuery):
    """Which entries are asked for, of all apps that the one who asks may see."""

    app: Annotated[str, Field(max_length=63, description="An app's key.")] = ""

    @property
    def only_app(self) -> str | None:
        """Return the app that is asked for; raise `ContractError`."""
        return check_app_key("app", self.app) if self.app else None


class ExportQuery(LogQuery):
    """Which entries are exported: all that are asked for, unless `limit` is given."""

    format: Annotated[ExportFormat, Field(description="csv, or jsonl: one JSON object a line.")] = ExportFormat.CSV


class VersionsQuery(PageQuery):
    """Which part of a flag's versions is asked for."""

    @property
    def before(self) -> int | None:
        """Return the id below which the page begins; raise `ContractError`."""
        return entry_id("after", self.after) if self.after else None


class RollBack(RequestBody):
    """Make a flag as it was in an earlier version."""

    version: Annotated[int, Field(ge=1, le=2**53)]


def entry_id(field: str, text: str) -> int:
    """Read an entry's id; raise `ContractError`."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 0 < int(text) <= MAX_ID):
        raise ContractError(field, f"expected the id of an entry, got {shown(text, 80)}")
    return int(text)


class SubjectOut(BaseModel):
    """What an entry is about."""

    kind: str
    app: str | None
    key: str | None


class ActorOut(BaseModel):
    """Who has done it. `kind` is user, token, environment, link, or system for what nobody has asked for."""

    kind: str
    id: str
    name: str


class ChangeOut(BaseModel):
    """What is different at one place: `before` and `after`, missing where there was no such member.

    Or, of a list, what it has lost and gained.
    """

    field: str = Field(description="The place as a text.")
    path: list[str | int] = Field(description="The place: names of members and positions in lists.")
    before: Any = None
    after: Any = None
    removed: list[Any] | None = None
    added: list[Any] | None = None


class EntryOut(BaseModel):
    """An entry of the log. `before` and `after` are there where the whole states are asked for."""

    id: int
    at: str = Field(description="When it happened; of circuits by the clock of the time series server.")
    action: str
    subject: SubjectOut
    actor: ActorOut
    address: str | None = Field(description="Where the request came from; only for admins.")
    reason: str | None
    version: int | None = Field(description="Of the subject, afterwards.")
    minor: bool = Field(description="Whether `hide_steps` leaves it out.")
    sentence: str
    changes: list[ChangeOut] = Field(description="What is different; empty where something was made or deleted.")
    details: dict[str, Any]
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class LogPage(BaseModel):
    """A page of the log, newest first. `next` is where to go on (`after`), null at the end."""

    entries: list[EntryOut]
    next: str | None


class VersionOut(BaseModel):
    """A version of a flag that can be rolled back to."""

    version: int
    entry: int = Field(description="The id of its entry in the log.")
    at: str
    actor: ActorOut
    reason: str | None
    action: str
    sentence: str
    current: bool


class VersionList(BaseModel):
    """A page of a flag's versions, newest first."""

    versions: list[VersionOut]
    next: str | None
