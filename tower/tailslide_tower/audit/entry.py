"""An entry of the log, before it is written and as it was written. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tailslide_tower.auth.principal import Author

Json = Mapping[str, object]


class SubjectKind(StrEnum):
    """What a change is about."""

    APP = "app"
    FLAG = "flag"
    SEGMENT = "segment"
    CIRCUIT = "circuit"
    """Of a flag, whose key it has."""
    SIDECAR = "sidecar"
    SDK_KEY = "sdk_key"
    USER = "user"
    INVITATION = "invitation"
    LINK = "link"
    TOKEN = "token"  # noqa: S105 # a kind, not a secret
    SESSION = "session"
    WEBHOOK = "webhook"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a change is about: its kind, its app if it belongs to one, and what names it there."""

    kind: str
    """A `SubjectKind`, or, of an entry that was read, one that a newer Tower knows."""
    app: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What happened. `action` is `<subject>.<past participle>`, as in `flag.toggled`; it does not change.

    `before` and `after` are the subject as the API shows it, without anything secret; None where it was not there.
    `version` is that of the subject afterwards, where it has versions. `details` are what else there is to say.
    `at_ms` (Unix milliseconds) is when it happened, where that is not now. `minor` is what a reader of the whole log
    rather does not see, such as each step of a recovery.
    """

    action: str
    subject: Subject
    author: Author
    before: Json | None = None
    after: Json | None = None
    version: int | None = None
    details: Json = field(default_factory=dict)
    at_ms: int | None = None
    minor: bool = False


@dataclass(frozen=True, slots=True)
class LogRow:
    """An entry as it is in the log. `id` grows; entries become visible in the order of their ids."""

    id: int
    at: datetime
    action: str
    subject: Subject
    version: int | None
    actor_kind: str
    """A `PrincipalKind`, or one that a newer Tower knows."""
    actor_id: str
    actor: str
    address: str | None
    reason: str | None
    before: Json | None
    after: Json | None
    details: Json
    minor: bool
