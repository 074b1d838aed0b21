"""What a request says, read strictly: its body, the page it asks for, the keys in its path, its precondition.

Every refusal names the field. What the values mean is the subjects' business.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, TypeVar, get_args

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tailslide_core.fields import shown
from tailslide_core.naming import check_flag_key
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
        errors = error.errors(include_url=False)
        # A name that is spelt wrong is one too many and one too few: what is sent is said first.
        index = next((index for index, each in enumerate(errors) if each["type"] == "extra_forbidden"), 0)
        field, problem = problems(error)[index]
        if errors[index]["type"] == "extra_forbidden":
            problem = _unknown("field", _at(model, errors[index]["loc"][:-1]))
        raise ApiError(400, "INVALID", problem, field) from None


def _at(model: type[BaseModel], path: Iterable[int | str]) -> type[BaseModel]:
    """Return the model of the object at a path within a body, where a field is unknown."""
    for name in path:
        field = model.model_fields.get(str(name))
        if field is not None:  # else it is a place in a list or a name in a mapping
            model = next(_models_in(field.annotation), model)
    return model


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


class NoQuery(Closed):
    """The query of a request that takes none."""


QueryT = TypeVar("QueryT", bound=BaseModel)


class PageQuery(Closed):
    """Which part of a list is asked for."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="How many items, at most.")] = DEFAULT_LIMIT
    after: Annotated[
        str, Field(max_length=500, description="Where the page before has ended: its `next`."), STORABLE
    ] = ""

    @property
    def page(self) -> "Page":
        """Return the page of a list that is ordered by keys of flags or apps."""
        return Page(self.limit, check_flag_key("after", self.after) if self.after else "")


@dataclass(frozen=True, slots=True)
class Page:
    """At most `limit` items, those whose keys come behind `after`."""

    limit: int = DEFAULT_LIMIT
    after: str = ""


def read_query(request: web.Request, model: type[QueryT]) -> QueryT:
    """Read the query as `model`: a parameter is there once, and none that is unknown; lists are separated by commas.

    A model with `extra="ignore"` is for those who are sent here by others, who may say more.
    """
    given = request.query
    known = _names(model)
    for name in given:
        if name not in known:
            if model.model_config.get("extra") == "ignore":
                continue
            raise ApiError(400, "INVALID", _unknown("query parameter", model), name)
        if len(given.getall(name)) > 1:
            raise ApiError(400, "INVALID", "expected this parameter only once", name)
    return _checked(model, dict(given))


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _unknown(what: str, model: type[BaseModel]) -> str:
    # A field that is there only to be refused has null for its type.
    known = [field.alias or name for name, field in model.model_fields.items() if field.annotation is not type(None)]
    return f"unknown {what}; " + (f"expected one of: {', '.join(known)}" if known else "none is known here")


@dataclass(frozen=True, slots=True)
class Precondition:
    """What a change expects the version to be: None does not care."""

    etags: frozenset[str] | None = None

    def check(self, version: object, current: Callable[[], object] | None = None) -> None:
        """Raise 412, with the current state, when the version is another one; `current` gives it as JSON."""
        if self.etags is not None and str(version) not in self.etags:
            raise ApiError(
                412,
                "PRECONDITION_FAILED",
                f'somebody else has changed it since you read it: its version is now "{version}"; read it again',
                "If-Match",
                more=None if current is None else {"current": current()},
                headers={"ETag": f'"{version}"'},
            )


def read_precondition(request: web.Request, *, required: bool = True) -> Precondition:
    """Read `If-Match` (RFC 9110, section 13.1.1): weak tags never match, `*` matches whatever there is.

    Raises 428 (RFC 6585, section 3) where it is required and missing, so that nobody's change is lost unnoticed.
    """
    header = request.headers.get("If-Match")
    if header is None:
        if required:
            raise ApiError(
                428,
                "PRECONDITION_REQUIRED",
                "this change needs If-Match: the ETag of what you have read, or * for whatever is there now",
                "If-Match",
            )
        return Precondition()
    if header.strip() == "*":
        return Precondition()
    try:
        tags = request.if_match
    except ValueError:
        tags = ()
    if not tags:
        raise ApiError(400, "INVALID", f'expected "<version>" in quotes, or *, got {shown(header)}', "If-Match")
    return Precondition(frozenset(tag.value for tag in tags if not tag.is_weak))
