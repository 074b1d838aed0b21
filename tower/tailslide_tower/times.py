"""Moments, as Tower keeps and shows them: UTC, to the millisecond."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the moment, to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def timestamp(moment: datetime) -> str:
    """Return a moment in RFC 3339: `2026-11-22T10:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
