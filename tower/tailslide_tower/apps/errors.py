"""What is answered where there is no such app, be it asked for itself or for its flags."""

from tailslide_runtime.http import ApiError


def app_not_found(key: str) -> ApiError:
    """Return the error for an app that is not there."""
    return ApiError(404, "APP_NOT_FOUND", f"there is no app {key!r}", "app")
