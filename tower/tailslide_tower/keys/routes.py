"""SDK keys over HTTP. For admins of an app: whoever has a key reads all of the app's flags."""

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.keys.models import KeyCreate, KeyList, NewKeyOut
from tailslide_tower.keys.service import KeyService
from tailslide_tower.requests import NoFields, NoQuery, PageQuery

KEYS = web.AppKey("keys", KeyService)

routes = Routes("SDK keys")


@routes.get("/apps/{app}/keys", access=Access.VIEW, answer=KeyList, summary="List an app's SDK keys")
async def list_keys(ask: Ask[NoFields, PageQuery]) -> web.Response:
    """Without the keys themselves, which are kept nowhere. Revoked ones are in the log alone."""
    page = ask.query.page
    found = await ask.request.app[KEYS].page(ask.app, page)
    shown = found[: page.limit]
    more = len(found) > page.limit
    return ask.answer({"keys": [key.json() for key in shown], "next": shown[-1].record.key_id if more else None})


@routes.post(
    "/apps/{app}/keys", access=Access.ADMIN, answer=NewKeyOut, status=201, summary="Make an SDK key", published=True
)
async def create_key(ask: Ask[KeyCreate, NoQuery]) -> web.Response:
    """The answer shows the key, this once. It lets sidecars of the app in within two seconds."""
    key, kept = await ask.request.app[KEYS].create(ask.app, ask.body, ask.author)
    return ask.answer({**kept.json(), "key": str(key)}, location=key.key_id)


@routes.delete("/apps/{app}/keys/{key}", access=Access.ADMIN, summary="Revoke an SDK key", published=True)
async def revoke_key(ask: Plain) -> web.Response:
    """For good: its sidecars are disconnected within five seconds, and answer from what they know."""
    await ask.request.app[KEYS].revoke(ask.app, ask.text("key"), ask.author)
    return ask.answer()
