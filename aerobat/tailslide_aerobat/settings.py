"""Aerobat's settings: the only reader of its environment. What they lead to is composed in `app`."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tailslide_runtime.logs import LogFormat, LogLevel
from tailslide_runtime.settings import AllowedHosts, ListenAddress

_NATS_SCHEMES = ("nats", "tls", "ws", "wss")
_REDIS_SCHEMES = ("redis", "rediss")


def _is_server_url(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or a host that is none
        return False


# The messages leave the value out: it may hold a token or a password.
def _nats_url(value: SecretStr) -> SecretStr:
    if not all(_is_server_url(url, _NATS_SCHEMES) for url in value.get_secret_value().split(",")):
        raise ValueError("expected nats://host:port")
    return value


def _redis_url(value: SecretStr) -> SecretStr:
    if not _is_server_url(value.get_secret_value(), _REDIS_SCHEMES):
        raise ValueError("expected redis://host:port")
    return value


class AerobatSettings(BaseSettings):
    """What Aerobat is told by its environment; each field is the variable `TAILSLIDE_<FIELD>`, empty is unset."""

    model_config = SettingsConfigDict(env_prefix="TAILSLIDE_", env_ignore_empty=True, frozen=True)

    nats_url: Annotated[SecretStr, AfterValidator(_nats_url)] = SecretStr("nats://127.0.0.1:4222")
    """NATS with JetStream; may carry a token before the `@`."""
    sdk_key: SecretStr | None = None
    """The token that NATS asks for, when the URL does not carry it."""
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] = SecretStr("redis://127.0.0.1:6379")
    """Redis with time series; may carry a user and a password before the `@`, a database after the `/`."""
    # A dataclass, which would be read as JSON without NoDecode.
    aerobat_listen: Annotated[ListenAddress, NoDecode] = ListenAddress("127.0.0.1", 4143)
    """Where health, metrics and status are served: `host:port` or `unix:/path`."""
    allowed_hosts: AllowedHosts = ()
    """Names, without ports and separated by commas, that the listener answers to besides `localhost` and loopback
    addresses; where it does not listen on loopback, all names until some are given."""
    aerobat_tick_ms: int = Field(250, ge=50, le=10_000)
    """How often all circuits are looked at, in milliseconds."""
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.AUTO
