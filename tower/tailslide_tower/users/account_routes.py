"""One's own account over HTTP. For people who have logged in: an API token has no account."""

from aiohttp import web

from tailslide_runtime.http import ApiError
from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.auth.middleware import CLIENT, SESSION
from tailslide_tower.auth.principal import PrincipalKind
from tailslide_tower.requests import NoFields, NoQuery
from tailslide_tower.sessions.answers import DESK
from tailslide_tower.sessions.models import AccountChange, EndSessionsQuery, PasswordChange, SessionList
from tailslide_tower.sessions.session import Session
from tailslide_tower.users.models import UserOut, user_json
from tailslide_tower.users.routes import USERS

routes = Routes("account")


def _own(request: web.Request) -> tuple[str, Session]:
    session = request.get(SESSION)
    if session is None or session.user_id is None:
        raise ApiError(
            403,
            "NO_ACCOUNT",
            f"only a {PrincipalKind.USER} who has logged in has an account; a token or a link has none",
        )
    return session.user_id, session


@routes.get("/account", access=Access.KNOWN, answer=UserOut, summary="Show one's own account")
async def get_account(ask: Plain) -> web.Response:
    """Show the account of whoever has logged in."""
    user = await ask.request.app[USERS].get(_own(ask.request)[0])
    return ask.answer(user_json(user), etag=user.version)


@routes.patch("/account", access=Access.KNOWN, answer=UserOut, summary="Change one's own account", conditional=True)
async def change_account(ask: Ask[AccountChange, NoQuery]) -> web.Response:
    """The name; roles and the e-mail address are an admin's to change."""
    user_id, _ = _own(ask.request)
    service = ask.request.app[USERS]
    if "name" in ask.body.model_fields_set:
        user = await service.rename(user_id, ask.body.name, ask.precondition, ask.author)
    else:
        user = await service.get(user_id)
        ask.precondition.check(user.version, lambda: user_json(user))
    return ask.answer(user_json(user), etag=user.version)


@routes.put(
    "/account/password", access=Access.KNOWN, answer=UserOut, summary="Change one's own password", more_answers=(429,)
)
async def change_password(ask: Ask[PasswordChange, NoQuery]) -> web.Response:
    """Ends all other sessions. Needs the present password, where there is one, and so no If-Match."""
    user_id, session = _own(ask.request)
    user = await ask.request.app[USERS].change_password(
        user_id,
        ask.body.current_password,
        ask.body.new_password,
        keep_session=session.id,
        client=ask.request[CLIENT],
        author=ask.author,
    )
    return ask.answer(user_json(user), etag=user.version)


@routes.get("/account/sessions", access=Access.KNOWN, answer=SessionList, summary="List one's own sessions")
async def list_sessions(ask: Plain) -> web.Response:
    """Those that have not ended, the one used last first."""
    user_id, current = _own(ask.request)
    service = ask.request.app[DESK].service
    found = await service.of_user(user_id)
    return ask.answer({"sessions": [session.json(service.lifetimes, current.id) for session in found]})


@routes.delete("/account/sessions", access=Access.KNOWN, summary="End all of one's own sessions")
async def end_sessions(ask: Ask[NoFields, EndSessionsQuery]) -> web.Response:
    """With `keep_this` all but the one that asks."""
    user_id, current = _own(ask.request)
    desk = ask.request.app[DESK]
    await desk.service.end_all(user_id, ask.author, current.id if ask.query.keep_this else None)
    answer = ask.answer()
    if not ask.query.keep_this:
        answer.headers["Set-Cookie"] = desk.cookie.clearing
    return answer


@routes.delete("/account/sessions/{session}", access=Access.KNOWN, summary="End one of one's own sessions")
async def end_session(ask: Plain) -> web.Response:
    """At once, at every Tower."""
    user_id, _ = _own(ask.request)
    await ask.request.app[DESK].service.end(ask.text("session"), ask.author, user_id)
    return ask.answer()
