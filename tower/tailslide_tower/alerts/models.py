"""What people say of webhooks, and what they get to see of them and their deliveries."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from tailslide_tower.alerts.addresses import WebhookUrl
from tailslide_tower.alerts.delivery import Delivery, DeliveryState
from tailslide_tower.alerts.occasions import DEFAULT_OCCASIONS, Occasion
from tailslide_tower.alerts.sending import Outcome
from tailslide_tower.alerts.webhook import Kind, Webhook
from tailslide_tower.auth.models import one_line
from tailslide_tower.requests import STORABLE, PageQuery, RequestBody
from tailslide_tower.times import timestamp

Name = Annotated[str, Field(min_length=1, max_length=200), STORABLE, AfterValidator(one_line)]
KindName = Annotated[Kind, Field(strict=False, description="The form that the receiver expects.")]
OccasionName = Annotated[Occasion, Field(strict=False)]
Occasions = Annotated[list[OccasionName], Field(min_length=1, max_length=len(Occasion))]


class WebhookCreate(RequestBody):
    """A new webhook. Without `flag` it is about all flags of the app, without `app` about all apps."""

    name: Name
    kind: KindName
    url: Annotated[str, Field(description="http or https, to a public address or one that Tower's settings allow.")]
    app: str | None = None
    flag: str | None = None
    occasions: Occasions = Field(default_factory=lambda: list(DEFAULT_OCCASIONS))
    enabled: bool = True


class WebhookChange(RequestBody):
    """A change of a webhook: what is missing stays. What it is about and its kind stay in any case."""

    name: Name = ""
    url: str = ""
    occasions: Occasions = Field(default_factory=list)
    enabled: bool = True


class WebhookQuery(PageQuery):
    """Which webhooks are asked for."""

    app: Annotated[str | None, Field(description="Only webhooks about this app or one of its flags.")] = None
    flag: Annotated[str | None, Field(description="Only webhooks about this flag; needs `app`.")] = None


class DeliveryQuery(PageQuery):
    """Which deliveries are asked for."""

    state: DeliveryState | None = None


class WebhookOut(BaseModel):
    """A webhook, as it is shown. `url` ends in `…` for those who may not change the webhook: it is a secret."""

    id: str
    name: str
    kind: Kind
    url: str
    app: str | None
    flag: str | None
    occasions: list[Occasion]
    enabled: bool
    disabled_reason: str | None = Field(description="Why Tower has disabled it; null where a person has, or nobody.")
    signed: bool = Field(description="Whether its messages are signed.")
    old_secret_until: str | None = Field(description="Until when messages are signed with the secret before, too.")
    version: int
    created_at: str
    updated_at: str


class WebhookSecretOut(WebhookOut):
    """A webhook with its secret, which is shown once; null where the kind has none."""

    secret: str | None


class WebhookList(BaseModel):
    """A page of webhooks. `next` is where to go on (`after`), null at the end."""

    webhooks: list[WebhookOut]
    next: str | None


class DeliveryOut(BaseModel):
    """A delivery, as it is shown. `status`, `answer` and `error` are those of the last attempt."""

    id: str
    message_id: str = Field(description="The header `webhook-id`, the same in each attempt.")
    occasion: str
    entry: int = Field(description="The entry of the log that it is about.")
    state: DeliveryState
    attempts: int
    happened_at: str
    created_at: str
    next_at: str | None = Field(description="When it is sent or tried again; null where it is not.")
    last_at: str | None
    delivered_at: str | None
    status: int | None
    answer: str | None = Field(
        description="The beginning of the answer's body; null where none came, and where the receiver's address is not "
        "public."
    )
    error: str | None


class DeliveryList(BaseModel):
    """A page of deliveries, newest first. `next` is where to go on (`after`), null at the end."""

    deliveries: list[DeliveryOut]
    next: str | None


class AttemptOut(BaseModel):
    """What came of sending a sample."""

    delivered: bool
    status: int | None
    answer: str | None
    error: str | None


def webhook_json(webhook: Webhook, *, masked: bool) -> dict[str, object]:
    """Return a webhook as the API shows it, and as the log keeps it where it is masked."""
    return {
        "id": webhook.webhook_id,
        "name": webhook.name,
        "kind": webhook.kind,
        "url": WebhookUrl(webhook.url).masked if masked else webhook.url,
        "app": webhook.scope.app,
        "flag": webhook.scope.flag,
        "occasions": [occasion for occasion in Occasion if occasion in webhook.occasions],
        "enabled": webhook.enabled,
        "disabled_reason": webhook.disabled_reason,
        "signed": webhook.secret is not None,
        "old_secret_until": None if webhook.previous_until is None else timestamp(webhook.previous_until),
        "version": webhook.version,
        "created_at": timestamp(webhook.created_at),
        "updated_at": timestamp(webhook.updated_at),
    }


def delivery_json(delivery: Delivery) -> dict[str, object]:
    """Return a delivery as the API shows it."""
    pending = delivery.state is DeliveryState.PENDING
    return {
        "id": str(delivery.delivery_id),
        "message_id": delivery.message_id,
        "occasion": delivery.occasion,
        "entry": delivery.entry,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "happened_at": timestamp(delivery.happened_at),
        "created_at": timestamp(delivery.created_at),
        "next_at": timestamp(delivery.next_at) if pending else None,
        "last_at": None if delivery.last_at is None else timestamp(delivery.last_at),
        "delivered_at": None if delivery.delivered_at is None else timestamp(delivery.delivered_at),
        "status": delivery.last_status,
        "answer": delivery.last_answer,
        "error": delivery.last_error,
    }


def attempt_json(outcome: Outcome) -> dict[str, object]:
    """Return what came of sending a sample."""
    return {
        "delivered": outcome.error is None,
        "status": outcome.status,
        "answer": outcome.answer,
        "error": outcome.error,
    }
