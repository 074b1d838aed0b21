"""What people note of a flag beside its ruleset: for lists, searches and cleaning up. Pure; nothing is published."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from tailslide_core.contracts import Json
from tailslide_core.errors import ContractError

MAX_NAME = 200
MAX_DESCRIPTION = 2_000
MAX_OWNER = 200
MAX_TAGS = 20
MAX_TAG = 50

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SPACES = re.compile(r"\s+")


class Lifetime(StrEnum):
    """How long a flag is meant to be there."""

    PERMANENT = "permanent"
    """As long as the feature: an entitlement, a switch for operations."""
    TEMPORARY = "temporary"
    """Until the release or the experiment is over; then the flag is removed from the code."""


@dataclass(frozen=True, slots=True)
class About:
    """What people note of a flag. `tags` are in the form of `tag_of`, sorted; `owner` is whoever is to be asked."""

    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    owner: str | None = None
    lifetime: Lifetime = Lifetime.PERMANENT
    expected_end: date | None = None
    """When a temporary flag is expected to be removed."""

    def after(self, given: Mapping[str, Any], key: str) -> "About":
        """Return this with the given fields; raise `ContractError`. A flag without a name is called as its key.

        A flag that becomes permanent loses its expected end.
        """
        lifetime = Lifetime(given.get("lifetime", self.lifetime))
        fallback = self.expected_end if lifetime is Lifetime.TEMPORARY else None
        text = given.get("expected_end")
        expected_end = fallback if "expected_end" not in given else None if text is None else date_of(str(text))
        if expected_end is not None and lifetime is Lifetime.PERMANENT:
            raise ContractError("expected_end", "expected null, since lifetime is permanent; set lifetime to temporary")
        return replace(
            self,
            name=str(given.get("name", self.name) or key),
            description=str(given.get("description", self.description)),
            tags=tags_of(given["tags"]) if "tags" in given else self.tags,
            owner=given.get("owner", self.owner) or None,
            lifetime=lifetime,
            expected_end=expected_end,
        )

    def json(self) -> Json:
        """Return the fields as the API shows them."""
        return {
            "name": self.name,
            "description": self.description,
            "tags": list(self.tags),
            "owner": self.owner,
            "lifetime": self.lifetime,
            "expected_end": None if self.expected_end is None else self.expected_end.isoformat(),
        }

    def row(self, key: str) -> dict[str, Any]:
        """Return the columns that hold this."""
        return self.json() | {"expected_end": self.expected_end, "search": search_text(key, self)}

    @classmethod
    def of_row(cls, row: Mapping[Any, Any]) -> "About":
        """Return what a row of the database says."""
        return cls(
            row["name"],
            row["description"],
            tuple(row["tags"]),
            row["owner"],
            Lifetime(row["lifetime"]),
            row["expected_end"],
        )


def date_of(text: str) -> date:
    """Read `YYYY-MM-DD` (RFC 3339, full-date); raise `ContractError`."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ContractError("expected_end", "expected a date like 2026-12-31")


def tag_of(text: str) -> str:
    """Return a tag in the form in which tags are kept and compared: lower case, single spaces, Unicode's form C.

    Raises `ValueError` for what is none.
    """
    tag = _SPACES.sub(" ", unicodedata.normalize("NFC", text).strip().lower())
    if not 0 < len(tag) <= MAX_TAG or not tag.isprintable() or "," in tag:
        raise ValueError(f"expected a tag of 1 to {MAX_TAG} characters on one line, without commas")
    return tag


def tags_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return tags in their form, each once, sorted."""
    return tuple(sorted({tag_of(text) for text in texts}))


def search_text(key: str, about: About) -> str:
    """Return what a search looks in, in lower case: key, name, description and tags, a line each."""
    return "\n".join((key, about.name, about.description, *about.tags)).lower()
