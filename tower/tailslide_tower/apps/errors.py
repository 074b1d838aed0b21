"""What is answered to people in the same way for more than one of an app's subjects."""

from collections.abc import Sequence

from tailslide_core.naming import FlagId, SegmentId
from tailslide_runtime.http import ApiError

_NAMED = 5
"""So many flags are named; the rest is counted."""


def app_not_found(key: str) -> ApiError:
    """Return the error for an app that is not there."""
    return ApiError(404, "APP_NOT_FOUND", f"there is no app {key!r}", "app")


def newer_in_bucket(name: FlagId | SegmentId, field: str) -> ApiError:
    """Return the error for a change that would not arrive, since the bucket's value is left alone."""
    return ApiError(
        409,
        "NEWER_IN_BUCKET",
        f"nothing was changed, because no sidecar would see it: NATS has a newer version of {str(name)!r} "
        "than the database; run `tailslide tower adopt`, which first says what would change",
        field,
    )


def named(keys: Sequence[str]) -> str:
    """Return the flags that stand in the way of something, for a message: the first of them, and how many more."""
    flags = ", ".join(repr(key) for key in keys[:_NAMED])
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"the {'flag' if len(keys) == 1 else 'flags'} {flags}{more}"
