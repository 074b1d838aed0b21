"""Webhooks over HTTP. Each answer with one webhook carries its version as `ETag`."""

from aiohttp import web

from tailslide_tower.alerts.models import (
    AttemptOut,
    DeliveryList,
    DeliveryOut,
    DeliveryQuery,
    WebhookChange,
    WebhookCreate,
    WebhookList,
    WebhookOut,
    WebhookQuery,
    WebhookSecretOut,
    attempt_json,
    delivery_json,
)
from tailslide_tower.alerts.service import ShownWebhook, WebhookService
from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.requests import NoFields, NoQuery

WEBHOOKS = web.AppKey("webhooks", WebhookService)

routes = Routes("webhooks")

_WEBHOOK = "/webhooks/{webhook}"


def _with_secret(shown: ShownWebhook) -> dict[str, object]:
    return {**shown.json(), "secret": shown.webhook.secret}


@routes.get("/webhooks", access=Access.VIEW, answer=WebhookList, summary="List webhooks")
async def list_webhooks(ask: Ask[NoFields, WebhookQuery]) -> web.Response:
    """Those about apps that one may see; in the order of their ids. Those about all apps need a role over all apps."""
    found = await ask.request.app[WEBHOOKS].page(ask.query, ask.principal)
    shown = found[: ask.query.limit]
    more = len(found) > ask.query.limit
    return ask.answer(
        {"webhooks": [each.json() for each in shown], "next": shown[-1].webhook.webhook_id if more else None}
    )


@routes.post(
    "/webhooks",
    access=Access.EDIT_ANY,
    answer=WebhookSecretOut,
    status=201,
    summary="Make a webhook",
    more_answers=(404,),
)
async def create_webhook(ask: Ask[WebhookCreate, NoQuery]) -> web.Response:
    """For an app or a flag one has to be an editor of the app, for all apps an admin. The secret is shown only here."""
    made = await ask.request.app[WEBHOOKS].create(ask.body, ask.author)
    return ask.answer(_with_secret(made), etag=made.webhook.version, location=made.webhook.webhook_id)


@routes.get(_WEBHOOK, access=Access.VIEW, answer=WebhookOut, summary="Show a webhook")
async def get_webhook(ask: Plain) -> web.Response:
    """Show one webhook; its URL is masked for those who may not change it."""
    shown = await ask.request.app[WEBHOOKS].get(ask.text("webhook"), ask.principal)
    return ask.answer(shown.json(), etag=shown.webhook.version)


@routes.patch(_WEBHOOK, access=Access.EDIT_ANY, answer=WebhookOut, summary="Change a webhook", conditional=True)
async def change_webhook(ask: Ask[WebhookChange, NoQuery]) -> web.Response:
    """What is not given stays. What it is about and its kind stay in any case: make another webhook instead."""
    shown = await ask.request.app[WEBHOOKS].change(ask.text("webhook"), ask.body, ask.precondition, ask.author)
    return ask.answer(shown.json(), etag=shown.webhook.version)


@routes.delete(_WEBHOOK, access=Access.EDIT_ANY, summary="Delete a webhook", conditional=True)
async def delete_webhook(ask: Plain) -> web.Response:
    """Its deliveries are deleted, too, and those that are on their way are not sent."""
    await ask.request.app[WEBHOOKS].delete(ask.text("webhook"), ask.precondition, ask.author)
    return ask.answer()


@routes.post(
    f"{_WEBHOOK}/rotate-secret",
    access=Access.EDIT_ANY,
    answer=WebhookSecretOut,
    summary="Give a webhook a new secret",
    conditional=True,
)
async def rotate_webhook_secret(ask: Plain) -> web.Response:
    """The new secret is shown only here. For a day messages are signed with the old one, too."""
    shown = await ask.request.app[WEBHOOKS].rotate_secret(ask.text("webhook"), ask.precondition, ask.author)
    return ask.answer(_with_secret(shown), etag=shown.webhook.version)


@routes.post(f"{_WEBHOOK}/test", access=Access.EDIT_ANY, answer=AttemptOut, summary="Try a webhook out")
async def try_webhook_out(ask: Plain) -> web.Response:
    """Send a sample at once, and say what the receiver answered. It is not tried again."""
    return ask.answer(attempt_json(await ask.request.app[WEBHOOKS].try_out(ask.text("webhook"), ask.author)))


@routes.get(f"{_WEBHOOK}/deliveries", access=Access.VIEW, answer=DeliveryList, summary="List a webhook's deliveries")
async def list_deliveries(ask: Ask[NoFields, DeliveryQuery]) -> web.Response:
    """Newest first, with what the receiver answered last."""
    found = await ask.request.app[WEBHOOKS].deliveries(ask.text("webhook"), ask.query, ask.principal)
    shown = found[: ask.query.limit]
    more = len(found) > ask.query.limit
    return ask.answer(
        {"deliveries": [delivery_json(each) for each in shown], "next": str(shown[-1].delivery_id) if more else None}
    )


@routes.post(
    f"{_WEBHOOK}/deliveries/{{delivery}}/resend",
    access=Access.EDIT_ANY,
    answer=DeliveryOut,
    status=202,
    summary="Send a delivery again",
)
async def resend_delivery(ask: Plain) -> web.Response:
    """It is due at once and then tried for a day; the message id stays the same."""
    again = await ask.request.app[WEBHOOKS].send_again(ask.text("webhook"), ask.text("delivery"), ask.author)
    return ask.answer(delivery_json(again))
