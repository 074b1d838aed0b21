"""Tower's settings: the only place where Tower reads its environment. What they are used for is decided elsewhere."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tailslide_runtime.logs import LogFormat, LogLevel
from tailslide_runtime.settings import AllowedHosts, ListenAddress

MIN_TOKEN_LENGTH = 20

_DATABASE_SCHEMES = ("postgresql", "postgresql+asyncpg")
_NATS_SCHEMES = ("nats", "tls", "ws", "wss")
_TOKEN = re.compile(r"[\x21-\x7e]+")


def _is_valid_url(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and parts.port != 0 and bool(parts.hostname or "host=" in parts.query)
    except ValueError:  # a port that is none
        return False


def _database_url(value: SecretStr) -> SecretStr:
    # The message leaves the value out: it holds a password.
    url = value.get_secret_value()
    if not _is_valid_url(url, _DATABASE_SCHEMES):
        raise ValueError("expected postgresql://user:password@host:port/database")
    return SecretStr(f"postgresql://{url.partition('://')[2]}")


def _nats_url(value: SecretStr) -> SecretStr:
    # The message leaves the value out: it may hold a token.
    if not all(_is_valid_url(url, _NATS_SCHEMES) for url in value.get_secret_value().split(",")):
        raise ValueError("expected nats://host:port")
    return value


def _api_token(value: SecretStr | None) -> SecretStr | None:
    if value is None or not (token := value.get_secret_value()):
        return None
    if len(token) < MIN_TOKEN_LENGTH or _TOKEN.fullmatch(token) is None:
        raise ValueError(
            f"expected at least {MIN_TOKEN_LENGTH} printable ASCII characters without spaces, got {len(token)}"
            + (" characters" if len(token) < MIN_TOKEN_LENGTH else " with others among them")
        )
    return value


class TowerSettings(BaseSettings):
    """What Tower is told by its environment; each field is the variable `TAILSLIDE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="TAILSLIDE_", frozen=True)

    database_url: Annotated[SecretStr, AfterValidator(_database_url)]
    """PostgreSQL, as `postgresql://user:password@host:port/database`. Required."""
    nats_url: Annotated[SecretStr, AfterValidator(_nats_url)] = SecretStr("nats://127.0.0.1:4222")
    """NATS with JetStream; may carry a token before the `@`. Servers of one cluster are separated by commas."""
    sdk_key: SecretStr | None = None
    """The token that NATS asks for, when the URL does not carry it."""
    tower_listen: Annotated[ListenAddress, NoDecode] = ListenAddress("127.0.0.1", 4142)
    """Where the API listens."""
    allowed_hosts: AllowedHosts = ()
    """Names, without ports and separated by commas, that the listener answers to besides `localhost` and loopback
    addresses; where it does not listen on loopback, all names until some are given."""
    api_token: Annotated[SecretStr | None, AfterValidator(_api_token)] = None
    """A token that may use the API. Needed until the database has one; when set, it replaces the one that was set
    before, and tokens of other names stay."""
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.AUTO
