"""API tokens over HTTP."""

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.requests import NoFields, NoQuery
from tailslide_tower.tokens.models import (
    NewTokenOut,
    TokenCreate,
    TokenList,
    TokenOut,
    TokenQuery,
    TokenRotate,
)
from tailslide_tower.tokens.service import TokenService

TOKENS = web.AppKey("tokens", TokenService)

routes = Routes("tokens")


@routes.get("/tokens", access=Access.KNOWN, answer=TokenList, summary="List API tokens")
async def list_tokens(ask: Ask[NoFields, TokenQuery]) -> web.Response:
    """One's own; for admins over all apps all."""
    limit = ask.query.limit
    found = await ask.request.app[TOKENS].page(ask.principal, limit, ask.query.after, mine=ask.query.mine)
    shown = found[:limit]
    return ask.answer(
        {"tokens": [token.json() for token in shown], "next": shown[-1].id if len(found) > limit else None}
    )


@routes.post("/tokens", access=Access.KNOWN, answer=NewTokenOut, status=201, summary="Make an API token")
async def create_token(ask: Ask[TokenCreate, NoQuery]) -> web.Response:
    """With at most one's own rights. The answer has the secret, this once."""
    token, secret = await ask.request.app[TOKENS].create(ask.body, ask.author)
    return ask.answer({**token.json(), "token": secret}, location=token.id)


@routes.get("/tokens/{token}", access=Access.KNOWN, answer=TokenOut, summary="Show an API token")
async def get_token(ask: Plain) -> web.Response:
    """One of one's own; for admins over all apps any. A token sees itself."""
    return ask.answer((await ask.request.app[TOKENS].get(ask.text("token"), ask.principal)).json())


@routes.post("/tokens/{token}/rotate", access=Access.KNOWN, answer=NewTokenOut, summary="Rotate an API token")
async def rotate_token(ask: Ask[TokenRotate, NoQuery]) -> web.Response:
    """The answer has the new secret, this once; the one before still counts for a while."""
    token, secret = await ask.request.app[TOKENS].rotate(ask.text("token"), ask.body, ask.author)
    return ask.answer({**token.json(), "token": secret})


@routes.delete("/tokens/{token}", access=Access.KNOWN, summary="Revoke an API token")
async def revoke_token(ask: Plain) -> web.Response:
    """At once, at every Tower. Needs no If-Match: nothing of anybody's is lost."""
    await ask.request.app[TOKENS].revoke(ask.text("token"), ask.author)
    return ask.answer()
