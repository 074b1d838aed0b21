"""A delivery: one alert on its way to one receiver, and how that went."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    """To be sent, for the first time or again, at `next_at`."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up after a day. A person may send it again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is kept: of the last attempt it says what came back."""

    delivery_id: int
    webhook_id: str
    entry: int
    message_id: str
    occasion: str
    state: DeliveryState
    attempts: int
    next_at: datetime
    until: datetime
    last_at: datetime | None
    last_status: int | None
    last_answer: str | None
    last_error: str | None
    happened_at: datetime
    created_at: datetime
    delivered_at: datetime | None
