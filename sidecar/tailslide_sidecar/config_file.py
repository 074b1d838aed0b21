"""The sidecar's YAML file: how its fields are written, read into models that refuse all else.

What the environment overrides, and what the rest of the sidecar gets to see, is `settings`.
"""

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationError,
    model_validator,
)

from tailslide_core.errors import ContractError
from tailslide_core.naming import check_key
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import Closed, ListenAddress, problems
from tailslide_sidecar.routes import FixedAnswer, Match, Route, Source, SourceKind, Switch, Upstream

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
MAX_TIMEOUT_MS = 3_600_000

_HOST = re.compile(r"\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _key(text: str) -> str:
    try:
        return check_key("key", text)
    except ContractError as error:
        raise ValueError(error.problem) from None


def _upstream(value: object) -> Upstream:
    expected = f"expected http://host:port or https://host:port without a path, got {value!r:.80}"
    if not isinstance(value, str):
        raise ValueError(expected)  # noqa: TRY004 # pydantic collects ValueError
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(expected) from None
    extra = parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port == 0 or extra or " " in value:
        raise ValueError(expected)
    return Upstream(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])


def _nats_url(value: str) -> str:
    return _server_url(value, ("nats", "tls", "ws", "wss"), "nats://host:port")


def _redis_url(value: str) -> str:
    return _server_url(value, ("redis", "rediss", "unix"), "redis://host:port")


def _server_url(value: str, schemes: tuple[str, ...], example: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in schemes and bool(parts.hostname or (parts.scheme == "unix" and parts.path))
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        # A URL may carry a password, so what came is not repeated.
        raise ValueError(f"expected a URL like {example}")
    return value


def _host(value: str) -> str:
    host = value.lower()
    if _HOST.fullmatch(host) is None:
        raise ValueError(f"expected a host name without a port, *.suffix or *, got {value!r:.80}")
    return host


def _prefix(value: str) -> str:
    if not value.startswith("/") or not re.fullmatch(r"[!-~]+", value) or re.search(r"[?#]", value):
        raise ValueError(f"expected a path like /checkout, got {value!r:.80}")
    return value


def _method(value: object) -> str:
    if not isinstance(value, str) or value.upper() not in METHODS:
        raise ValueError(f"expected one of {', '.join(METHODS)}, got {value!r:.40}")
    return value.upper()


def _at_least_one(methods: list[str]) -> list[str]:
    if not methods:
        raise ValueError("expected at least one method, got none; leave the field out for all")
    return methods


def _name(value: str) -> str:
    if re.fullmatch(r"[^\s;=,]+", value) is None:
        raise ValueError(f"expected a name without spaces, got {value!r:.40}")
    return value


def _socket_mode(value: object) -> int:
    # As a string: YAML takes 0660 for an octal number, 660 for a decimal one, and "0o660" for text.
    if not isinstance(value, str) or re.fullmatch(r"0?[0-7]{3}", value) is None:
        raise ValueError(f'expected permissions in octal and in quotes, like "0660", got {value!r:.40}')
    return int(value, 8)


def _flags_token(value: object) -> str:
    # Not a pattern of pydantic's, whose errors show what was given.
    if not isinstance(value, str) or re.fullmatch(r"[!-~]{16,}", value) is None:
        raise ValueError("expected 16 or more printable ASCII characters without spaces")
    return value


AppKey = Annotated[str, AfterValidator(_key)]
SocketMode = Annotated[int, PlainValidator(_socket_mode)]
FlagsToken = Annotated[str, PlainValidator(_flags_token)]
UpstreamUrl = Annotated[Upstream, PlainValidator(_upstream)]
Name = Annotated[str, AfterValidator(_name)]


class _Strict(Closed):
    """A part of the file; values keep the type that they are written with."""

    model_config = ConfigDict(strict=True)


NatsUrl = Annotated[str, AfterValidator(_nats_url)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]


class NatsPart(_Strict):
    """Where NATS is; `nats: {url: …}`."""

    url: NatsUrl


class RedisPart(_Strict):
    """Where Redis is; `redis: {url: …}`."""

    url: RedisUrl


class MatchPart(_Strict):
    """The requests that a route takes; without fields, all."""

    host: Annotated[str, AfterValidator(_host)] = "*"
    path_prefix: Annotated[str, AfterValidator(_prefix)] = "/"
    methods: Annotated[list[Annotated[str, PlainValidator(_method)]], AfterValidator(_at_least_one)] | None = None

    def read(self) -> Match:
        """Return what the proxy works with."""
        return Match(self.host, self.path_prefix, None if self.methods is None else frozenset(self.methods))


class SourcePart(_Strict):
    """Where a value comes from: exactly one of the three."""

    header: Name | None = None
    cookie: Name | None = None
    query: Name | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "SourcePart":
        if len(self.model_fields_set) != 1 or self._given() is None:
            raise ValueError("expected exactly one of header, cookie and query, with a name")
        return self

    def _given(self) -> tuple[SourceKind, str] | None:
        for kind, name in zip(SourceKind, (self.header, self.cookie, self.query), strict=True):
            if name is not None:
                return kind, name
        return None

    def read(self) -> Source:
        """Return what the proxy works with."""
        given = self._given()
        assert given is not None
        return Source(*given)


class AnswerPart(_Strict):
    """An answer without an upstream; `{status: 503, body: "…"}`."""

    status: Annotated[int, Field(ge=200, le=599)]
    body: str = ""


def _kind_of_fallback(value: object) -> str:
    return "<answer>" if isinstance(value, Mapping | AnswerPart) else "<url>"


Fallback = Annotated[
    Annotated[UpstreamUrl, Tag("<url>")] | Annotated[AnswerPart, Tag("<answer>")], Discriminator(_kind_of_fallback)
]


class RoutePart(_Strict):
    """One route: either `upstream`, or `flag` with `feature` and `fallback`."""

    match: MatchPart = MatchPart()
    upstream: UpstreamUrl | None = None
    flag: AppKey | None = None
    feature: UpstreamUrl | None = None
    fallback: Fallback | None = None
    targeting_key: SourcePart | None = None
    attributes: dict[str, SourcePart] = Field(default_factory=dict)
    timeout_ms: Annotated[int, Field(ge=1, le=MAX_TIMEOUT_MS)] = 30_000
    retry_on_fallback: Literal["never", "idempotent"] = "never"

    @model_validator(mode="after")
    def _one_of_two_kinds(self) -> "RoutePart":
        flagged = self.model_fields_set & {
            "flag",
            "feature",
            "fallback",
            "targeting_key",
            "attributes",
            "retry_on_fallback",
        }
        if self.upstream is not None and flagged:
            raise ValueError(
                f"expected either upstream, or flag with feature and fallback, got upstream and {min(flagged)}"
            )
        if self.upstream is None and (self.flag is None or self.feature is None or self.fallback is None):
            missing = [name for name in ("flag", "feature", "fallback") if getattr(self, name) is None]
            raise ValueError(
                "expected either upstream, or flag with feature and fallback, but there is no "
                + (" and no ".join(missing) if len(missing) < 3 else "upstream and no flag")
            )
        return self

    def read(self) -> Route:
        """Return what the proxy works with."""
        match = self.match.read()
        if self.upstream is not None:
            return Route(match, self.upstream, None, self.timeout_ms)
        assert self.flag is not None
        assert self.feature is not None
        assert self.fallback is not None
        fallback = self.fallback
        switch = Switch(
            self.flag,
            FixedAnswer(fallback.status, fallback.body) if isinstance(fallback, AnswerPart) else fallback,
            None if self.targeting_key is None else self.targeting_key.read(),
            tuple((name, source.read()) for name, source in self.attributes.items()),
            self.retry_on_fallback == "idempotent",
        )
        return Route(match, self.feature, switch, self.timeout_ms)


class ConfigFile(_Strict):
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
    routes: list[RoutePart] = Field(default_factory=list)


def read_config_file(path: Path) -> ConfigFile:
    """Read a file; raise `StartError` with the path of each field that is wrong and what was expected there."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise StartError(f"{path}: expected text in UTF-8") from None
    except OSError as error:
        raise StartError(f"{path}: cannot be read ({error.strerror or error})") from None
    try:
        content = yaml.load(text, _UniqueKeys)  # noqa: S506 # a SafeLoader with one more check
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f" line {mark.line + 1}, column {mark.column + 1}:"
        raise StartError(f"{path}:{where} expected YAML, but {error.problem}") from None
    except yaml.YAMLError as error:
        raise StartError(f"{path}: expected YAML, but {' '.join(str(error).split())}") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise StartError(f"{path}: expected settings as `name: value`, got {content!r:.60}")
    try:
        return ConfigFile.model_validate(content)
    except ValidationError as error:
        raise StartError("; ".join(f"{path}: {problem}" for problem in _sentences(error))) from None


def _sentences(error: ValidationError) -> list[str]:
    """Return one sentence for each wrong field, without the names that only this module gives to alternatives."""
    found = []
    for field, problem in problems(error):
        where = re.sub(r"\.?<[a-z]+>", "", field)
        found.append(f"{where}: {re.sub(r'^input should be ', 'expected ', problem)}")
    return found


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a field that is written twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)
