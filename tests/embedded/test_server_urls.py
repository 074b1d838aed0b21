import pytest

from tailslide_embedded.server_urls import DATABASE, NATS, REDIS, UrlSetting, shown, url_from
from tailslide_runtime.errors import StartError


@pytest.mark.parametrize("environ", [{}, {"TAILSLIDE_NATS_URL": ""}, {"TAILSLIDE_NATS_URL": "  "}])
def test_unset_and_empty_mean_the_embedded_server(environ: dict[str, str]) -> None:
    assert url_from(NATS, environ) is None


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        (NATS, "nats://token@127.0.0.1:4222"),
        (NATS, "nats://a:1,nats://b:2"),
        (NATS, "tls://nats.example.com"),
        (REDIS, "redis://:password@127.0.0.1:6379/0"),
        (REDIS, "rediss://[::1]"),
        (REDIS, "unix:///run/redis.sock"),
        (DATABASE, "postgresql+asyncpg://user:password@db:5432/tailslide"),
    ],
)
def test_a_url_is_taken_as_it_is(setting: UrlSetting, url: str) -> None:
    assert url_from(setting, {setting.variable: url}) == url


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_a_database_url_gets_the_driver_that_tower_uses(scheme: str) -> None:
    url = url_from(DATABASE, {"TAILSLIDE_DATABASE_URL": f"{scheme}://u:p@db/tailslide?ssl=require"})
    assert url == "postgresql+asyncpg://u:p@db/tailslide?ssl=require"


@pytest.mark.parametrize("url", ["127.0.0.1:4222", "http://geheim@a", "nats://", "nats://geheim@a:x", "nats://a:0"])
def test_anything_else_is_one_sentence_without_the_value(url: str) -> None:
    with pytest.raises(StartError, match=r"^TAILSLIDE_NATS_URL is not a URL like nats://") as error:
        url_from(NATS, {"TAILSLIDE_NATS_URL": url})
    assert "geheim" not in str(error.value)


def test_one_wrong_url_of_several_is_enough() -> None:
    with pytest.raises(StartError):
        url_from(NATS, {"TAILSLIDE_NATS_URL": "nats://a:1,b"})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("nats://token@a:1, nats://token@b:2", "nats://a:1, nats://b:2"),
        ("redis://:p%40ss@127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_what_is_shown_has_no_secrets(url: str, expected: str) -> None:
    assert shown(url) == expected
