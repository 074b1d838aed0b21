"""Invitations over HTTP."""

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.auth.entry_links import entry_url
from tailslide_tower.auth.middleware import CLIENT, ENTRANCE
from tailslide_tower.invitations.models import (
    InvitationAccept,
    InvitationCreate,
    InvitationList,
    NewInvitationOut,
    ResetLinkCreate,
)
from tailslide_tower.invitations.service import InvitationService
from tailslide_tower.requests import NoFields, NoQuery, PageQuery
from tailslide_tower.sessions.answers import answer_opened
from tailslide_tower.sessions.models import SessionOut

INVITATIONS = web.AppKey("invitations", InvitationService)

routes = Routes("invitations")


@routes.get("/invitations", access=Access.ADMIN, answer=InvitationList, summary="List invitations")
async def list_invitations(ask: Ask[NoFields, PageQuery]) -> web.Response:
    """Those that were not accepted yet, in the order of their e-mail addresses."""
    limit = ask.query.limit
    found = await ask.request.app[INVITATIONS].page(limit, ask.query.after)
    shown = found[:limit]
    return ask.answer(
        {
            "invitations": [invitation.json() for invitation in shown],
            "next": shown[-1].email.key if len(found) > limit else None,
        }
    )


@routes.post("/invitations", access=Access.ADMIN, answer=NewInvitationOut, status=201, summary="Invite somebody")
async def create_invitation(ask: Ask[InvitationCreate, NoQuery]) -> web.Response:
    """The answer has the link, this once; hand it over yourself. An earlier one for the same address ends."""
    invitation, secret = await ask.request.app[INVITATIONS].invite(ask.body, ask.author)
    return ask.answer({**invitation.json(), "url": _url(ask.request, secret)}, location=invitation.id)


@routes.delete("/invitations/{invitation}", access=Access.ADMIN, summary="Withdraw an invitation")
async def withdraw_invitation(ask: Plain) -> web.Response:
    """Its link opens nothing any more."""
    await ask.request.app[INVITATIONS].withdraw(ask.text("invitation"), ask.author)
    return ask.answer()


@routes.post(
    "/users/{user}/reset-link",
    access=Access.ADMIN,
    answer=NewInvitationOut,
    status=201,
    summary="Make a link by which a user sets a new password",
)
async def create_reset_link(ask: Ask[ResetLinkCreate, NoQuery]) -> web.Response:
    """The answer has the link, this once. Using it logs the user out everywhere else."""
    invitation, secret = await ask.request.app[INVITATIONS].offer_reset(
        ask.text("user"), ask.body.expires_in_s, ask.author
    )
    return ask.answer({**invitation.json(), "url": _url(ask.request, secret)})


@routes.post(
    "/session/invitation",
    access=Access.PUBLIC,
    answer=SessionOut,
    status=201,
    summary="Accept an invitation",
    more_answers=(401, 403, 409, 429),
)
async def accept_invitation(ask: Ask[InvitationAccept, NoQuery]) -> web.Response:
    """Makes the account, or sets the new password, and logs in."""
    opened = await ask.request.app[INVITATIONS].accept(ask.body, ask.request[CLIENT])
    return answer_opened(ask, opened)


def _url(request: web.Request, secret: str) -> str:
    return entry_url(request.config_dict[ENTRANCE].public_url, secret)
