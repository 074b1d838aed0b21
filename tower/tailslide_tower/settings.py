"""Tower's settings: the only place where Tower reads its environment. What they are used for is decided elsewhere."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tailslide_runtime.logs import LogFormat, LogLevel
from tailslide_runtime.server_urls import LOCAL_NATS, DatabaseUrl, NatsUrl, RedisUrl
from tailslide_runtime.settings import AllowedHosts, ListenAddress

MIN_TOKEN_LENGTH = 20

_TOKEN = re.compile(r"[\x21-\x7e]+")


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
    """Tower's environment; each field is the variable `TAILSLIDE_<FIELD>`, and an empty variable is unset."""

    model_config = SettingsConfigDict(env_prefix="TAILSLIDE_", env_ignore_empty=True, frozen=True)

    database_url: Annotated[
        DatabaseUrl, NoDecode, Field(examples=["postgresql://user:password@127.0.0.1:5432/tailslide"])
    ]
    """PostgreSQL, as `postgresql://user:password@host:port/database`. Required."""
    nats_url: Annotated[NatsUrl, NoDecode] = LOCAL_NATS
    """NATS with JetStream; may carry a token before the `@`. Servers of one cluster are separated by commas."""
    sdk_key: SecretStr | None = None
    """The token that NATS asks for; goes before what the URL carries."""
    redis_url: Annotated[RedisUrl | None, NoDecode] = None
    """Redis with RedisTimeSeries, which graphs are read from. Without it there are none, and all else works."""
    tower_listen: Annotated[ListenAddress, NoDecode] = ListenAddress("127.0.0.1", 4142)
    """Where the API listens."""
    allowed_hosts: AllowedHosts = ()
    """Names, without ports and separated by commas, that the listener answers to besides `localhost` and loopback
    addresses; where it does not listen on loopback, all names until some are given."""
    api_token: Annotated[SecretStr | None, AfterValidator(_api_token)] = None
    """A token that may use the API of this Tower for as long as it runs. Needed unless the database has one."""
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.AUTO
