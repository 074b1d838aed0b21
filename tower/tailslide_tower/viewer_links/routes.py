"""Viewer links over HTTP."""

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.auth.entry_links import entry_url
from tailslide_tower.auth.middleware import CLIENT, ENTRANCE
from tailslide_tower.requests import NoFields, NoQuery, PageQuery
from tailslide_tower.sessions.answers import answer_opened
from tailslide_tower.sessions.models import SessionOut
from tailslide_tower.viewer_links.models import LinkCreate, LinkList, LinkUse, NewLinkOut
from tailslide_tower.viewer_links.service import ViewerLinkService

LINKS = web.AppKey("viewer_links", ViewerLinkService)

routes = Routes("links")


@routes.get("/links", access=Access.ADMIN, answer=LinkList, summary="List viewer links")
async def list_links(ask: Ask[NoFields, PageQuery]) -> web.Response:
    """Used ones are listed until their sessions are over."""
    limit = ask.query.limit
    found = await ask.request.app[LINKS].page(limit, ask.query.after)
    shown = found[:limit]
    return ask.answer({"links": [link.json() for link in shown], "next": shown[-1].id if len(found) > limit else None})


@routes.post("/links", access=Access.ADMIN, answer=NewLinkOut, status=201, summary="Make a viewer link")
async def create_link(ask: Ask[LinkCreate, NoQuery]) -> web.Response:
    """The answer has the link, this once. It opens one read-only session, for whoever comes with it first."""
    link, secret = await ask.request.app[LINKS].create(ask.body, ask.author)
    url = entry_url(ask.request.config_dict[ENTRANCE].public_url, secret, ask.body.path)
    return ask.answer({**link.json(), "url": url}, location=link.id)


@routes.delete("/links/{link}", access=Access.ADMIN, summary="Withdraw a viewer link")
async def withdraw_link(ask: Plain) -> web.Response:
    """A session that it has opened ends with it."""
    await ask.request.app[LINKS].withdraw(ask.text("link"), ask.author)
    return ask.answer()


@routes.post(
    "/session/link",
    access=Access.PUBLIC,
    answer=SessionOut,
    status=201,
    summary="Use a viewer link",
    more_answers=(401, 403, 429),
)
async def use_link(ask: Ask[LinkUse, NoQuery]) -> web.Response:
    """Opens its read-only session; the link opens nothing any more."""
    return answer_opened(ask, await ask.request.app[LINKS].use(ask.body.secret, ask.request[CLIENT]))
