"""Aerobat's settings: the only reader of its environment. What they lead to is composed in `app`."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from tailslide_core.sdk_keys import is_sdk_key
from tailslide_runtime.auth_callout.service import CalloutSettings
from tailslide_runtime.logs import LogFormat, LogLevel
from tailslide_runtime.server_urls import LOCAL_NATS, LOCAL_REDIS, NatsUrl, RedisUrl
from tailslide_runtime.settings import AllowedHosts, ListenAddress
from tailslide_runtime.tls_settings import TlsFileSettings
from tailslide_runtime.tracing.settings import SamplePercent, TraceFields


class AerobatSettings(TlsFileSettings, TraceFields):
    """Aerobat's environment; each field is the variable `TAILSLIDE_<FIELD>`, and an empty variable is unset."""

    model_config = SettingsConfigDict(env_prefix="TAILSLIDE_", env_ignore_empty=True, frozen=True)

    nats_url: Annotated[NatsUrl, NoDecode] = LOCAL_NATS
    """NATS with JetStream; may carry a token before the `@`. Servers of one cluster are separated by commas."""
    sdk_key: SecretStr | None = None
    """A token that NATS asks for, where it has no users; goes before what the URL carries. A sidecar's SDK key, which
    a shell may have from `tailslide env`, is none."""
    nats_issuer_seed: SecretStr | None = None
    """With the next two: answer NATS's auth callout, so that sidecars get in by their SDK keys. The seed of the account
    key that the server's configuration names as the issuer."""
    nats_callout_url: Annotated[NatsUrl | None, NoDecode] = None
    """NATS with the credentials of the callout's user."""
    nats_system_url: Annotated[NatsUrl | None, NoDecode] = None
    """NATS with the credentials of a user in the system account, to end the connections of revoked keys."""
    redis_url: Annotated[RedisUrl, NoDecode] = LOCAL_REDIS
    """Redis with time series; may carry a user and a password before the `@`, a database after the `/`."""
    redis_users: bool = True
    """Whether to keep a user in Redis for each app with SDK keys. False where users are set by hand."""
    # A dataclass, which would be read as JSON without NoDecode.
    aerobat_listen: Annotated[ListenAddress, NoDecode] = ListenAddress("127.0.0.1", 4143)
    """Where health, metrics and status are served: `host:port` or `unix:/path`."""
    allowed_hosts: AllowedHosts = ()
    """Names, without ports and separated by commas, that the listener answers to besides `localhost` and loopback
    addresses; where it does not listen on loopback, all names until some are given."""
    aerobat_tick_ms: int = Field(250, ge=50, le=10_000)
    """How often all circuits are looked at, in milliseconds."""
    traces_sample_percent: SamplePercent = 0
    """How many of 100 ordinary ticks are sent. Ticks that moved a circuit, failed or were late always are."""
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.AUTO

    @property
    def nats_token(self) -> str | None:
        """Return the token to show to NATS; None leaves it to the URL."""
        token = None if self.sdk_key is None else self.sdk_key.get_secret_value()
        return None if token is None or is_sdk_key(token) else token

    @property
    def nats_server(self) -> NatsUrl:
        """Return where NATS is, with the files for TLS."""
        return self.nats_url.with_files(self.nats_files)

    @property
    def redis_server(self) -> RedisUrl:
        """Return where Redis is, with the files for TLS."""
        return self.redis_url.with_files(self.redis_files)

    @model_validator(mode="after")
    def _files_belong_to_servers(self) -> Self:
        _ = self.nats_server, self.redis_server
        return self

    @model_validator(mode="after")
    def _callout_is_whole(self) -> Self:
        self.callout()
        return self

    def callout(self) -> CalloutSettings | None:
        """Return what answering NATS's auth callout takes; None where it is not to be answered."""
        return CalloutSettings.read(self.nats_issuer_seed, self.nats_callout_url, self.nats_system_url, self.nats_files)
