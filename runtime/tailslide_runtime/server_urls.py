"""The URLs of NATS, Redis and PostgreSQL: read, checked, shown without secrets, and given to the clients.

A URL that is read here is one that its client takes, and means there what it means here: what the clients would
guess at, ignore or read each in its own way is refused, and credentials reach them decoded. Pure: nothing is
connected to, no file and no variable is read.

The forms are in `docs/servers.md`. Syntax: RFC 3986, section 3; in user and password an `@` may stand as it is.
"""

import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode

from pydantic import GetCoreSchemaHandler, SecretStr
from pydantic_core import core_schema

from tailslide_runtime.tls import NO_FILES, KeyPair, NamedFile, TlsFiles, TlsOptions

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?"
)
_NEXT_URL = re.compile(r"\s*,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_MAX_NAME = 253
"""Of a host name, in characters (RFC 1035, section 2.3.4)."""
_PLAIN_IN_USERINFO = "!$&'()*+;="
"""What RFC 3986 lets stand in user and password, without the comma, which divides the servers of NATS."""
_MAX_OPTIONS = 32
_ANY = frozenset[str]()
"""In place of the values that an option may have: all but an empty one."""

_REDIS_TLS = {
    "ssl_cert_reqs": frozenset({"none", "optional", "required"}),
    "ssl_check_hostname": frozenset({"true", "false"}),
    "ssl_ca_certs": _ANY,
    "ssl_ca_path": _ANY,
    "ssl_certfile": _ANY,
    "ssl_keyfile": _ANY,
    "ssl_password": _ANY,
}
_DATABASE_OPTIONS = {
    "sslmode": frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}),
    "sslrootcert": _ANY,
    "sslcert": _ANY,
    "sslkey": _ANY,
    "sslpassword": _ANY,
    "sslcrl": _ANY,
    "target_session_attrs": frozenset({"any", "primary", "standby", "prefer-standby", "read-write", "read-only"}),
    "passfile": _ANY,
    "application_name": _ANY,
    "options": _ANY,
}


class _Unusable(Exception):  # noqa: N818 # never seen outside of this module
    """What is wrong with a URL, as the end of a sentence. Made of fixed words, since the URL may hold a password."""


@dataclass(frozen=True, slots=True, repr=False)
class _ServerUrl(ABC):
    """What the three have in common. No field holds a secret in the open, so that no log or JSON can."""

    _full: SecretStr
    _shown: str

    variable: ClassVar[str]
    """The setting that every process reads it from."""
    expected: ClassVar[str]
    """How the sentence begins that refuses anything else."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL; spaces around it do not count.

        Raises `ValueError` that says what was expected and what is wrong, and never repeats the text.
        """
        try:
            return cls._read(text.strip())
        except _Unusable as problem:
            raise ValueError(f"{cls.expected}, but {problem}") from None

    @classmethod
    @abstractmethod
    def _read(cls, text: str) -> Self:
        """Read a URL or raise `_Unusable`."""

    def with_secrets(self) -> str:
        """Return the whole URL, credentials included; `parse` reads the same from it."""
        return self._full.get_secret_value()

    def __str__(self) -> str:
        """Return the URL without user, password, token and options: fit for logs."""
        return self._shown

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Let pydantic read a URL from its text."""

        def read(value: object) -> _ServerUrl:
            if isinstance(value, cls):
                return value
            if not isinstance(value, str):
                raise ValueError(f"{cls.expected}, as a string")  # noqa: TRY004 # pydantic collects ValueError
            return cls.parse(value)

        return core_schema.no_info_plain_validator_function(read)


@dataclass(frozen=True, slots=True, repr=False)
class NatsUrl(_ServerUrl):
    """One NATS server, or several of a cluster, which one set of credentials opens."""

    servers: tuple[str, ...]
    """The URL of each, without credentials."""
    _user: SecretStr | None
    _password: SecretStr | None
    files: TlsFiles = NO_FILES

    variable = "TAILSLIDE_NATS_URL"
    expected = "expected a URL like nats://127.0.0.1:4222, or several with commas between"

    @classmethod
    def _read(cls, text: str) -> Self:
        found = [_split(part, _NATS_PORTS) for part in _NEXT_URL.split(text)]
        servers = tuple(f"{part.scheme}://{_nats_host(part)}{_nats_path(part)}" for part in found)
        if len({part.scheme in _WEB_SCHEMES for part in found}) > 1:
            raise _Unusable("ws:// and wss:// cannot be mixed with nats:// and tls://")
        if len({part.scheme in _NATS_TLS_SCHEMES for part in found}) > 1:
            raise _Unusable(
                "some of its servers are reached over TLS only and others are not: write all with one scheme"
            )
        credentials = {(part.user, part.password) for part in found if part.user is not None}
        if len(credentials) > 1:
            raise _Unusable("its servers have different credentials, and those of a cluster have the same")
        user, password = credentials.pop() if credentials else (None, None)
        userinfo = _userinfo(user, password)
        full = ",".join(server.replace("://", f"://{userinfo}", 1) for server in servers)
        return cls(SecretStr(full), ",".join(servers), servers, _secret(user), _secret(password))

    @property
    def tls(self) -> TlsOptions | None:
        """Return how TLS is spoken; None where it is not demanded."""
        if not self.servers[0].startswith(tuple(f"{scheme}://" for scheme in _NATS_TLS_SCHEMES)):
            return None
        return TlsOptions(self.files.ca, self.files.own)

    def with_files(self, files: TlsFiles, setting: str = variable) -> "NatsUrl":
        """Return the URL, which is that of `setting`, with files for TLS; raise `ValueError` if it is not over TLS."""
        _refuse_files(files, setting, None if self.tls is not None else "tls:// or wss://")
        return replace(self, files=files)

    def connect_options(self, token: str | None = None) -> dict[str, Any]:
        """Return the arguments of nats-py's `connect` that say where and as whom; a `token` goes before the URL's."""
        options: dict[str, Any] = {"servers": list(self.servers)}
        if token is not None:
            return options | {"token": token}
        if self._user is None:
            return options
        user = self._user.get_secret_value()
        if self._password is None:
            return options | {"token": user}
        return options | {"user": user, "password": self._password.get_secret_value()}


@dataclass(frozen=True, slots=True, repr=False)
class RedisUrl(_ServerUrl):
    """A Redis, by TCP, by TLS, or through a unix socket. `with_secrets` is what redis-py's `from_url` takes."""

    files: TlsFiles = NO_FILES

    variable = "TAILSLIDE_REDIS_URL"
    expected = "expected a URL like redis://127.0.0.1:6379/0"

    @classmethod
    def _read(cls, text: str) -> Self:
        # One slash, as in the addresses to listen on.
        part = _split(re.sub(r"^unix:(?=/(?!/))", "unix://", text, flags=re.IGNORECASE), _REDIS_PORTS)
        given = dict(part.options)
        user = _only(part.user, given.pop("username", None))
        password = _only(part.password, given.pop("password", None))
        if part.scheme == "unix":
            if part.hosts:
                raise _Unusable("a unix socket is written unix:///path/to/socket, with three slashes")
            path = _decoded(part.path)
            if not path.strip("/") or path.endswith("/"):
                raise _Unusable("it names no socket")
            place, db = quote(path), given.pop("db", "0")
        else:
            place = _host_port(part.hosts, _REDIS_PORTS[part.scheme])
            db = _only(part.path[1:], given.pop("db", None)) or "0"
        if re.fullmatch(r"[0-9]{1,6}", db) is None:
            raise _Unusable("what follows the host is not the number of a database")
        options = _checked(given, _REDIS_TLS if part.scheme == "rediss" else {})
        if ("ssl_certfile" in options) != ("ssl_keyfile" in options):
            raise _Unusable("of ssl_certfile and ssl_keyfile, which belong together, one is missing")
        number = f"?db={int(db)}" if part.scheme == "unix" else f"/{int(db)}"
        userinfo = _userinfo(user or ("" if password else None), password)
        shown = f"{part.scheme}://{place}{number}"
        full = f"{part.scheme}://{userinfo}{place}{number}{_query(options)}"
        return cls(SecretStr(full), shown)

    def as_user(self, user: str, password: str) -> "RedisUrl":
        """Return the URL with these credentials, unless it has some, which go before."""
        full = self.with_secrets()
        part = _split(full, _REDIS_PORTS)
        if part.user is not None:
            return self
        return replace(RedisUrl.parse(full.replace("://", f"://{_userinfo(user, password)}", 1)), files=self.files)

    def at(self, host: str, port: int) -> "RedisUrl":
        """Return the URL of another node of the same servers: the same credentials, and TLS where there is TLS."""
        part = _split(self.with_secrets(), _REDIS_PORTS)
        scheme, options = ("redis", {}) if part.scheme == "unix" else (part.scheme, part.options)
        userinfo = _userinfo(part.user, part.password)
        url = RedisUrl.parse(f"{scheme}://{userinfo}{_bracketed(host)}:{port}/0{_query(options)}")
        return replace(url, files=self.files)

    @property
    def tls(self) -> TlsOptions | None:
        """Return how TLS is spoken; None where it is not."""
        part = _split(self.with_secrets(), _REDIS_PORTS)
        if part.scheme != "rediss":
            return None
        given, password = part.options, part.options.get("ssl_password")

        def named(option: str) -> NamedFile | None:
            return NamedFile(f"{self.variable}: {option}", Path(given[option])) if option in given else None

        certificate, key = named("ssl_certfile"), named("ssl_keyfile")
        own = None if certificate is None or key is None else KeyPair(certificate, key, _secret(password))
        return TlsOptions(
            ca=named("ssl_ca_certs") or self.files.ca,
            own=own or self.files.own,
            ca_folder=Path(given["ssl_ca_path"]) if "ssl_ca_path" in given else None,
            verify_mode=_VERIFY_MODES[given.get("ssl_cert_reqs", "required")],
            check_hostname=given.get("ssl_check_hostname", "true") == "true",
        )

    def with_files(self, files: TlsFiles, setting: str = variable) -> "RedisUrl":
        """Return the URL, which is that of `setting`, with files for TLS.

        Raises `ValueError` if it is not over TLS, or names such files itself.
        """
        _refuse_files(files, setting, None if self.tls is not None else "rediss://")
        options = _split(self.with_secrets(), _REDIS_PORTS).options
        if (files.ca and {"ssl_ca_certs", "ssl_ca_path"} & options.keys()) or (files.own and "ssl_certfile" in options):
            raise ValueError(f"{setting}: it names files for TLS, and {' and '.join(files.settings)} do so, too")
        return replace(self, files=files)


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseUrl(_ServerUrl):
    """A PostgreSQL database, on one server or on several of which one is chosen, by TCP or in a folder of sockets."""

    _options: SecretStr
    _hosts: tuple[tuple[str, int], ...]
    _user: SecretStr | None
    _password: SecretStr | None
    _database: str | None

    variable = "TAILSLIDE_DATABASE_URL"
    expected = "expected a URL like postgresql://user:password@127.0.0.1:5432/tailslide"

    @classmethod
    def _read(cls, text: str) -> Self:
        part = _split(text, _DATABASE_PORTS)
        given = dict(part.options)
        if "ssl" in given:  # what SQLAlchemy calls it
            given["sslmode"] = _only(given.pop("ssl"), given.get("sslmode")) or ""
        user = _only(part.user, given.pop("user", None))
        password = _only(part.password, given.pop("password", None))
        if "/" in part.path[1:]:
            raise _Unusable("a / in the name of the database is not written %2F")
        database = _only(_decoded(part.path[1:]), given.pop("dbname", None), given.pop("database", None))
        hosts = _database_hosts(_only(part.hosts, given.pop("host", None)) or "", given.pop("port", None))
        options = _checked(given, _DATABASE_OPTIONS)
        place = ",".join(
            f"{quote(host, safe='') if host[0] == '/' else _bracketed(host)}:{port}" for host, port in hosts
        )
        path = "" if database is None else f"/{quote(database, safe='')}"
        userinfo = _userinfo(user or ("" if password else None), password)
        return cls(
            SecretStr(f"postgresql://{userinfo}{place}{path}{_query(options)}"),
            f"postgresql://{place}{path}",
            SecretStr(f"postgresql://{_query(options)}" if options else ""),
            hosts,
            _secret(user),
            _secret(password),
            database,
        )

    @property
    def tls(self) -> TlsOptions | None:
        """Return the files that the URL names for TLS, and what is verified with them; None where it demands no TLS.

        asyncpg reads the files itself, at each new connection; this is for who says what is wrong with them.
        """
        given = _split(self._options.get_secret_value() or "postgresql://", _DATABASE_PORTS).options
        mode = given.get("sslmode", "disable")
        if mode == "disable":
            return None

        def named(option: str) -> NamedFile | None:
            return NamedFile(f"{self.variable}: {option}", Path(given[option])) if option in given else None

        certificate, key = named("sslcert"), named("sslkey")
        # Without sslkey it is libpq's usual file in the home folder.
        own = (
            None if certificate is None or key is None else KeyPair(certificate, key, _secret(given.get("sslpassword")))
        )
        # As libpq has it: with a file of authorities, `require` verifies as `verify-ca` does.
        verifies = mode.startswith("verify-") or (mode == "require" and "sslrootcert" in given)
        return TlsOptions(
            ca=named("sslrootcert"),
            own=own,
            verify_mode=ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE,
            check_hostname=mode == "verify-full",
        )

    def connect_options(self) -> dict[str, Any]:
        """Return the arguments of asyncpg's `connect` that say where and as whom; what is not said, is not there."""
        given = {
            "dsn": self._options.get_secret_value() or None,
            "host": [host for host, _ in self._hosts],
            "port": [port for _, port in self._hosts],
            "user": None if self._user is None else self._user.get_secret_value(),
            "password": None if self._password is None else self._password.get_secret_value(),
            "database": self._database,
        }
        return {name: value for name, value in given.items() if value is not None}


_NATS_PORTS = {"nats": 4222, "tls": 4222, "ws": 80, "wss": 443}
_WEB_SCHEMES = ("ws", "wss")
_NATS_TLS_SCHEMES = ("tls", "wss")
_VERIFY_MODES = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
_REDIS_PORTS = {"redis": 6379, "rediss": 6379, "unix": 0}
_DATABASE_PORTS = {"postgresql": 5432, "postgres": 5432, "postgresql+asyncpg": 5432}


@dataclass(frozen=True, slots=True, repr=False)
class _Parts:
    """A URL taken apart: user, password and options are decoded, the rest is as it came."""

    scheme: str
    user: str | None
    password: str | None
    hosts: str
    path: str
    options: Mapping[str, str]


def _split(text: str, schemes: Iterable[str]) -> _Parts:
    if not text:
        raise _Unusable("it is empty")
    if " " in text or not text.isprintable():
        raise _Unusable("there is a space, or a character that cannot be printed, in it")
    match = _URL.fullmatch(text)
    if match is None:
        raise _Unusable("it has a # that is not written %23" if "#" in text else "it does not begin with scheme://")
    scheme = match["scheme"].lower()
    if scheme not in schemes:
        raise _Unusable(f"the scheme is none of {', '.join(schemes)}")
    if "@" in match["path"]:
        raise _Unusable("there is an @ behind a /: write %2F for / and %40 for @ in user and password")
    userinfo, _, hosts = match["authority"].rpartition("@")
    user, colon, password = userinfo.partition(":")
    return _Parts(
        scheme,
        _decoded(user) if userinfo else None,
        _decoded(password) if colon else None,
        hosts,
        match["path"],
        _options(match["query"]),
    )


def _decoded(text: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
        decoded.encode()
    except UnicodeError:
        raise _Unusable("what is percent-encoded in it is no UTF-8") from None
    _refuse_controls(decoded)
    return decoded


def _refuse_controls(decoded: str) -> None:
    if re.search(r"[\x00-\x1f\x7f]", decoded):
        raise _Unusable("a control character is percent-encoded in it")


def _options(query: str | None) -> dict[str, str]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MAX_OPTIONS
        )
    except ValueError:
        raise _Unusable("what follows the ? is no list of name=value with & between") from None
    for _, value in pairs:
        _refuse_controls(value)
    options = dict(pairs)
    if len(options) < len(pairs):
        raise _Unusable("an option behind the ? is there twice")
    return options


def _only(*given: str | None) -> str | None:
    """Return what is said in one of several places; None when in none of them."""
    found = [text for text in given if text]
    if len(found) > 1:
        # The clients differ in which of the two they take.
        raise _Unusable("one thing is said in two places, before and behind the ?")
    return found[0] if found else None


def _checked(given: Mapping[str, str], known: Mapping[str, frozenset[str]]) -> Mapping[str, str]:
    """Return the options; raise unless all are known and have a value that they may have."""
    if given.keys() - known.keys():
        # Not named: a password with a ? in it looks like an option.
        names = f"is none of {', '.join(known)}" if known else "is not known here"
        raise _Unusable(f"an option behind the ? {names}; a ? in user or password is written %3F")
    for name, values in known.items():
        if name in given and not given[name]:
            raise _Unusable(f"{name} is empty")
        if name in given and values and given[name] not in values:
            raise _Unusable(f"{name} is none of {', '.join(sorted(values))}")
    return given


def _refuse_files(files: TlsFiles, setting: str, schemes: str | None) -> None:
    """Raise `ValueError` for files that would not be used; `schemes` are those that would use them."""
    if files.settings and schemes is not None:
        names = " and ".join(files.settings)
        raise ValueError(f"{setting}: expected a URL that begins with {schemes}, for which {names} would be used")


def _query(options: Mapping[str, str]) -> str:
    return f"?{urlencode(options, quote_via=quote)}" if options else ""


def _userinfo(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    name = quote(user, safe=_PLAIN_IN_USERINFO)
    return f"{name}@" if password is None else f"{name}:{quote(password, safe=_PLAIN_IN_USERINFO)}@"


def _secret(text: str | None) -> SecretStr | None:
    return None if text is None else SecretStr(text)


def _host_port(text: str, default_port: int) -> str:
    host, port = _host_and_port(text)
    return f"{_bracketed(host)}:{port or default_port}"


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Return a host, without brackets, and its port if there is one."""
    if not text:
        raise _Unusable("it has no host")
    if "," in text:
        raise _Unusable("there is a comma behind the host: only NATS takes several servers so, each as a whole URL")
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise _Unusable("what stands for the host is no host:port or [IPv6]:port")
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 0 < port < 65_536:
        raise _Unusable("the port is not one of 1 to 65535")
    if match["v6"] is None:
        name = match["name"].lower()
        if len(name) > _MAX_NAME or _NAME.fullmatch(name) is None:
            raise _Unusable("what stands for the host is no host name")
        return name, port
    try:
        IPv6Address(match["v6"])
    except ValueError:
        raise _Unusable("what stands in brackets is no IPv6 address") from None
    return match["v6"].lower(), port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _nats_host(part: _Parts) -> str:
    if part.options:
        raise _Unusable("NATS knows no options behind a ?; a ? in a token or password is written %3F")
    place = _host_port(part.hosts, _NATS_PORTS[part.scheme])
    if place.startswith("none:"):  # nats-py takes the name for none at all
        raise _Unusable("no NATS server can have the name that it has")
    return place


def _nats_path(part: _Parts) -> str:
    if part.path in ("", "/"):
        return ""
    if part.scheme not in _WEB_SCHEMES:
        raise _Unusable("only ws:// and wss:// have a path behind the host")
    return quote(_decoded(part.path))


def _database_hosts(text: str, ports: str | None) -> tuple[tuple[str, int], ...]:
    """Return host, or folder of sockets, and port of each server."""
    hosts: list[tuple[str, int | None]] = []
    for each in text.split(","):
        decoded = _decoded(each.partition(":")[0])
        if decoded.startswith("/"):
            port = each.partition(":")[2]
            hosts.append((decoded, _host_and_port(f"socket:{port}")[1] if port else None))
        else:
            hosts.append(_host_and_port(each))
    given = [] if ports is None else [_host_and_port(f"port:{port}")[1] for port in ports.split(",")]
    if given and (any(port for _, port in hosts) or len(given) not in (1, len(hosts))):
        raise _Unusable("its ports are not one for all hosts, or one for each")
    if given:
        spread = given * len(hosts) if len(given) == 1 else given
        hosts = [(host, port) for (host, _), port in zip(hosts, spread, strict=True)]
    return tuple((host, port or _DATABASE_PORTS["postgresql"]) for host, port in hosts)


LOCAL_NATS = NatsUrl.parse("nats://127.0.0.1:4222")
LOCAL_REDIS = RedisUrl.parse("redis://127.0.0.1:6379")
