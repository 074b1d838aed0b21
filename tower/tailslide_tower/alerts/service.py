"""The rules of webhooks: who may see and change which, what is checked, and what is written to the log.

A webhook about an app or one of its flags belongs to the app's editors, one about all apps to admins.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.naming import FlagId, check_app_key, check_flag_key
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.alerts import changes
from tailslide_tower.alerts.addresses import AddressRules, WebhookUrl
from tailslide_tower.alerts.connections import Names, check_name
from tailslide_tower.alerts.delivery import Delivery
from tailslide_tower.alerts.delivery_store import DeliveryStore
from tailslide_tower.alerts.models import DeliveryQuery, WebhookChange, WebhookCreate, WebhookQuery, webhook_json
from tailslide_tower.alerts.occasions import Scope
from tailslide_tower.alerts.samples import sample_of
from tailslide_tower.alerts.sending import SAMPLE_TIMEOUT_S, Outcome, Sender
from tailslide_tower.alerts.traces import tell, webhook_entry
from tailslide_tower.alerts.webhook import Kind, Webhook, new_message_id
from tailslide_tower.alerts.webhook_store import WebhookStore, webhooks
from tailslide_tower.apps.errors import app_not_found
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import Author, Principal, Role
from tailslide_tower.database import Database
from tailslide_tower.flags.store import FlagStore
from tailslide_tower.requests import Precondition

log = structlog.get_logger()

MAX_WEBHOOKS = 100
"""Of one app with its flags, and of those about all apps."""
NAME_CHECK_S = 2.0
"""How long a person waits for a name to be resolved; if that takes longer, the deliveries will say."""
SAMPLES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class ShownWebhook:
    """A webhook as one person sees it."""

    webhook: Webhook
    may_edit: bool

    def json(self) -> dict[str, object]:
        """Return the webhook as the API shows it to this person."""
        return webhook_json(self.webhook, masked=not self.may_edit)


class WebhookService:
    """Webhooks, for people: raises `ApiError` and `ContractError` on bad requests."""

    def __init__(
        self,
        database: Database,
        sender: Sender,
        names: Names,
        rules: AddressRules,
        *,
        lasting: timedelta,
        tower_url: str | None,
        something_due: Callable[[], None],
        now: Callable[[], datetime] = times.now,
    ) -> None:
        """`lasting`: for how long a delivery is tried. `something_due` is called when one is due at once."""
        self._database = database
        self._sender = sender
        self._names = names
        self._rules = rules
        self._lasting = lasting
        self._tower_url = tower_url
        self._something_due = something_due
        self._now = now
        self._samples = asyncio.Semaphore(SAMPLES_AT_ONCE)

    async def page(self, query: WebhookQuery, principal: Principal) -> list[ShownWebhook]:
        """Return the webhooks of a page that one may see and, if there are more, one of them."""
        conditions: list[sa.ColumnElement[bool]] = []
        if query.app is not None:
            conditions.append(webhooks.c.app == check_app_key("app", query.app))
        if query.flag is not None:
            if query.app is None:
                raise ContractError("app", "expected the app of the flag")
            conditions.append(webhooks.c.flag == check_flag_key("flag", query.flag))
        visible = principal.apps_with(Role.VIEWER)
        if visible is not None:
            conditions.append(webhooks.c.app.in_(visible))
        async with self._database.begin() as connection:
            found = await WebhookStore(connection).page(query.after, query.limit + 1, *conditions)
        return [self._shown(webhook, principal) for webhook in found]

    async def get(self, webhook_id: str, principal: Principal) -> ShownWebhook:
        """Return a webhook."""
        async with self._database.begin() as connection:
            return self._shown(await _visible(connection, webhook_id, principal), principal)

    async def create(self, request: WebhookCreate, author: Author) -> ShownWebhook:
        """Make a webhook."""
        webhook = changes.created(request, self._rules, self._now())
        _require_edit(webhook.scope, author.principal)
        await self._check_name(webhook.url)
        async with self._database.begin() as connection:
            await _check_scope(connection, webhook.scope)
            store = WebhookStore(connection)
            if await store.count(webhook.scope.app) >= MAX_WEBHOOKS:
                whose = "all apps together" if webhook.scope.app is None else f"the app {webhook.scope.app!r}"
                raise ApiError(409, "TOO_MANY_WEBHOOKS", f"{whose} can have at most {MAX_WEBHOOKS} webhooks", "app")
            await store.add(webhook)
            await record(connection, webhook_entry("webhook.created", author, None, webhook))
        tell("webhook_created", webhook, author)
        return ShownWebhook(webhook, may_edit=True)

    async def change(
        self, webhook_id: str, request: WebhookChange, precondition: Precondition, author: Author
    ) -> ShownWebhook:
        """Change a webhook; a change without effect makes no version."""
        if "url" in request.model_fields_set:
            await self._check_name(WebhookUrl.parse(request.url, self._rules).text)
        async with self._database.begin() as connection:
            before = await _editable(connection, webhook_id, author.principal, precondition)
            after = changes.changed(before, request, self._rules, self._now())
            if after is before:
                return ShownWebhook(before, may_edit=True)
            await WebhookStore(connection).update(after)
            details = {"url_changed": True} if after.url != before.url else {}
            await record(connection, webhook_entry("webhook.changed", author, before, after, details))
        tell("webhook_changed", after, author)
        self._something_due()
        return ShownWebhook(after, may_edit=True)

    async def delete(self, webhook_id: str, precondition: Precondition, author: Author) -> None:
        """Delete a webhook and its deliveries."""
        async with self._database.begin() as connection:
            webhook = await _editable(connection, webhook_id, author.principal, precondition)
            await WebhookStore(connection).delete(webhook_id)
            await record(connection, webhook_entry("webhook.deleted", author, webhook, None))
        tell("webhook_deleted", webhook, author)

    async def rotate_secret(self, webhook_id: str, precondition: Precondition, author: Author) -> ShownWebhook:
        """Give a webhook another secret; for a day messages are signed with both."""
        async with self._database.begin() as connection:
            before = await _editable(connection, webhook_id, author.principal, precondition)
            if before.secret is None:
                raise ApiError(409, "NO_SECRET", f"a webhook of the kind {before.kind} is not signed", "kind")
            after = before.with_new_secret(self._now())
            await WebhookStore(connection).update(after)
            await record(connection, webhook_entry("webhook.secret_rotated", author, before, after))
        tell("webhook_secret_rotated", after, author)
        return ShownWebhook(after, may_edit=True)

    async def try_out(self, webhook_id: str, author: Author) -> Outcome:
        """Send a sample at once, to a disabled webhook too, and return what came of it. No delivery is made of it."""
        async with self._database.begin() as connection:
            webhook = await _editable(connection, webhook_id, author.principal, Precondition())
        if webhook.kind not in list(Kind):
            raise ApiError(
                409, "UNKNOWN_KIND", f"this Tower does not know the kind {shown(webhook.kind, 40)}", "webhook"
            )
        sample = sample_of(webhook.scope, self._now(), tower_url=self._tower_url)
        async with self._samples:
            outcome = await self._sender.tell(webhook, sample, new_message_id(), timeout_s=SAMPLE_TIMEOUT_S)
        log.info("webhook_tried_out", who=author.name, webhook=webhook_id, status=outcome.status, error=outcome.error)
        return outcome

    async def deliveries(self, webhook_id: str, query: DeliveryQuery, principal: Principal) -> list[Delivery]:
        """Return the deliveries of a page, newest first, and, if there are more, one of them."""
        before = None if not query.after else _delivery_id("after", query.after)
        async with self._database.begin() as connection:
            await _visible(connection, webhook_id, principal)
            states = () if query.state is None else (query.state,)
            return await DeliveryStore(connection).page(webhook_id, before, query.limit + 1, states)

    async def send_again(self, webhook_id: str, delivery: str, author: Author) -> Delivery:
        """Make a delivery due at once, under the same message id, whatever has become of it."""
        delivery_id = _delivery_id("delivery", delivery)
        now = self._now()
        async with self._database.begin() as connection:
            webhook = await _editable(connection, webhook_id, author.principal, Precondition())
            if not webhook.enabled:
                raise ApiError(409, "WEBHOOK_DISABLED", "the webhook is disabled; enable it first", "webhook")
            store = DeliveryStore(connection)
            if await store.get(webhook_id, delivery_id) is None:
                raise _no_delivery(delivery)
            await store.send_again(webhook_id, delivery_id, now, now + self._lasting)
            again = await store.get(webhook_id, delivery_id)
            assert again is not None
            details = {"delivery": delivery, "entry": again.entry}
            await record(connection, webhook_entry("webhook.sent_again", author, None, webhook, details))
        self._something_due()
        return again

    async def _check_name(self, url: str) -> None:
        try:
            async with asyncio.timeout(NAME_CHECK_S):
                await check_name(WebhookUrl(url), self._names, self._rules)
        except TimeoutError:
            return

    @staticmethod
    def _shown(webhook: Webhook, principal: Principal) -> ShownWebhook:
        return ShownWebhook(webhook, _may(Role.EDITOR, webhook.scope, principal))


def _may(role: Role, scope: Scope, principal: Principal) -> bool:
    if scope.app is None and role is Role.EDITOR:
        return principal.may(Role.ADMIN)
    return principal.may(role, scope.app)


def _require_edit(scope: Scope, principal: Principal) -> None:
    if not _may(Role.EDITOR, scope, principal):
        needed = "admin over all apps" if scope.app is None else f"editor in the app {scope.app!r}"
        raise ApiError(403, "FORBIDDEN", f"expected the role {needed}", "app")


async def _visible(
    connection: AsyncConnection, webhook_id: str, principal: Principal, *, lock: bool = False
) -> Webhook:
    webhook = await WebhookStore(connection).get(webhook_id, lock=lock)
    if webhook is None or not _may(Role.VIEWER, webhook.scope, principal):
        raise ApiError(404, "WEBHOOK_NOT_FOUND", f"there is no webhook {shown(webhook_id, 80)}", "webhook")
    return webhook


async def _editable(
    connection: AsyncConnection, webhook_id: str, principal: Principal, precondition: Precondition
) -> Webhook:
    """Return a webhook, locked, that this one may change."""
    webhook = await _visible(connection, webhook_id, principal, lock=True)
    _require_edit(webhook.scope, principal)
    precondition.check(webhook.version, lambda: webhook_json(webhook, masked=False))
    return webhook


async def _check_scope(connection: AsyncConnection, scope: Scope) -> None:
    if scope.app is None:
        return
    if not await AppStore(connection).keep(scope.app):
        raise app_not_found(scope.app)
    if scope.flag is not None and await FlagStore(connection).get(FlagId(scope.app, scope.flag)) is None:
        raise ContractError("flag", f"expected a flag of the app, got {shown(scope.flag, 120)}")


def _delivery_id(field: str, text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        if field == "delivery":
            raise _no_delivery(text)
        raise ContractError(field, f"expected the id of a delivery, got {shown(text, 40)}")
    return int(text)


def _no_delivery(text: str) -> ApiError:
    return ApiError(404, "DELIVERY_NOT_FOUND", f"the webhook has no delivery {shown(text, 40)}", "delivery")
