"""Whether what belongs to an app may be changed now, by this author. Pure."""

from tailslide_runtime.http import ApiError
from tailslide_tower.api.routes import REASON_HEADER
from tailslide_tower.apps.errors import app_not_found
from tailslide_tower.apps.models import App
from tailslide_tower.auth.principal import Author


def admitted(app: App | None, key: str, author: Author) -> App:
    """Return the app if the author may change its flags and segments; raise `ApiError`."""
    if app is None:
        raise app_not_found(key)
    if app.archived_at is not None:
        raise ApiError(409, "APP_ARCHIVED", f"the app {key!r} is archived; restore it first", "app")
    if app.requires_reason and author.reason is None:
        raise ApiError(
            400,
            "REASON_REQUIRED",
            f"the app {key!r} requires a reason for each change",
            REASON_HEADER,
        )
    return app
