"""Routes that say what they take and give. What they do is in the handlers; the description is made in `openapi`.

A handler is `async def change_flag(ask: Ask[FlagChange, NoQuery]) -> web.Response`: the models of its body and of its
query are those of its annotation, read strictly before it is called, and after it is known that the one who asks may.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar, get_args, get_type_hints
from urllib.parse import unquote

import orjson
from aiohttp import web
from pydantic import BaseModel

from tailslide_core.errors import ContractError
from tailslide_core.naming import check_app_key, check_flag_key
from tailslide_runtime.http import ApiError
from tailslide_tower.auth.principal import Author, Principal, Role
from tailslide_tower.requests import (
    NoFields,
    NoQuery,
    Precondition,
    read_body,
    read_precondition,
    read_query,
    without_nul,
)

BodyT = TypeVar("BodyT", bound=BaseModel)
QueryT = TypeVar("QueryT", bound=BaseModel)

PRINCIPAL = web.RequestKey("principal", Principal)
ADDRESS = web.RequestKey("address", str)
"""The address of the client, as far as it is known."""
REASON_HEADER = "Tailslide-Reason"
MAX_REASON = 500
ROLES_OF = {
    "view": Role.VIEWER,
    "edit": Role.EDITOR,
    "edit_any": Role.EDITOR,
    "admin": Role.ADMIN,
}


class Access(StrEnum):
    """Who may use a route. Where its path has `{app}`, the role in that app counts, else the one over all apps."""

    PUBLIC = "public"
    """Anybody, without a credential."""
    KNOWN = "known"
    """Whoever has a credential, whatever the role; the handler says what they see."""
    VIEW = "view"
    """Viewers. Without an app in the path, whoever is a viewer of any app; the handler leaves out the others."""
    EDIT = "edit"
    EDIT_ANY = "edit_any"
    """Whoever is an editor of any app; the handler says what they may change."""
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    access: Access
    summary: str
    tag: str
    body: type[BaseModel]
    query: type[BaseModel]
    answer: Any
    """The model of a successful answer's JSON; None where there is no body."""
    status: int
    conditional: bool
    """Whether it changes a resource that exists, and so needs `If-Match`."""
    published: bool
    """Whether it changes what sidecars get, so that it is refused while nothing may be published."""
    description: str
    name: str
    more_answers: tuple[int, ...] = ()
    media_type: str = "application/json"
    messages: Mapping[str, Any] = field(default_factory=dict)
    """Of a WebSocket: the models of what each side, `client` and `server`, sends over it."""


@dataclass(frozen=True, slots=True)
class Ask(Generic[BodyT, QueryT]):
    """A request that was read and may be answered."""

    request: web.Request
    operation: Operation
    body: BodyT
    query: QueryT
    precondition: Precondition
    """Passed on to whoever locks the resource; without effect where the operation is not conditional."""

    @property
    def principal(self) -> Principal:
        """Return who asks. Not for public routes."""
        return self.request[PRINCIPAL]

    @property
    def author(self) -> Author:
        """Return who asks, from where and why, for the log."""
        return Author(self.principal, self.request.get(ADDRESS), read_reason(self.request))

    @property
    def app(self) -> str:
        """Return the key of the app in the path."""
        return check_app_key("app", self.request.match_info["app"])

    def key(self, name: str) -> str:
        """Return the key of a flag or a segment in the path."""
        return check_flag_key(name, self.request.match_info[name])

    def text(self, name: str) -> str:
        """Return a part of the path as it is; raise `ContractError` where it is no text that can be stored."""
        text = self.request.match_info[name]
        try:
            without_nul(text)
        except ValueError as error:
            raise ContractError(name, str(error)) from None
        return text

    def answer(self, body: object = None, *, etag: object = None, location: str | None = None) -> web.Response:
        """Return the successful answer. `location` is relative to the path that was asked."""
        headers = {}
        if etag is not None:
            headers["ETag"] = f'"{etag}"'
        if location is not None:
            headers["Location"] = f"{self.request.path}/{location}"
        if self.operation.answer is None:
            return web.Response(status=self.operation.status, headers=headers)
        return web.Response(
            body=orjson.dumps(body), status=self.operation.status, content_type="application/json", headers=headers
        )


Plain = Ask[NoFields, NoQuery]
"""A request that says nothing but its path."""

Handler = Callable[[Ask[Any, Any]], Awaitable[web.StreamResponse]]
H = TypeVar("H", bound=Handler)


class Routes:
    """The routes of one subject."""

    def __init__(self, tag: str) -> None:
        """`tag` is the subject's name in the description."""
        self._tag = tag
        self.declared: list[tuple[Operation, Handler]] = []

    def get(self, path: str, *, access: Access, answer: Any, summary: str, **more: Any) -> Callable[[H], H]:
        """Declare a route that reads."""
        return self._route("GET", path, access, summary, answer=answer, **more)

    def post(self, path: str, *, access: Access, answer: Any, summary: str, **more: Any) -> Callable[[H], H]:
        """Declare a route that makes or does something; `status` is 200 unless given."""
        return self._route("POST", path, access, summary, answer=answer, **more)

    def put(self, path: str, *, access: Access, answer: Any, summary: str, **more: Any) -> Callable[[H], H]:
        """Declare a route that replaces something."""
        return self._route("PUT", path, access, summary, answer=answer, **more)

    def patch(self, path: str, *, access: Access, answer: Any, summary: str, **more: Any) -> Callable[[H], H]:
        """Declare a route that changes something."""
        return self._route("PATCH", path, access, summary, answer=answer, **more)

    def delete(self, path: str, *, access: Access, summary: str, answer: Any = None, **more: Any) -> Callable[[H], H]:
        """Declare a route that takes something away; 204 without an answer."""
        return self._route("DELETE", path, access, summary, answer=answer, **more)

    def _route(
        self,
        method: str,
        path: str,
        access: Access,
        summary: str,
        *,
        answer: Any,
        status: int | None = None,
        conditional: bool = False,
        published: bool = False,
        more_answers: tuple[int, ...] = (),
        media_type: str = "application/json",
        messages: Mapping[str, Any] | None = None,
    ) -> Callable[[H], H]:
        def declare(handler: H) -> H:
            body, query = _models_of(handler)
            operation = Operation(
                method=method,
                path=path,
                access=access,
                summary=summary,
                tag=self._tag,
                body=body,
                query=query,
                answer=answer,
                status=status if status is not None else 204 if answer is None else 200,
                conditional=conditional,
                published=published,
                description=inspect.getdoc(handler) or "",
                name=handler.__name__,
                more_answers=more_answers,
                media_type=media_type,
                messages=messages or {},
            )
            self.declared.append((operation, handler))
            return handler

        return declare


def _models_of(handler: Handler) -> tuple[type[BaseModel], type[BaseModel]]:
    ask = get_type_hints(handler)["ask"]
    body, query = get_args(ask)
    return body, query


OPERATIONS = web.AppKey("operations", dict[Any, Operation])
"""The operations of an application, by what aiohttp calls for them."""


def add_routes(application: web.Application, subjects: Iterable[Routes]) -> None:
    """Add the routes of all subjects to an application."""
    application[OPERATIONS] = {}
    for subject in subjects:
        for operation, handler in subject.declared:
            endpoint = _endpoint(operation, handler)
            application.router.add_route(operation.method, operation.path, endpoint)
            application[OPERATIONS][endpoint] = operation


def operation_of(request: web.Request) -> Operation | None:
    """Return the operation that a request is for; None where there is none."""
    return request.config_dict[OPERATIONS].get(request.match_info.handler)


def _endpoint(operation: Operation, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return what aiohttp calls: it checks who asks, reads what is said, and calls the handler."""

    async def endpoint(request: web.Request) -> web.StreamResponse:
        check_access(request, operation)
        query = read_query(request, operation.query)
        precondition = read_precondition(request, required=operation.conditional)
        if operation.method != "GET" and operation.access is not Access.PUBLIC:
            read_reason(request)  # refused before anything is done, also where nothing comes of it that is logged
        body = await read_body(request, operation.body)
        return await handler(Ask(request, operation, body, query, precondition))

    return endpoint


def check_access(request: web.Request, operation: Operation) -> None:
    """Raise 403 unless the one who asks may use the operation, in the app of the path if it has one."""
    if operation.access in {Access.PUBLIC, Access.KNOWN}:
        return
    principal, role, app = request[PRINCIPAL], ROLES_OF[operation.access], request.match_info.get("app")
    if principal.may(role, app):
        return
    if app is None and (role is Role.VIEWER or operation.access is Access.EDIT_ANY) and principal.may_anywhere(role):
        return
    check_role(principal, role, app)


def check_role(principal: Principal, role: Role, app: str | None) -> None:
    """Raise 403 unless somebody has a role in an app or, for None, over all apps."""
    if principal.may(role, app):
        return
    mine = principal.role_in(app)
    where = "over all apps" if app is None else f"in the app {app[:80]!r}"
    has = "has no role there" if mine is None else f"is {mine}"
    raise ApiError(403, "FORBIDDEN", f"expected the role {role} {where}; {principal.name} {has}")


def read_reason(request: web.Request) -> str | None:
    """Return why a change is made: the header `Tailslide-Reason`, which may be percent-encoded UTF-8."""
    header = request.headers.get(REASON_HEADER)
    if header is None:
        return None
    reason = unquote(header).strip()
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise ApiError(400, "INVALID", f"expected a text of at most {MAX_REASON} characters on one line", REASON_HEADER)
    return reason or None
