"""What a request says, read strictly: its body, the page it asks for, the keys in its path, its precondition.

Every refusal names the field. What the values mean is the subjects' business.
"""

from dataclasses import dataclass
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tailslide_core.fields import shown
from tailslide_core.naming import check_app_key, check_flag_key
from tailslide_runtime.http import ApiError, read_json
from tailslide_runtime.settings import Closed, problems

Model = TypeVar("Model", bound=BaseModel)

MAX_BODY_BYTES = 2 << 20
"""Larger than any flag or segment may be, so that those that are too large are refused with their own bound."""
DEFAULT_LIMIT = 100
MAX_LIMIT = 500


def without_nul(value: object) -> object:
    """Return the value unless there is text in it that PostgreSQL cannot store. Bodies are not nested deeply."""
    if isinstance(value, str) and "\0" in value:
        raise ValueError("expected text without the character U+0000")
    for item in (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ():
        without_nul(item)
    return value


STORABLE = AfterValidator(without_nul)
"""Stands last in the annotation of a text, so that its length is checked as a text's."""


class RequestBody(Closed):
    """Base of request bodies: JSON types are taken as they are, `"5"` is no number and `1` is not true."""

    model_config = ConfigDict(strict=True)


class NoFields(RequestBody):
    """The body of a request that has nothing to say."""


async def read_body(request: web.Request, model: type[Model]) -> Model:
    """Read a body as `model`; an empty body counts as an object without fields."""
    if request.can_read_body and request.content_type != "application/json":
        if await request.read():
            raise ApiError(
                415, "UNSUPPORTED_MEDIA_TYPE", f"expected application/json, got {request.content_type}", "Content-Type"
            )
        return _checked(model, {})
    return _checked(model, await read_json(request))


def _checked(model: type[Model], value: object) -> Model:
    if not isinstance(value, dict):
        raise ApiError(400, "INVALID", "expected a JSON object", "body")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        field, problem = problems(error)[0]
        raise ApiError(400, "INVALID", problem, field) from None


@dataclass(frozen=True, slots=True)
class Page:
    """At most `limit` items, those whose keys come behind `after`."""

    limit: int = DEFAULT_LIMIT
    after: str = ""


class _PageQuery(Closed):
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    after: str = ""


def read_page(request: web.Request) -> Page:
    """Read `limit` (1 to 500) and `after` (the key that the page before ended with) from the query."""
    query = _checked(_PageQuery, dict(request.query))
    return Page(query.limit, check_flag_key("after", query.after) if query.after else "")


def read_no_query(request: web.Request) -> None:
    """Refuse query parameters: none is known here."""
    for name in request.query:
        raise ApiError(400, "INVALID", "unknown query parameter", name)


def path_app(request: web.Request) -> str:
    """Return the key of an app from the path."""
    return check_app_key("app", request.match_info["app"])


def path_key(request: web.Request, name: str) -> str:
    """Return the key of a flag or a segment from the path."""
    return check_flag_key(name, request.match_info[name])


@dataclass(frozen=True, slots=True)
class Precondition:
    """What a change expects the version to be: None does not care."""

    etags: frozenset[str] | None = None

    def check(self, version: int) -> None:
        """Raise 412 when the version is another one."""
        if self.etags is not None and str(version) not in self.etags:
            raise ApiError(
                412,
                "PRECONDITION_FAILED",
                f'expected the version to be still as in If-Match, but it is "{version}"',
                "If-Match",
            )


def read_precondition(request: web.Request) -> Precondition:
    """Read `If-Match` (RFC 9110, section 13.1.1): weak tags never match, `*` matches whatever there is."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return Precondition()
    tags = request.if_match
    if not tags:
        raise ApiError(400, "INVALID", f'expected "<version>" in quotes, or *, got {shown(header)}', "If-Match")
    return Precondition(frozenset(tag.value for tag in tags if not tag.is_weak))
