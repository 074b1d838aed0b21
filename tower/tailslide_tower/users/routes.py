"""Users over HTTP: what admins see and change."""

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.requests import NoFields, NoQuery, PageQuery
from tailslide_tower.sessions.answers import DESK
from tailslide_tower.users.models import UserChange, UserList, UserOut, user_json
from tailslide_tower.users.service import UserService

USERS = web.AppKey("users", UserService)

routes = Routes("users")


@routes.get("/users", access=Access.ADMIN, answer=UserList, summary="List users")
async def list_users(ask: Ask[NoFields, PageQuery]) -> web.Response:
    """In the order of their e-mail addresses."""
    limit = ask.query.limit
    found = await ask.request.app[USERS].page(limit, ask.query.after)
    shown = found[:limit]
    more = len(found) > limit
    return ask.answer({"users": [user_json(user) for user in shown], "next": shown[-1].email.key if more else None})


@routes.get("/users/{user}", access=Access.ADMIN, answer=UserOut, summary="Show a user")
async def get_user(ask: Plain) -> web.Response:
    """Show one user, by id."""
    user = await ask.request.app[USERS].get(ask.text("user"))
    return ask.answer(user_json(user), etag=user.version)


@routes.patch("/users/{user}", access=Access.ADMIN, answer=UserOut, summary="Change a user", conditional=True)
async def change_user(ask: Ask[UserChange, NoQuery]) -> web.Response:
    """Roles count from the next request on; a disabled user is logged out. The last admin stays one (409)."""
    user = await ask.request.app[USERS].change(ask.text("user"), ask.body, ask.precondition, ask.author)
    return ask.answer(user_json(user), etag=user.version)


@routes.delete("/users/{user}", access=Access.ADMIN, summary="Delete a user", conditional=True)
async def delete_user(ask: Plain) -> web.Response:
    """Its sessions, its own API tokens, and the invitations and links that it has made end with it."""
    await ask.request.app[USERS].delete(ask.text("user"), ask.precondition, ask.author)
    return ask.answer()


@routes.delete("/users/{user}/sessions", access=Access.ADMIN, summary="Log a user out everywhere")
async def end_sessions_of_user(ask: Plain) -> web.Response:
    """API tokens go on."""
    await ask.request.app[DESK].service.end_all(ask.text("user"), ask.author)
    return ask.answer()
