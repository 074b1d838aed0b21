"""The sidecar's YAML file: how its fields are written, read into models that refuse all else.

A route's fields are in `route_file`. What the environment overrides, and what the rest of the sidecar gets to see, is
`settings`.
"""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, ValidationError, model_validator

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.naming import check_app_key
from tailslide_runtime.guard import ListenerLimits
from tailslide_runtime.server_urls import NatsUrl, RedisUrl
from tailslide_runtime.settings import AllowedHosts, ListenAddress, problems
from tailslide_runtime.tracing.settings import SamplePercent, TracesUrl
from tailslide_sidecar.proxy.limits import Network, ProxyLimits, ProxyOptions
from tailslide_sidecar.proxy.routes import ForwardHost
from tailslide_sidecar.route_file import HOST_NAME, MAX_IDLE_MS, MAX_TIMEOUT_MS, RoutePart, Strict, is_ipv6
from tailslide_sidecar.yaml_file import FileError, read_yaml

_FORWARD_HOST = re.compile(rf"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<host>(?:\*\.)?{HOST_NAME}))(?::(?P<port>[0-9]{{1,5}}))?")
MAX_CALLS_PER_S = 1_000_000
MAX_TRACED_PER_S = 10_000
DEFAULT_GRACE_MS = 1_000
"""With `limits.drain_ms` it is below the ten seconds after which Docker kills what it has told to end."""

_LIMITS = ProxyLimits()
_OPTIONS = ProxyOptions()
_FLAGS_LIMITS = ListenerLimits()


def _network(value: object) -> Network:
    try:
        if isinstance(value, str):
            return ip_network(value)
    except ValueError:
        pass
    raise ValueError(f"expected an address or a network like 10.0.0.0/8, got {shown(value)}")


def _forward_host(value: object) -> ForwardHost:
    match = _FORWARD_HOST.fullmatch(value.lower()) if isinstance(value, str) else None
    port = 80 if match is None or match["port"] is None else int(match["port"])
    if match is None or not 0 < port < 65_536 or (match["v6"] is not None and not is_ipv6(match["v6"])):
        raise ValueError(
            f"expected host, host:port, *.suffix or *.suffix:port, never all hosts, got {shown(value, 80)}"
        )
    return ForwardHost(match["v6"] or match["host"], port)


def _socket_mode(value: object) -> int:
    # As a string: YAML takes 0660 for an octal number, 660 for a decimal one, and "0o660" for text.
    if not isinstance(value, str) or re.fullmatch(r"0?[0-7]{3}", value) is None:
        raise ValueError(f'expected permissions in octal and in quotes, like "0660", got {shown(value, 40)}')
    return int(value, 8)


def _flags_token(value: object) -> str:
    # Not a pattern of pydantic's, whose errors show what was given.
    if not isinstance(value, str) or re.fullmatch(r"[!-~]{16,}", value) is None:
        raise ValueError("expected 16 or more printable ASCII characters without spaces")
    return value


def _app_key(text: str) -> str:
    try:
        return check_app_key("app", text)
    except ContractError as error:
        raise ValueError(error.problem) from None


AppKey = Annotated[str, AfterValidator(_app_key)]
SocketMode = Annotated[int, PlainValidator(_socket_mode)]
FlagsToken = Annotated[str, PlainValidator(_flags_token)]


FilePath = Annotated[str, Field(min_length=1)]


class TlsPart(Strict):
    """Files for TLS to a server: its authorities, and what is shown to it."""

    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "TlsPart":
        if not self.model_fields_set:
            raise ValueError(f"expected one of {', '.join(type(self).model_fields)}, got none")
        return self


class NatsPart(TlsPart):
    """Where NATS is; `nats: {url: …}`."""

    url: NatsUrl | None = None


class RedisPart(TlsPart):
    """Where Redis is; `redis: {url: …}`."""

    url: RedisUrl | None = None


class AccessLogPart(Strict):
    """Which calls are logged."""

    sample_percent: Annotated[float, Field(ge=0, le=100)] = _OPTIONS.access_log_sample * 100
    """About how many of 100 calls are logged; 0 for none."""
    failures: bool = _OPTIONS.access_log_failures
    """Whether failed calls are logged besides, up to ten a second."""


class LimitsPart(Strict):
    """What clients may take of the proxy."""

    max_header_bytes: Annotated[int, Field(ge=1_024, le=16_777_216)] = _LIMITS.max_header_bytes
    max_headers: Annotated[int, Field(ge=10, le=10_000)] = _LIMITS.max_headers
    max_target_bytes: Annotated[int, Field(ge=256, le=1_048_576)] = _LIMITS.max_target_bytes
    head_timeout_ms: Annotated[int, Field(ge=1, le=MAX_TIMEOUT_MS)] = _LIMITS.head_timeout_ms
    body_timeout_ms: Annotated[int, Field(ge=1, le=MAX_TIMEOUT_MS)] = _LIMITS.body_timeout_ms
    idle_timeout_ms: Annotated[int, Field(ge=1, le=MAX_IDLE_MS)] = _LIMITS.idle_timeout_ms
    max_connections: Annotated[int, Field(ge=1, le=10_000_000)] = _LIMITS.max_connections
    max_connections_per_peer: Annotated[int, Field(ge=1)] | None = _LIMITS.max_connections_per_peer
    drain_ms: Annotated[int, Field(ge=0, le=MAX_TIMEOUT_MS)] = _LIMITS.drain_ms
    replay_limit_bytes: Annotated[int, Field(ge=0, le=67_108_864)] = _LIMITS.replay_limit_bytes

    @model_validator(mode="after")
    def _fit(self) -> "LimitsPart":
        if self.max_connections_per_peer is not None and self.max_connections_per_peer > self.max_connections:
            raise ValueError(
                f"expected a max_connections_per_peer of at most max_connections ({self.max_connections}), "
                f"got {self.max_connections_per_peer}"
            )
        return self

    def read(self) -> ProxyLimits:
        """Return what the proxy works with."""
        return ProxyLimits(**self.model_dump())


class DrainPart(Strict):
    """How the sidecar ends."""

    grace_ms: Annotated[int, Field(ge=0, le=MAX_TIMEOUT_MS)] = DEFAULT_GRACE_MS
    """How long new calls are answered after SIGTERM, for balancers that have yet to learn of it."""


class TracesPart(Strict):
    """Where traces of proxied calls are sent, and of how many."""

    url: TracesUrl | None = None
    """A collector that takes OTLP over HTTP; without one there are no traces."""
    sample_percent: SamplePercent | None = None
    """How many of 100 calls without a trace are recorded; calls whose caller records its own trace always are."""
    max_calls_per_s: Annotated[int, Field(ge=1, le=MAX_TRACED_PER_S)] | None = None
    """How many calls are recorded in a second at most, whoever asks."""


class FlagsLimitsPart(Strict):
    """What clients may take of the flags listener."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = _FLAGS_LIMITS.max_connections
    max_body_bytes: Annotated[int, Field(ge=1_024, le=67_108_864)] = _FLAGS_LIMITS.max_body_bytes
    head_timeout_ms: Annotated[int, Field(ge=1_000, le=MAX_TIMEOUT_MS)] = int(_FLAGS_LIMITS.head_timeout_s * 1000)
    body_timeout_ms: Annotated[int, Field(ge=1_000, le=MAX_TIMEOUT_MS)] = int(_FLAGS_LIMITS.body_timeout_s * 1000)
    idle_timeout_ms: Annotated[int, Field(ge=1_000, le=MAX_IDLE_MS)] = int(_FLAGS_LIMITS.idle_timeout_s * 1000)

    def read(self) -> ListenerLimits:
        """Return what the listener works with."""
        return ListenerLimits(
            max_connections=self.max_connections,
            max_body_bytes=self.max_body_bytes,
            head_timeout_s=self.head_timeout_ms / 1000,
            body_timeout_s=self.body_timeout_ms / 1000,
            idle_timeout_s=self.idle_timeout_ms / 1000,
        )


class ConfigFile(Strict):
    """The whole file; every field may be left out."""

    app: AppKey | None = None
    nats: NatsPart | None = None
    redis: RedisPart | None = None
    snapshot: Annotated[str, Field(min_length=1)] | None = None
    flags_listen: ListenAddress | None = None
    proxy_listen: ListenAddress | None = None
    socket_mode: SocketMode | None = None
    flags_token: FlagsToken | None = None
    stale_after_ms: Annotated[int, Field(ge=1_000, le=86_400_000)] | None = None
    flush_interval_ms: Annotated[int, Field(ge=10, le=60_000)] | None = None
    reported_outcomes: bool | None = None
    reported_calls_per_s: Annotated[int, Field(ge=1, le=MAX_CALLS_PER_S)] | None = None
    routes: list[RoutePart] = Field(default_factory=list)
    forward_allow: list[Annotated[ForwardHost, PlainValidator(_forward_host)]] = Field(default_factory=list)
    trusted_peers: list[Annotated[Network, PlainValidator(_network)]] = Field(
        default_factory=lambda: list(_OPTIONS.trusted_peers)
    )
    answer_header: bool = _OPTIONS.answer_header
    access_log: AccessLogPart = AccessLogPart()
    limits: LimitsPart = LimitsPart()
    flags_limits: FlagsLimitsPart = FlagsLimitsPart()
    drain: DrainPart = DrainPart()
    traces: TracesPart = TracesPart()
    allowed_hosts: AllowedHosts | None = None

    def proxy_options(self) -> ProxyOptions:
        """Return what the proxy works with."""
        return ProxyOptions(
            self.limits.read(),
            tuple(self.trusted_peers),
            self.answer_header,
            self.access_log.sample_percent / 100,
            self.access_log.failures,
        )


def read_config_file(path: Path) -> ConfigFile:
    """Read a file; raise `FileError` with line and path of each field that is wrong and what was expected there."""
    file = read_yaml(path, "settings")
    content = {} if file.value is None else file.value
    if not isinstance(content, dict):
        raise FileError([f"{path}: expected settings as `name: value`, got {shown(content)}"])
    try:
        return ConfigFile.model_validate(content)
    except ValidationError as error:
        raise file.refusal(mistakes(error)) from None


def mistakes(error: ValidationError) -> list[tuple[str, str]]:
    """Return each wrong field and what was expected, without the names that only this module gives to alternatives."""
    return [(re.sub(r"\.?<[a-z]+>|\.\[key\]", "", field), problem) for field, problem in problems(error)]
