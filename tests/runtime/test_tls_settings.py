"""Files for TLS beside a URL: which belong together, and which URL uses them."""

from pathlib import Path

import pytest

from tailslide_runtime.server_urls import DatabaseUrl, NatsUrl, RedisUrl
from tailslide_runtime.tls import TlsFiles
from tailslide_runtime.tls_settings import TlsFileSettings, variable_of


def files(server: str, ca: str | None = "ca.pem", own: str | None = None) -> TlsFiles:
    certificate, key = (None, None) if own is None else (Path(f"{own}.pem"), Path(f"{own}.key"))
    return TlsFiles.read(None if ca is None else Path(ca), certificate, key, variable_of(server))


@pytest.mark.parametrize("url", ["tls://a,tls://b", "wss://a/nats"])
def test_nats_over_tls_is_verified_with_the_files(url: str) -> None:
    tls = NatsUrl.parse(url).with_files(files("nats", own="client")).tls
    assert tls is not None
    assert [str(file.path) for file in tls.files] == ["ca.pem", "client.pem", "client.key"]
    assert tls.files[0].setting == "TAILSLIDE_NATS_CA_FILE"
    assert tls.unverified is None


@pytest.mark.parametrize("url", ["nats://a", "ws://a"])
def test_nats_that_may_be_plain_takes_no_files(url: str) -> None:
    assert NatsUrl.parse(url).tls is None
    assert NatsUrl.parse(url).with_files(files("nats", ca=None)) == NatsUrl.parse(url)
    with pytest.raises(ValueError, match=r"^TAILSLIDE_NATS_URL: expected a URL that begins with tls:// or wss://, for"):
        NatsUrl.parse(url).with_files(files("nats"))
    with pytest.raises(ValueError, match=r"^TAILSLIDE_NATS_SYSTEM_URL: expected"):
        NatsUrl.parse(url).with_files(files("nats"), "TAILSLIDE_NATS_SYSTEM_URL")


@pytest.mark.parametrize("url", ["nats://a,tls://b", "tls://a,nats://b", "ws://a,wss://b"])
def test_servers_with_and_without_tls_do_not_mix(url: str) -> None:
    with pytest.raises(ValueError, match="some of its servers are reached over TLS only"):
        NatsUrl.parse(url)


def test_files_stay_with_a_redis_and_its_nodes() -> None:
    url = RedisUrl.parse("rediss://a").with_files(files("redis", own="client"))
    for each in (url, url.as_user("u", "p"), url.at("b", 6380)):
        assert each.tls is not None
        assert [str(file.path) for file in each.tls.files] == ["ca.pem", "client.pem", "client.key"]


def test_redis_without_tls_takes_no_files() -> None:
    for text in ("redis://a", "unix:///run/redis.sock"):
        assert RedisUrl.parse(text).tls is None
        with pytest.raises(ValueError, match=r"^TAILSLIDE_REDIS_URL: expected a URL that begins with rediss://"):
            RedisUrl.parse(text).with_files(files("redis"))


@pytest.mark.parametrize(
    ("options", "own"), [("ssl_ca_certs=/c", None), ("ssl_ca_path=/c", None), ("ssl_certfile=/c&ssl_keyfile=/k", "x")]
)
def test_file_that_a_redis_url_names_too_is_refused(options: str, own: str | None) -> None:
    with pytest.raises(ValueError, match=r"^TAILSLIDE_REDIS_URL: it names files for TLS, and TAILSLIDE_REDIS_"):
        RedisUrl.parse(f"rediss://a?{options}").with_files(files("redis", "ca.pem" if own is None else None, own))


def test_options_of_a_redis_url_are_taken() -> None:
    tls = RedisUrl.parse("rediss://a?ssl_ca_certs=/c&ssl_certfile=/p&ssl_keyfile=/k&ssl_password=geheim").tls
    assert tls is not None
    assert [file.setting for file in tls.files] == [
        *("TAILSLIDE_REDIS_URL: ssl_ca_certs", "TAILSLIDE_REDIS_URL: ssl_certfile", "TAILSLIDE_REDIS_URL: ssl_keyfile")
    ]
    assert "geheim" not in repr(tls)
    with pytest.raises(ValueError, match="ssl_certfile and ssl_keyfile"):
        RedisUrl.parse("rediss://a?ssl_certfile=/p")


@pytest.mark.parametrize(
    ("options", "unverified"),
    [
        ("sslmode=verify-full", None),
        ("sslmode=verify-ca", "name"),
        ("sslmode=require&sslrootcert=/c", "name"),
        ("sslmode=require", "certificate"),
        ("sslmode=prefer", "certificate"),
    ],
)
def test_modes_of_postgresql_verify_as_libpq_says(options: str, unverified: str | None) -> None:
    tls = DatabaseUrl.parse(f"postgresql://a/d?{options}").tls
    assert tls is not None
    assert tls.unverified == unverified


@pytest.mark.parametrize("options", ["", "?sslmode=disable"])
def test_postgresql_without_tls_has_no_files(options: str) -> None:
    assert DatabaseUrl.parse(f"postgresql://a/d{options}").tls is None


def test_each_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for server in ("NATS", "REDIS"):
        for name in ("CA", "CERT", "KEY"):
            monkeypatch.setenv(f"TAILSLIDE_{server}_{name}_FILE", f"/{server}/{name}")
    settings = TlsFileSettings()
    for server, read in (("NATS", settings.nats_files), ("REDIS", settings.redis_files)):
        assert read.ca is not None
        assert read.own is not None
        assert [str(file.path) for file in (read.ca, *read.own.files)] == [
            f"/{server}/{name}" for name in ("CA", "CERT", "KEY")
        ]
        assert read.settings == tuple(f"TAILSLIDE_{server}_{name}_FILE" for name in ("CA", "CERT", "KEY"))
