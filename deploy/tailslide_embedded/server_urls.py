"""The three settings that replace an embedded server by one's own: their names, their URLs, and what to show of those.

Pure: nothing is connected to here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import without_secrets


@dataclass(frozen=True)
class UrlSetting:
    """A setting with the URL of a server: its variable, what it has to be, and the schemes."""

    variable: str
    what: str
    schemes: tuple[str, ...]
    example: str


NATS = UrlSetting(
    "TAILSLIDE_NATS_URL",
    "NATS server with JetStream",
    ("nats", "tls", "ws", "wss"),
    "nats://token@127.0.0.1:4222",
)
REDIS = UrlSetting(
    "TAILSLIDE_REDIS_URL",
    "Redis with time series",
    ("redis", "rediss", "unix"),
    "redis://:password@127.0.0.1:6379/0",
)
DATABASE = UrlSetting(
    "TAILSLIDE_DATABASE_URL",
    "PostgreSQL",
    ("postgresql+asyncpg", "postgresql", "postgres"),
    "postgresql://user:password@127.0.0.1:5432/tailslide",
)


def url_from(setting: UrlSetting, environ: Mapping[str, str]) -> str | None:
    """Return the URL of one's own server, None when the variable is unset or empty.

    The scheme of a database URL becomes `postgresql+asyncpg`. Raises StartError when it is not such a URL; the
    sentence does not repeat the value, which may hold a password.
    """
    url = environ.get(setting.variable, "").strip()
    if not url:
        return None
    for part in url.split(",") if setting is NATS else (url,):
        try:
            split = urlsplit(part)
            usable = split.scheme in setting.schemes and bool(split.hostname or split.scheme == "unix")
            usable = usable and split.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise StartError(f"{setting.variable} is not a URL like {setting.example}")
    if setting is DATABASE:
        url = f"postgresql+asyncpg{url[url.index('://') :]}"
    return url


def shown(url: str) -> str:
    """Return a URL (for NATS: several) without user, password or token."""
    return ", ".join(without_secrets(part.strip()) for part in url.split(","))
