"""What people's requests make of a webhook. Pure: the time is an argument."""

from dataclasses import replace
from datetime import datetime

from tailslide_core.errors import ContractError
from tailslide_core.naming import check_app_key, check_flag_key
from tailslide_tower.alerts.addresses import AddressRules, WebhookUrl
from tailslide_tower.alerts.models import WebhookChange, WebhookCreate
from tailslide_tower.alerts.occasions import Scope
from tailslide_tower.alerts.signatures import new_secret
from tailslide_tower.alerts.webhook import Kind, Webhook, new_webhook_id


def created(request: WebhookCreate, rules: AddressRules, now: datetime) -> Webhook:
    """Return a new webhook; raise `ContractError`."""
    return Webhook(
        webhook_id=new_webhook_id(),
        name=request.name,
        kind=request.kind,
        url=WebhookUrl.parse(request.url, rules).text,
        scope=_scope(request.app, request.flag),
        occasions=frozenset(request.occasions),
        enabled=request.enabled,
        version=1,
        created_at=now,
        updated_at=now,
        secret=new_secret() if request.kind is Kind.GENERIC else None,
    )


def _scope(app: str | None, flag: str | None) -> Scope:
    if app is None:
        if flag is not None:
            raise ContractError("app", "expected the app of the flag")
        return Scope()
    return Scope(check_app_key("app", app), None if flag is None else check_flag_key("flag", flag))


def changed(webhook: Webhook, request: WebhookChange, rules: AddressRules, now: datetime) -> Webhook:
    """Return the webhook after a change, the same one where it has no effect; raise `ContractError`."""
    given = request.model_fields_set
    after = webhook
    if "name" in given:
        after = replace(after, name=request.name)
    if "url" in given:
        after = replace(after, url=WebhookUrl.parse(request.url, rules).text)
    if "occasions" in given:
        after = replace(after, occasions=frozenset(request.occasions))
    if "enabled" in given:
        # What a person says now goes before what a receiver has said once.
        after = replace(after, enabled=request.enabled, disabled_reason=None)
    return webhook if after == webhook else replace(after, version=webhook.version + 1, updated_at=now)
