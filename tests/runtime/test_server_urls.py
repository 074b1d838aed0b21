"""The URLs of servers: that the clients take each that we take, and read it as we do.

The clients are asked by their own parsers, some of which are private to them: nothing else shows it without a server.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from asyncpg.connect_utils import _parse_connect_dsn_and_args
from hypothesis import example, given
from hypothesis import strategies as st
from nats.aio.client import Client
from pydantic import TypeAdapter, ValidationError
from redis.asyncio.connection import ConnectionPool, SSLConnection, UnixDomainSocketConnection

from tailslide_runtime.server_urls import (
    _DATABASE_OPTIONS,
    _REDIS_TLS,
    LOCAL_NATS,
    LOCAL_REDIS,
    DatabaseUrl,
    NatsUrl,
    RedisUrl,
)
from tailslide_runtime.settings import explain

PAGE = Path(__file__).parents[2] / "docs" / "servers.md"
KINDS = {kind.variable: kind for kind in (NatsUrl, RedisUrl, DatabaseUrl)}
Url = NatsUrl | RedisUrl | DatabaseUrl
SECRET = "geheim"
NOTHING = dict[str, Any].fromkeys(
    (
        *("dsn", "host", "port", "user", "password", "passfile", "database", "ssl", "service", "servicefile"),
        *("direct_tls", "server_settings", "target_session_attrs", "krbsrvname", "gsslib"),
    )
)
"""All arguments of asyncpg's parser, which knows no defaults."""


@dataclass(frozen=True)
class Reached:
    """Where a client would connect to, and as whom."""

    hosts: list[tuple[str, int]]
    user: str | None = None
    password: str | None = None
    database: str | int | None = None


def nats_reads(url: NatsUrl, token: str | None = None) -> Reached:
    """Return what nats-py makes of a URL; a token counts as a user without a password."""
    options = url.connect_options(token)
    client = Client()
    client._setup_server_pool(options["servers"])
    servers = [server.uri for server in client._server_pool]
    assert not any(uri.username or uri.password for uri in servers)
    hosts = [(str(uri.hostname), int(uri.port or 0)) for uri in servers]
    return Reached(hosts, options.get("user", options.get("token")), options.get("password"))


def connection_of(url: RedisUrl) -> Any:
    """Return a connection of redis-py's that is not made yet."""
    pool: Any = ConnectionPool.from_url(url.with_secrets(), protocol=2, max_connections=1)
    return pool.make_connection()


def redis_reads(url: RedisUrl) -> Reached:
    """Return what redis-py makes of a URL."""
    connection = connection_of(url)
    is_unix = isinstance(connection, UnixDomainSocketConnection)
    host = (connection.path, 0) if is_unix else (connection.host, connection.port)
    return Reached([host], connection.username, connection.password, connection.db)


def asyncpg_reads(**options: Any) -> Reached:
    """Return what asyncpg makes of its arguments."""
    addresses, parameters = _parse_connect_dsn_and_args(**NOTHING | options)
    hosts = [place if isinstance(place, tuple) else (place, 0) for place in addresses]
    return Reached(hosts, parameters.user, parameters.password, parameters.database)


def taken_by_its_client(url: Url) -> Reached:
    match url:
        case NatsUrl():
            return nats_reads(url)
        case RedisUrl():
            return redis_reads(url)
        case DatabaseUrl():
            return asyncpg_reads(**url.connect_options())


@pytest.fixture(autouse=True)
def _no_settings_of_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGSERVICE", "PGPASSFILE"):
        monkeypatch.delenv(name, raising=False)


def parsed(kind: type[Url], text: str) -> tuple[Url | None, str]:
    """Return a URL, or the sentence that refuses it."""
    try:
        return kind.parse(text), ""
    except ValueError as error:
        return None, str(error)


def kept_by_a_round_trip(url: Url) -> None:
    again = type(url).parse(url.with_secrets())
    assert again == url
    assert again.with_secrets() == url.with_secrets()
    # What is shown is such a URL, too.
    assert str(type(url).parse(str(url))) == str(url)


@pytest.mark.parametrize(
    ("text", "shown", "reached"),
    [
        ("nats://127.0.0.1:4222", None, Reached([("127.0.0.1", 4222)])),
        ("NATS://Host", "nats://host:4222", Reached([("host", 4222)])),
        (" nats://host\n", "nats://host:4222", Reached([("host", 4222)])),
        ("nats://host/", "nats://host:4222", Reached([("host", 4222)])),
        ("nats://[::1]", "nats://[::1]:4222", Reached([("::1", 4222)])),
        ("nats://geheim@host:1", "nats://host:1", Reached([("host", 1)], SECRET)),
        ("nats://u:geheim@host:1", "nats://host:1", Reached([("host", 1)], "u", SECRET)),
        ("nats://u:ge,heim@host:1", "nats://host:1", Reached([("host", 1)], "u", "ge,heim")),
        ("nats://u:g@h:m@host:1", "nats://host:1", Reached([("host", 1)], "u", "g@h:m")),
        ("nats://u:%2F%3f%23%25%C3%A9@host:1", "nats://host:1", Reached([("host", 1)], "u", "/?#%é")),
        ("nats://u:100%@host:1", "nats://host:1", Reached([("host", 1)], "u", "100%")),
        ("nats://a:1,nats://b:2", None, Reached([("a", 1), ("b", 2)])),
        ("tls://a:1 ,\ttls://b:2", "tls://a:1,tls://b:2", Reached([("a", 1), ("b", 2)])),
        ("nats://t@a:1,nats://b:2", "nats://a:1,nats://b:2", Reached([("a", 1), ("b", 2)], "t")),
        ("nats://t@a:1,nats://t@b:2", "nats://a:1,nats://b:2", Reached([("a", 1), ("b", 2)], "t")),
        ("tls://host", "tls://host:4222", Reached([("host", 4222)])),
        ("ws://host", "ws://host:80", Reached([("host", 80)])),
        ("wss://t@host/a/b", "wss://host:443/a/b", Reached([("host", 443)], "t")),
    ],
)
def test_nats(text: str, shown: str | None, reached: Reached) -> None:
    url = NatsUrl.parse(text)
    assert str(url) == (shown or text)
    assert nats_reads(url) == reached
    kept_by_a_round_trip(url)


def test_a_token_goes_before_the_credentials_of_the_url_of_nats() -> None:
    for text in ("nats://a:1", "nats://t@a:1", "nats://u:p@a:1"):
        options = NatsUrl.parse(text).connect_options("key")
        assert options == {"servers": ["nats://a:1"], "token": "key"}


@pytest.mark.parametrize(
    ("text", "shown", "reached"),
    [
        ("redis://127.0.0.1:6379/0", None, Reached([("127.0.0.1", 6379)], database=0)),
        ("redis://Host", "redis://host:6379/0", Reached([("host", 6379)], database=0)),
        ("redis://host/", "redis://host:6379/0", Reached([("host", 6379)], database=0)),
        ("rediss://[::1]/3", "rediss://[::1]:6379/3", Reached([("::1", 6379)], database=3)),
        ("redis://host?db=3", "redis://host:6379/3", Reached([("host", 6379)], database=3)),
        ("redis://:geheim@host", "redis://host:6379/0", Reached([("host", 6379)], None, SECRET, 0)),
        ("redis://u:geheim@host", "redis://host:6379/0", Reached([("host", 6379)], "u", SECRET, 0)),
        ("redis://u:g@,:%2f%@host", "redis://host:6379/0", Reached([("host", 6379)], "u", "g@,:/%", 0)),
        ("redis://host?username=u&password=g%2Bh", "redis://host:6379/0", Reached([("host", 6379)], "u", "g+h", 0)),
        ("unix:///run/r.sock", "unix:///run/r.sock?db=0", Reached([("/run/r.sock", 0)], database=0)),
        ("unix:/run/r.sock?db=1", "unix:///run/r.sock?db=1", Reached([("/run/r.sock", 0)], database=1)),
        ("unix://u:geheim@/run/r.sock", "unix:///run/r.sock?db=0", Reached([("/run/r.sock", 0)], "u", SECRET, 0)),
        ("unix:///run/%3Fr", "unix:///run/%3Fr?db=0", Reached([("/run/?r", 0)], database=0)),
    ],
)
def test_redis(text: str, shown: str | None, reached: Reached) -> None:
    url = RedisUrl.parse(text)
    assert str(url) == (shown or text)
    assert redis_reads(url) == reached
    kept_by_a_round_trip(url)


def test_the_tls_of_redis() -> None:
    url = RedisUrl.parse("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=false&ssl_ca_certs=/etc/my%20ca.pem")
    connection = connection_of(url)
    assert isinstance(connection, SSLConnection)
    assert (connection.ca_certs, connection.check_hostname) == ("/etc/my ca.pem", False)
    assert str(url) == "rediss://h:6379/0"
    kept_by_a_round_trip(url)


@pytest.mark.parametrize(
    ("text", "shown", "reached"),
    [
        ("postgresql://db.example:5433/d", None, Reached([("db.example", 5433)], "root", None, "d")),
        ("postgres://u:geheim@Host/d", "postgresql://host:5432/d", Reached([("host", 5432)], "u", SECRET, "d")),
        ("postgresql+asyncpg://u@h/d", "postgresql://h:5432/d", Reached([("h", 5432)], "u", None, "d")),
        ("postgresql://u:g@h,:%2F%@h/d", "postgresql://h:5432/d", Reached([("h", 5432)], "u", "g@h,:/%", "d")),
        ("postgresql://u@h/a%2Fb", "postgresql://h:5432/a%2Fb", Reached([("h", 5432)], "u", None, "a/b")),
        ("postgresql://u@h", "postgresql://h:5432", Reached([("h", 5432)], "u", None, "u")),
        (
            "postgresql://u@a,[::1]:2/d",
            "postgresql://a:5432,[::1]:2/d",
            Reached([("a", 5432), ("::1", 2)], "u", None, "d"),
        ),
        (
            "postgresql:///d?host=/run/pg&port=7&user=u&password=geheim",
            "postgresql://%2Frun%2Fpg:7/d",
            Reached([("/run/pg/.s.PGSQL.7", 0)], "u", SECRET, "d"),
        ),
        (
            "postgresql://u@%2Frun%2Fpg/d",
            "postgresql://%2Frun%2Fpg:5432/d",
            Reached([("/run/pg/.s.PGSQL.5432", 0)], "u", None, "d"),
        ),
        (
            "postgresql://u@/d?host=a,b&port=1,2",
            "postgresql://a:1,b:2/d",
            Reached([("a", 1), ("b", 2)], "u", None, "d"),
        ),
        ("postgresql://u@h?dbname=d", "postgresql://h:5432/d", Reached([("h", 5432)], "u", None, "d")),
    ],
)
def test_postgresql(text: str, shown: str | None, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    url = DatabaseUrl.parse(text)
    assert str(url) == (shown or text)
    assert asyncpg_reads(**url.connect_options()) == reached
    # Other programs get the URL as a whole. Newer Pythons refuse a bracket behind another host, as libpq does not.
    if ",[" not in str(url):
        assert asyncpg_reads(dsn=url.with_secrets()) == reached
    kept_by_a_round_trip(url)


def test_the_options_of_postgresql_reach_the_client_and_are_not_shown() -> None:
    url = DatabaseUrl.parse(
        "postgresql://u@h/d?ssl=require&target_session_attrs=primary&options=-c%20x%3D1&sslpassword=geheim"
    )
    _, parameters = _parse_connect_dsn_and_args(**NOTHING | url.connect_options())
    assert parameters.sslmode.name == "require"
    assert parameters.target_session_attrs.value == "primary"
    assert parameters.server_settings == {"options": "-c x=1"}
    assert str(url) == "postgresql://h:5432/d"
    kept_by_a_round_trip(url)


REFUSED = {
    NatsUrl: [
        ("", "it is empty"),
        ("geheim", "it does not begin with scheme://"),
        ("127.0.0.1:4222", "it does not begin with scheme://"),
        ("http://geheim@h", "the scheme is none of nats, tls, ws, wss"),
        ("nats://", "it has no host"),
        ("nats://geheim@:4222", "no host:port"),
        ("nats://geheim@h:", "no host:port"),
        ("nats://geheim@h:x", "no host:port"),
        ("nats://geheim@h:0", "not one of 1 to 65535"),
        ("nats://geheim@h:65536", "not one of 1 to 65535"),
        ("nats://geheim@[::1", "no host:port"),
        ("nats://geheim@[1.2.3.4]", "no IPv6 address"),
        ("nats://geheim@[fe80::1%25eth0]", "no host:port"),
        ("nats://a..b", "no host name"),
        (f"nats://{'a' * 64}", "no host name"),
        (f"nats://{'a.' * 130}a", "no host name"),
        ("nats://bücher", "no host name"),
        ("nats://none", "no NATS server can have the name"),
        ("nats://u:ge/heim@h", "an @ behind a /"),
        ("nats://u:ge?heim@h", "no list of name=value"),
        ("nats://u:ge#heim@h", "a # that is not written %23"),
        ("nats://u:ge heim@h", "a space"),
        ("nats://u:ge\x00heim@h", "a character that cannot be printed"),
        ("nats://u:ge%00heim@h", "a control character"),
        ("nats://u:%FF@h", "no UTF-8"),
        ("nats://u:\udcff@h", "a character that cannot be printed"),
        ("nats://a:1,b:2", "a comma behind the host"),
        ("nats://a,b", "a comma behind the host"),
        ("nats://a:1,", "a comma behind the host"),
        ("nats://a:1,http://b:2", "the scheme is none of"),
        ("nats://a:1,ws://b:2", "cannot be mixed"),
        ("nats://geheim@a:1,nats://t@b:2", "different credentials"),
        ("nats://h/geheim", "only ws:// and wss:// have a path"),
        ("nats://h?geheim=1", "no options"),
    ],
    RedisUrl: [
        ("redis://geheim@", "it has no host"),
        ("unix://", "it names no socket"),
        ("unix:///", "it names no socket"),
        ("unix://run/redis.sock", "three slashes"),
        ("unix:run/redis.sock", "it does not begin with scheme://"),
        ("redis://h:0", "not one of 1 to 65535"),
        ("redis://a:1,redis://b:2", "a comma behind the host"),
        ("redis://h/geheim", "not the number of a database"),
        ("redis://h/1/2", "not the number of a database"),
        ("redis://h/-1", "not the number of a database"),
        ("redis://h?db=one", "not the number of a database"),
        ("redis://h/1?db=1", "two places"),
        ("redis://u:geheim@h?password=p", "two places"),
        ("redis://h?db=1&db=2", "there twice"),
        ("redis://h?socket_timeout=5", "is not known here"),
        ("rediss://h?geheim=5", "is none of ssl_cert_reqs"),
        ("redis://h?ssl_cert_reqs=none", "is not known here"),
        ("rediss://h?ssl_cert_reqs=geheim", "ssl_cert_reqs is none of none, optional, required"),
        ("rediss://h?ssl_ca_certs=", "ssl_ca_certs is empty"),
    ],
    DatabaseUrl: [
        ("mysql://u:geheim@h/d", "the scheme is none of"),
        ("postgresql:///d", "it has no host"),
        ("postgresql://u:geheim@h:port/d", "no host:port"),
        ("postgresql://u:5/geheim@h", "an @ behind a /"),
        ("postgresql://h/a/b", "not written %2F"),
        ("postgresql://h/d?dbname=e", "two places"),
        ("postgresql://h/d?host=i", "two places"),
        ("postgresql://a,b/d?port=1,2,3", "its ports"),
        ("postgresql://a:1/d?port=1", "its ports"),
        ("postgresql://a,,b/d", "it has no host"),
        ("postgresql://h/d?sslmode=geheim", "sslmode is none of"),
        ("postgresql://h/d?ssl=require&sslmode=require", "two places"),
        ("postgresql://h/d?connect_timeout=5", "is none of sslmode"),
        ("postgresql://h/d?geheim=5", "is none of sslmode"),
        ("postgresql://h/d?sslmode", "no list of name=value"),
        ("postgresql://u:5?geheim@h/d", "no list of name=value"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "text", "problem"), [(kind, *case) for kind, cases in REFUSED.items() for case in cases]
)
def test_anything_else_is_one_sentence_that_does_not_repeat_it(kind: type[Url], text: str, problem: str) -> None:
    with pytest.raises(ValidationError) as error:
        TypeAdapter(kind).validate_python(text)
    sentence = explain(error.value, lambda _: kind.variable)
    assert sentence.startswith(f"{kind.variable}: expected a URL like {kind.expected.split()[4].rstrip(',')}")
    assert problem in sentence
    assert "\n" not in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize("kind", KINDS.values())
@pytest.mark.parametrize("value", [None, 5, ["nats://h"], b"nats://h"])
def test_what_is_no_text_is_refused(kind: type[Url], value: object) -> None:
    with pytest.raises(ValidationError, match=f"{re.escape(kind.expected)}, as a string"):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize("url", [LOCAL_NATS, LOCAL_REDIS])
def test_a_url_that_was_read_is_taken_as_it_is(url: Url) -> None:
    assert TypeAdapter(type(url)).validate_python(url) is url


@pytest.mark.parametrize(
    "url",
    [
        NatsUrl.parse("nats://geheim@h"),
        NatsUrl.parse("nats://geheim:geheim@h"),
        RedisUrl.parse("rediss://geheim:geheim@h?ssl_password=geheim"),
        RedisUrl.parse("unix:///run/r?username=geheim&password=geheim"),
        DatabaseUrl.parse("postgresql://geheim:geheim@h/d?sslpassword=geheim&options=geheim"),
    ],
)
def test_nothing_that_prints_it_shows_a_secret(url: Url) -> None:
    fields = {name: getattr(url, name) for kind in type(url).__mro__ for name in getattr(kind, "__slots__", ())}
    for shown in (str(url), repr(url), f"{url}", repr([url]), repr(fields)):
        assert SECRET not in shown
    assert SECRET.encode() not in orjson.dumps(url)


LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?", fullmatch=True)
HOSTS = st.one_of(
    st.lists(LABELS, min_size=1, max_size=3).map(".".join).filter(lambda name: name != "none"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)
PORTS = st.integers(1, 65_535)
PLACES = st.tuples(HOSTS, PORTS)
SECRETS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)


def encoded(data: st.DataObject, text: str) -> str:
    """Write a text as people may: what must be is percent-encoded, and some of the rest."""
    plain = data.draw(st.sets(st.sampled_from(text)))
    must = set("/?#%:, ")
    return "".join(
        char
        if char in plain and char not in must and char.isprintable()
        else "".join(f"%{byte:02X}" for byte in char.encode())
        for char in text
    )


@given(st.data(), st.lists(PLACES, min_size=1, max_size=3), SECRETS, st.none() | SECRETS)
def test_nats_gets_what_the_url_says(
    data: st.DataObject, places: list[tuple[str, int]], user: str, password: str | None
) -> None:
    userinfo = encoded(data, user) + ("" if password is None else f":{encoded(data, password)}")
    url = NatsUrl.parse(",".join(f"nats://{userinfo}@{host}:{port}" for host, port in places))
    hosts = [(host.strip("[]"), port) for host, port in places]
    assert nats_reads(url) == Reached(hosts, user, password)
    assert str(url) == ",".join(f"nats://{host}:{port}" for host, port in places)
    kept_by_a_round_trip(url)


@given(st.data(), PLACES, st.none() | SECRETS, SECRETS, st.integers(0, 999_999))
def test_redis_gets_what_the_url_says(
    data: st.DataObject, place: tuple[str, int], user: str | None, password: str, db: int
) -> None:
    userinfo = f"{'' if user is None else encoded(data, user)}:{encoded(data, password)}"
    url = RedisUrl.parse(f"redis://{userinfo}@{place[0]}:{place[1]}/{db}")
    assert redis_reads(url) == Reached([(place[0].strip("[]"), place[1])], user, password, db)
    assert str(url) == f"redis://{place[0]}:{place[1]}/{db}"
    kept_by_a_round_trip(url)


@given(st.data(), st.lists(PLACES, min_size=1, max_size=3), SECRETS, SECRETS, SECRETS)
def test_postgresql_gets_what_the_url_says(
    data: st.DataObject, places: list[tuple[str, int]], user: str, password: str, database: str
) -> None:
    hosts = ",".join(f"{host}:{port}" for host, port in places)
    name = encoded(data, database).replace("@", "%40")
    url = DatabaseUrl.parse(f"postgresql://{encoded(data, user)}:{encoded(data, password)}@{hosts}/{name}")
    reached = Reached([(host.strip("[]"), port) for host, port in places], user, password, database)
    assert asyncpg_reads(**url.connect_options()) == reached
    assert str(url).startswith(f"postgresql://{hosts}/")
    kept_by_a_round_trip(url)


PIECES = st.one_of(
    st.sampled_from(
        [
            *(
                "nats://",
                "tls://",
                "ws://",
                "redis://",
                "rediss://",
                "unix://",
                "unix:",
                "postgres://",
                "postgresql://",
            ),
            *("@", ":", "/", "//", "?", "&", "=", ",", "#", "%", "%2F", "%00", "%FF", "[", "]", "::1", "none", " "),
            *("host", "a.b", "4222", "0", "99999", "db=1", "sslmode=require", "host=/run", "port=1"),
        ]
    ),
    st.text(max_size=3),
)
WORDS = st.lists(PIECES | st.sampled_from([SECRET, f"{SECRET}@", f"user={SECRET}"]), max_size=10).map("".join)


@pytest.mark.parametrize("kind", KINDS.values())
@given(text=WORDS | st.text())
@example("redis://a/0?db=1")
def test_any_text_is_refused_or_taken_by_the_client(kind: type[Url], text: str) -> None:
    url, problem = parsed(kind, text)
    if url is None:
        assert problem.startswith(kind.expected)
        assert SECRET not in problem
        return
    taken_by_its_client(url)
    kept_by_a_round_trip(url)


@pytest.mark.parametrize("kind", KINDS.values())
@given(st.data())
def test_what_stands_before_an_at_sign_is_never_shown(kind: type[Url], data: st.DataObject) -> None:
    scheme = data.draw(
        st.sampled_from(["nats://", "ws://", "redis://", "unix://", "postgres://", "postgresql://host/"])
    )
    before, behind = (data.draw(st.lists(PIECES, max_size=4).map("".join)) for _ in range(2))
    url, problem = parsed(kind, f"{scheme}{before}{SECRET}@{behind}host")
    assert SECRET not in problem
    assert SECRET not in str(url)


def test_the_page_tells_the_forms_and_the_defaults() -> None:
    rows = re.findall(r"^\| `(TAILSLIDE_\w+)` \| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert {variable for variable, _ in rows} == KINDS.keys()
    assert len(rows) > 12
    for variable, text in rows:
        url = KINDS[variable].parse(text)
        if "ca.pem" not in text or isinstance(url, RedisUrl):  # asyncpg reads the file at once
            taken_by_its_client(url)
    defaults = dict(re.findall(r"^\| `(TAILSLIDE_\w+)` \| .* \| `(\w+://[^`]+)` \|$", PAGE.read_text(), re.MULTILINE))
    assert {name: KINDS[name].parse(text) for name, text in defaults.items()} == {
        NatsUrl.variable: LOCAL_NATS,
        RedisUrl.variable: LOCAL_REDIS,
    }


def test_the_page_tells_the_options() -> None:
    text = PAGE.read_text()
    missing = [name for name in (*_DATABASE_OPTIONS, *_REDIS_TLS) if f"`{name}`" not in text and f"{name}=" not in text]
    assert missing == []
