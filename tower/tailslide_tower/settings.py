"""Tower's settings: the only place where Tower reads its environment. What they are used for is decided elsewhere."""

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, SecretStr, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from tailslide_core.errors import ContractError
from tailslide_core.naming import APP_KEY_RULE, is_app_key
from tailslide_core.networks import Networks
from tailslide_core.sdk_keys import SdkKey, is_sdk_key, parse_sdk_key
from tailslide_runtime.auth_callout.service import CalloutSettings
from tailslide_runtime.logs import LogFormat, LogLevel
from tailslide_runtime.own_names import is_loopback
from tailslide_runtime.server_urls import LOCAL_NATS, DatabaseUrl, NatsUrl, RedisUrl
from tailslide_runtime.settings import AllowedHosts, ListenAddress, read_hosts
from tailslide_runtime.tls import KeyPair, key_pair
from tailslide_runtime.tls_settings import TlsFileSettings
from tailslide_runtime.tracing.settings import SamplePercent, TraceFields
from tailslide_tower.auth.client_address import TrustedProxies, read_proxies
from tailslide_tower.auth.principal import Role
from tailslide_tower.oidc.identity import OidcSettings, read_roles
from tailslide_tower.sessions.session import Lifetimes
from tailslide_tower.setup_links.given_admin import GivenAdmin

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


def _networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    networks = tuple(part.strip() for part in value.split(",") if part.strip())
    try:
        Networks(networks)
    except ContractError as error:
        raise ValueError(error.problem) from error
    return networks


def _app_key(value: str) -> str:
    if not is_app_key(value):
        raise ValueError(f"expected {APP_KEY_RULE}")
    return value


AppKey = Annotated[str, AfterValidator(_app_key)]


def _public_url(value: str | None) -> str | None:
    if value is None:
        return None
    parts = urlsplit(value.strip().rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.username:
        raise ValueError("expected a URL without a path, like https://tower.example.org")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _issuer(value: str | None) -> str | None:
    if value is None:
        return None
    parts = urlsplit(value)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not is_safe or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected an https URL, like https://login.example.org/realms/staff (http on loopback alone)")
    return value


class TowerSettings(TlsFileSettings, TraceFields):
    """Tower's environment; each field is the variable `TAILSLIDE_<FIELD>`, and an empty variable is unset."""

    model_config = SettingsConfigDict(env_prefix="TAILSLIDE_", env_ignore_empty=True, frozen=True)

    database_url: Annotated[
        DatabaseUrl, NoDecode, Field(examples=["postgresql://user:password@127.0.0.1:5432/tailslide"])
    ]
    """PostgreSQL, as `postgresql://user:password@host:port/database`. Required."""
    nats_url: Annotated[NatsUrl, NoDecode] = LOCAL_NATS
    """NATS with JetStream; may carry a token before the `@`. Servers of one cluster are separated by commas."""
    redis_url: Annotated[RedisUrl | None, NoDecode] = None
    """Redis with time series; may carry a user and a password before the `@`, a database after the `/`. Without one
    there are no graphs, and the users of sidecars in Redis are left to Aerobat."""
    redis_users: bool = True
    """Whether to keep a user in Redis for each app with SDK keys. False where users are set by hand."""
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
    tower_listen: Annotated[ListenAddress, NoDecode] = ListenAddress("127.0.0.1", 4142)
    """Where the API listens."""
    tls_cert_file: Path | None = None
    """With the next one: the certificate, as PEM and with those between it and its authority behind it, that Tower
    serves https with. Both files are read again when they change. Without them it serves http."""
    tls_key_file: Path | None = None
    """Its private key, as PEM and without a passphrase."""
    allowed_hosts: AllowedHosts = ()
    """Names, without ports and separated by commas, that the listener answers to besides `localhost` and loopback
    addresses; where it does not listen on loopback, all names until some are given."""
    api_token: Annotated[SecretStr | None, AfterValidator(_api_token)] = None
    """A token that may do everything at this Tower for as long as it runs. Not needed: people log in, and make API
    tokens for programs."""
    alert_allowed_networks: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_networks)] = ()
    """Networks or addresses, separated by commas, that webhooks may lead to although they are not public, such as
    10.20.0.0/16. Whoever may make webhooks can then send requests to all of them."""
    alert_deliveries_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """For how many days deliveries of alerts are kept, with what their receivers answered."""
    log_keep_days: Annotated[int, Field(ge=0, le=36_500)] = 400
    """For how many days entries of the log are kept; 0 is for ever. What made a flag's present version stays."""
    bootstrap_app: AppKey | None = None
    """With the next one: the app to make on an empty database, so that a compose file can name it beforehand."""
    bootstrap_sdk_key: SecretStr | None = None
    """The first SDK key of that app, `tsk.<app>.<id>.<secret>`: 6 to 20 characters of a-z and 0-9, then 32 to 100."""
    tower_url: Annotated[str | None, AfterValidator(_public_url), Field(examples=["https://tower.example.org"])] = None
    """Where people and programs reach Tower: for the links that it hands out, and what cookies and log-ins at a
    provider depend on. Else that of `TAILSLIDE_TOWER_LISTEN` on this machine."""
    trusted_proxies: Annotated[TrustedProxies, NoDecode, PlainValidator(read_proxies)] = TrustedProxies()
    """Addresses and networks of proxies, separated by commas, whose X-Forwarded-For is believed; `unix` for who
    connects to a unix socket. Else the client is who is connected."""
    admin_email: str | None = None
    """With `TAILSLIDE_ADMIN_PASSWORD`: the admin that is made on a database without users. Without effect later."""
    admin_password: SecretStr | None = None
    """The first password of that admin."""
    session_idle_s: Annotated[int, Field(ge=300, le=31_536_000)] = 86_400
    """After how many seconds without use a session ends."""
    session_max_s: Annotated[int, Field(ge=300, le=31_536_000)] = 1_209_600
    """After how many seconds a session ends in any case."""
    oidc_issuer: Annotated[
        str | None, AfterValidator(_issuer), Field(examples=["https://login.example.org/realms/staff"])
    ] = None
    """The OpenID Connect provider that people may log in at, as its description names itself. Its redirect URI is
    `<TAILSLIDE_TOWER_URL>/api/v1/session/oidc/callback`."""
    oidc_client_id: str | None = None
    """What the provider calls Tower."""
    oidc_client_secret: SecretStr | None = None
    """What Tower shows the provider."""
    oidc_name: str = "single sign-on"
    """What people call the provider."""
    oidc_domains: Annotated[tuple[str, ...], NoDecode, PlainValidator(read_hosts)] = ()
    """Domains of e-mail addresses, separated by commas, that get in through the provider; else all."""
    oidc_default_role: Role | None = None
    """What somebody may do who comes through the provider and was not invited: viewer, editor, admin. Else only who was
    invited, or has an account, gets in."""
    oidc_role_claim: str = "groups"
    """The claim that has the groups of `TAILSLIDE_OIDC_ROLES`."""
    oidc_roles: Annotated[dict[str, Role], NoDecode, PlainValidator(read_roles), Field(default_factory=dict)]
    """Roles over all apps by group, as `ops=admin,dev=editor`. Where there are any, each log-in through the provider
    sets the role over all apps; who is in no group of these has the default one."""
    traces_sample_percent: SamplePercent = 100
    """How many of 100 requests without a trace are recorded. Of the others, their callers decide."""
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
    def redis_server(self) -> RedisUrl | None:
        """Return where Redis is, with the files for TLS."""
        if self.redis_url is None:
            if names := self.redis_files.settings:
                raise ValueError(f"{' and '.join(names)}: expected TAILSLIDE_REDIS_URL beside it, which has no value")
            return None
        return self.redis_url.with_files(self.redis_files)

    @model_validator(mode="after")
    def _files_belong_to_servers(self) -> Self:
        _ = self.nats_server, self.redis_server
        return self

    @property
    def tls(self) -> KeyPair | None:
        """Return what Tower serves https with; None for http."""
        names = {"certificate_setting": "TAILSLIDE_TLS_CERT_FILE", "key_setting": "TAILSLIDE_TLS_KEY_FILE"}
        return key_pair(self.tls_cert_file, self.tls_key_file, **names)

    @model_validator(mode="after")
    def _https_throughout(self) -> Self:
        if self.tls is None:
            return self
        if self.tower_listen.path is not None:
            raise ValueError("TAILSLIDE_TLS_CERT_FILE: expected host:port in TAILSLIDE_TOWER_LISTEN, got a unix socket")
        if self.tower_url is not None and not self.tower_url.startswith("https:"):
            raise ValueError("TAILSLIDE_TOWER_URL: expected https://…, which Tower serves with TAILSLIDE_TLS_CERT_FILE")
        return self

    @model_validator(mode="after")
    def _callout_is_whole(self) -> Self:
        self.callout()
        return self

    @model_validator(mode="after")
    def _bootstrap_is_whole(self) -> Self:
        self.bootstrap_key()
        return self

    def bootstrap_key(self) -> SdkKey | None:
        """Return the key that an empty database gets, together with its app."""
        if self.bootstrap_app is None and self.bootstrap_sdk_key is None:
            return None
        if self.bootstrap_app is None or self.bootstrap_sdk_key is None:
            raise ValueError("TAILSLIDE_BOOTSTRAP_APP and TAILSLIDE_BOOTSTRAP_SDK_KEY belong together: set both")
        try:
            key = parse_sdk_key(self.bootstrap_sdk_key.get_secret_value())
        except ContractError as error:
            raise ValueError(f"TAILSLIDE_BOOTSTRAP_SDK_KEY: {error.problem}") from None
        if key.app != self.bootstrap_app:
            raise ValueError(f"TAILSLIDE_BOOTSTRAP_SDK_KEY: expected a key of the app {self.bootstrap_app!r}")
        return key

    def callout(self) -> CalloutSettings | None:
        """Return what answering NATS's auth callout takes; None where it is not to be answered."""
        return CalloutSettings.read(self.nats_issuer_seed, self.nats_callout_url, self.nats_system_url, self.nats_files)

    @model_validator(mode="after")
    def _admin_is_whole(self) -> Self:
        if (self.admin_email is None) != (self.admin_password is None):
            raise ValueError("expected TAILSLIDE_ADMIN_EMAIL and TAILSLIDE_ADMIN_PASSWORD together, or neither")
        return self

    @model_validator(mode="after")
    def _provider_is_whole(self) -> Self:
        given = (self.oidc_issuer, self.oidc_client_id, self.oidc_client_secret)
        if any(given) and not all(given):
            raise ValueError(
                "expected TAILSLIDE_OIDC_ISSUER, TAILSLIDE_OIDC_CLIENT_ID and TAILSLIDE_OIDC_CLIENT_SECRET together, "
                "or none of them"
            )
        return self

    @property
    def oidc(self) -> OidcSettings | None:
        """Return the provider that people may log in at."""
        if self.oidc_issuer is None or self.oidc_client_id is None or self.oidc_client_secret is None:
            return None
        return OidcSettings(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=self.oidc_client_secret.get_secret_value(),
            name=self.oidc_name,
            domains=frozenset(domain.lower() for domain in self.oidc_domains),
            default_role=self.oidc_default_role,
            role_claim=self.oidc_role_claim,
            roles=self.oidc_roles,
        )

    @property
    def public_url(self) -> str:
        """Return where people and programs reach Tower, without a slash at the end."""
        if self.tower_url is not None:
            return self.tower_url
        listen = self.tower_listen
        if listen.path is not None:
            return "http://localhost"
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{ListenAddress(_reachable(listen.host), listen.port)}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names that the listener answers to: those that are allowed, and the one of the public URL.

        Where all names are allowed, that stays so.
        """
        own = None if self.tower_url is None else urlsplit(self.tower_url).hostname
        if own is None or (not self.allowed_hosts and not _is_loopback(self.tower_listen)):
            return self.allowed_hosts
        return (*self.allowed_hosts, own)

    @property
    def lifetimes(self) -> Lifetimes:
        """Return how long sessions live."""
        return Lifetimes(timedelta(seconds=self.session_idle_s), timedelta(seconds=self.session_max_s))

    @property
    def first_admin(self) -> GivenAdmin | None:
        """Return the admin for a database without users."""
        if self.admin_email is None or self.admin_password is None:
            return None
        return GivenAdmin(self.admin_email, self.admin_password.get_secret_value())


def _reachable(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return ("127.0.0.1" if address.version == 4 else "::1") if address.is_unspecified else host


def _is_loopback(listen: ListenAddress) -> bool:
    return listen.path is None and is_loopback(listen.host.lower())
