"""The sidecar's settings: the environment over the YAML file over defaults. The only reader of the environment.

How the file is written, field by field, is `config_file`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tailslide_core.errors import ContractError
from tailslide_core.sdk_keys import is_sdk_key
from tailslide_runtime.errors import StartError
from tailslide_runtime.guard import ListenerLimits
from tailslide_runtime.logs import LogFormat, LogLevel
from tailslide_runtime.redis_access import user_of
from tailslide_runtime.server_urls import LOCAL_NATS, LOCAL_REDIS, NatsUrl, RedisUrl
from tailslide_runtime.settings import AllowedHosts, ListenAddress, explain
from tailslide_runtime.tls import TlsFiles
from tailslide_runtime.tracing.settings import SamplePercent, TracesUrl
from tailslide_sidecar.config_file import (
    DEFAULT_GRACE_MS,
    MAX_CALLS_PER_S,
    MAX_TRACED_PER_S,
    AppKey,
    ConfigFile,
    FlagsToken,
    SocketMode,
    TlsPart,
    read_config_file,
)
from tailslide_sidecar.flags_file import FlagsFile, read_flags_file
from tailslide_sidecar.nats_access import check_sdk_key
from tailslide_sidecar.proxy.limits import ProxyOptions
from tailslide_sidecar.proxy.routes import ForwardHost, Route
from tailslide_sidecar.reported import DEFAULT_CALLS_PER_S
from tailslide_sidecar.route_file import MAX_TIMEOUT_MS
from tailslide_sidecar.yaml_file import Stamp, stamp_of

DEFAULT_FLAGS_LISTEN = ListenAddress("127.0.0.1", 4141)
DEFAULT_PROXY_LISTEN = ListenAddress("127.0.0.1", 4140)
DEFAULT_FLUSH_INTERVAL_MS = 100
DEFAULT_STALE_AFTER_MS = 30_000
DEFAULT_SAMPLE_PERCENT = 1.0
DEFAULT_TRACED_PER_S = 100
DEFAULT_PROXY_OPTIONS = ProxyOptions()
DEFAULT_FLAGS_LIMITS = ListenerLimits()


class Environment(BaseModel):
    """What the environment may say, each as `TAILSLIDE_` and the name in capitals; over the file where both speak."""

    model_config = ConfigDict(frozen=True)

    app: AppKey | None = None
    nats_url: NatsUrl | None = None
    nats_ca_file: str | None = None
    nats_cert_file: str | None = None
    nats_key_file: str | None = None
    sdk_key: str | None = None
    """What NATS and Redis let the sidecar in with: the app's SDK key, as Tower shows it once, or a token of the NATS
    server's own. Only here, so that no secret needs to be in a file."""
    redis_url: RedisUrl | None = None
    redis_ca_file: str | None = None
    redis_cert_file: str | None = None
    redis_key_file: str | None = None
    snapshot: str | None = None
    flags_file: str | None = None
    """A file of flags to answer from instead of NATS and Redis, for development and tests; `--flags` goes before it."""
    flags_listen: ListenAddress | None = None
    proxy_listen: ListenAddress | None = None
    socket_mode: SocketMode | None = None
    flags_token: FlagsToken | None = None
    allowed_hosts: AllowedHosts | None = None
    drain_grace_ms: Annotated[int, Field(ge=0, le=MAX_TIMEOUT_MS)] | None = None
    traces_url: TracesUrl | None = None
    traces_sample_percent: SamplePercent | None = None
    traces_max_calls_per_s: Annotated[int, Field(ge=1, le=MAX_TRACED_PER_S)] | None = None
    stale_after_ms: Annotated[int, Field(ge=1_000, le=86_400_000)] | None = None
    flush_interval_ms: Annotated[int, Field(ge=10, le=60_000)] | None = None
    reported_outcomes: bool | None = None
    reported_calls_per_s: Annotated[int, Field(ge=1, le=MAX_CALLS_PER_S)] | None = None
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.AUTO


Given = TypeVar("Given", bool, float)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the sidecar works with."""

    app: str
    """The key of the app whose flags are answered; the one setting without a default."""
    nats_url: NatsUrl = LOCAL_NATS
    """NATS with JetStream, where rulesets and circuits come from."""
    sdk_key: str | None = field(default=None, repr=False)
    redis_url: RedisUrl = LOCAL_REDIS
    """Redis with time series, where outcomes go. Without credentials in it, the SDK key is presented."""
    snapshot: Path | None = None
    """The file that rulesets and circuits are kept in for a start without NATS; without one, none is kept."""
    flags_listen: ListenAddress = DEFAULT_FLAGS_LISTEN
    """Where questions about flags are answered."""
    proxy_listen: ListenAddress = DEFAULT_PROXY_LISTEN
    """Where calls to flagged features are taken."""
    socket_mode: int | None = None
    """Permissions of unix sockets; else what the umask leaves."""
    flags_token: str | None = field(default=None, repr=False)
    """What callers of the flags listener have to send; without one, everybody who reaches it is answered."""
    flags_limits: ListenerLimits = DEFAULT_FLAGS_LIMITS
    """What clients may take of the flags listener."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that the flags listener answers to besides `localhost` and loopback addresses."""
    drain_grace_ms: int = DEFAULT_GRACE_MS
    """How long new calls are answered after SIGTERM, in milliseconds."""
    traces_url: str | None = None
    """Where traces of proxied calls are sent by OTLP over HTTP; without it there are none."""
    traces_sample_percent: float = DEFAULT_SAMPLE_PERCENT
    """How many of 100 calls without a trace are recorded; calls whose caller records its own trace always are."""
    traces_max_calls_per_s: int = DEFAULT_TRACED_PER_S
    """How many calls are recorded in a second at most, whoever asks."""
    stale_after_ms: int = DEFAULT_STALE_AFTER_MS
    """Out of contact with NATS for longer than this, answers say that they may be stale."""
    flush_interval_ms: int = DEFAULT_FLUSH_INTERVAL_MS
    """How often outcomes are written to Redis, in milliseconds."""
    reported_outcomes: bool = True
    """Whether callers of the flags listener may report outcomes, which open circuits or keep them closed."""
    reported_calls_per_s: int = DEFAULT_CALLS_PER_S
    """For how many calls a second of each flag outcomes may be reported, with room for ten seconds at once."""
    routes: tuple[Route, ...] = ()
    """Where calls go; the first route that takes a call decides."""
    forward_allow: tuple[ForwardHost, ...] = ()
    """Hosts that may be called through the proxy, as a forward proxy, without a route."""
    proxy: ProxyOptions = DEFAULT_PROXY_OPTIONS
    flags: FlagsFile | None = field(default=None, compare=False)
    """What a flags file said at the start. With one, no server is asked for anything, and no snapshot is kept."""
    config_path: Path | None = None
    """The file that all this comes from, as far as it does; it can be read again with `load_again`."""
    config_stamp: Stamp | None = field(default=None, compare=False)
    """What the file was like just before it was read."""
    environment: Environment = field(default=Environment(), repr=False, compare=False)
    """What the environment said at the start."""
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.AUTO

    @property
    def flags_from(self) -> str:
        """Return where flags come from, for the log and for people."""
        return str(self.nats_url) if self.flags is None else str(self.flags.path)

    @property
    def snapshot_used(self) -> Path | None:
        """Return the snapshot to read and write: none beside a flags file, whose flags no other sidecar may get."""
        return None if self.flags is not None else self.snapshot

    @property
    def redis_login(self) -> RedisUrl:
        """Where Redis is, and as whom: the app's user, by an SDK key of Tower's, unless the URL has credentials."""
        if self.sdk_key is None or not is_sdk_key(self.sdk_key):
            return self.redis_url
        return self.redis_url.as_user(user_of(self.app), self.sdk_key)


def load_config(config_path: Path | None, environ: Mapping[str, str], flags_path: Path | None = None) -> Settings:
    """Read the files, if there are any, and the environment; raise `StartError` that names what is wrong.

    `flags_path` is that of a flags file; without it the environment may name one.
    """
    environment = read_environment(environ)
    if flags_path is None and environment.flags_file is not None:
        flags_path = Path(environment.flags_file)
    if flags_path is None:
        return _load(config_path, environment, None)
    file = ConfigFile() if config_path is None else read_config_file(config_path)
    return _load(config_path, environment, read_flags_file(flags_path, environment.app or file.app))


def load_again(settings: Settings) -> Settings:
    """Read the sidecar's file as it is now, under the environment of the start; raise `StartError` likewise.

    The flags file is read again by its own source.
    """
    return _load(settings.config_path, settings.environment, settings.flags)


def _load(config_path: Path | None, environment: Environment, flags: FlagsFile | None) -> Settings:
    stamp = None if config_path is None else stamp_of(config_path)
    file = ConfigFile() if config_path is None else read_config_file(config_path)
    app = environment.app or file.app or (None if flags is None else flags.app)
    if app is None:
        where = "; `tailslide init` writes first files" if config_path is None else f", or `app:` in {config_path}"
        raise StartError(f"TAILSLIDE_APP: a value is required, the key of the app whose flags are answered{where}")
    if environment.sdk_key is not None and flags is None:
        try:
            check_sdk_key(environment.sdk_key, app)
        except ContractError as error:
            raise StartError(f"{_variable(error.field)}: {error.problem}") from None
    snapshot = environment.snapshot or file.snapshot
    nats_url = environment.nats_url or (file.nats and file.nats.url) or LOCAL_NATS
    redis_url = environment.redis_url or (file.redis and file.redis.url) or LOCAL_REDIS
    try:
        nats_url = nats_url.with_files(_tls_files("nats", file.nats, environment, config_path))
        redis_url = redis_url.with_files(_tls_files("redis", file.redis, environment, config_path))
    except ValueError as problem:
        raise StartError(str(problem)) from None
    return Settings(
        app=app,
        nats_url=nats_url,
        sdk_key=environment.sdk_key,
        redis_url=redis_url,
        snapshot=None if snapshot is None else Path(snapshot),
        flags_listen=environment.flags_listen or file.flags_listen or DEFAULT_FLAGS_LISTEN,
        proxy_listen=environment.proxy_listen or file.proxy_listen or DEFAULT_PROXY_LISTEN,
        socket_mode=environment.socket_mode if environment.socket_mode is not None else file.socket_mode,
        flags_token=environment.flags_token or file.flags_token,
        flags_limits=file.flags_limits.read(),
        allowed_hosts=environment.allowed_hosts or file.allowed_hosts or (),
        drain_grace_ms=file.drain.grace_ms if environment.drain_grace_ms is None else environment.drain_grace_ms,
        traces_url=environment.traces_url or file.traces.url,
        traces_sample_percent=_first(
            environment.traces_sample_percent, file.traces.sample_percent, DEFAULT_SAMPLE_PERCENT
        ),
        traces_max_calls_per_s=environment.traces_max_calls_per_s
        or file.traces.max_calls_per_s
        or DEFAULT_TRACED_PER_S,
        stale_after_ms=environment.stale_after_ms or file.stale_after_ms or DEFAULT_STALE_AFTER_MS,
        flush_interval_ms=environment.flush_interval_ms or file.flush_interval_ms or DEFAULT_FLUSH_INTERVAL_MS,
        reported_outcomes=_first(environment.reported_outcomes, file.reported_outcomes, True),
        reported_calls_per_s=environment.reported_calls_per_s or file.reported_calls_per_s or DEFAULT_CALLS_PER_S,
        routes=tuple(route.read() for route in file.routes),
        forward_allow=tuple(file.forward_allow),
        proxy=file.proxy_options(),
        flags=flags,
        config_path=config_path,
        config_stamp=stamp,
        environment=environment,
        log_level=environment.log_level,
        log_format=environment.log_format,
    )


def _tls_files(server: str, part: TlsPart | None, environment: Environment, config_path: Path | None) -> TlsFiles:
    """Return the files for TLS to a server; raise `ValueError` for a certificate without its key."""
    written = {} if part is None else part.model_dump(include=set(TlsPart.model_fields))

    def told(name: str) -> str | None:
        text: str | None = getattr(environment, f"{server}_{name}")
        return text

    def setting(name: str) -> str:
        by_file = told(name) is None and written.get(name) is not None
        return f"{config_path}: {server}.{name}" if by_file else _variable(f"{server}_{name}")

    def path(name: str) -> Path | None:
        text = told(name) or written.get(name)
        return None if text is None else Path(text)

    return TlsFiles.read(path("ca_file"), path("cert_file"), path("key_file"), setting)


def _first(environment: Given | None, file: Given | None, default: Given) -> Given:
    if environment is not None:
        return environment
    return default if file is None else file


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Read the variables; an empty one counts as unset."""
    given = {name: environ.get(_variable(name)) for name in Environment.model_fields}
    try:
        return Environment.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        raise StartError(explain(error, _variable)) from None


def _variable(name: str) -> str:
    return f"TAILSLIDE_{name.upper()}"
