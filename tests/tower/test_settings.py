import pytest

from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress, load
from tailslide_tower.settings import TowerSettings

DATABASE = "postgresql://tailslide:hush@127.0.0.1:5432/tailslide"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for field in TowerSettings.model_fields:
        monkeypatch.delenv(f"TAILSLIDE_{field.upper()}", raising=False)
    monkeypatch.setenv("TAILSLIDE_DATABASE_URL", DATABASE)
    return monkeypatch


def test_defaults(environment: pytest.MonkeyPatch) -> None:
    settings = load(TowerSettings)
    assert str(settings.nats_url) == "nats://127.0.0.1:4222"
    assert settings.tower_listen == ListenAddress("127.0.0.1", 4142)
    assert settings.api_token is None
    assert settings.sdk_key is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_all_spellings_of_a_database_url_come_to_the_same(environment: pytest.MonkeyPatch, scheme: str) -> None:
    environment.setenv("TAILSLIDE_DATABASE_URL", DATABASE.replace("postgresql", scheme))
    assert load(TowerSettings).database_url.with_secrets() == DATABASE


def test_the_servers_of_a_nats_cluster(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAILSLIDE_NATS_URL", "nats://token@a:4222,nats://token@b:4222")
    assert load(TowerSettings).nats_url.with_secrets() == "nats://token@a:4222,nats://token@b:4222"


def test_an_empty_api_token_is_none(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAILSLIDE_API_TOKEN", "")
    assert load(TowerSettings).api_token is None


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("DATABASE_URL", None, "TAILSLIDE_DATABASE_URL: a value is required, like postgresql://"),
        ("DATABASE_URL", "mysql://u:hush@h/d", "TAILSLIDE_DATABASE_URL: expected a URL like postgresql://"),
        ("DATABASE_URL", "postgresql://u:hush@h:port/d", "TAILSLIDE_DATABASE_URL: expected a URL like postgresql://"),
        ("DATABASE_URL", "postgresql:///d", "TAILSLIDE_DATABASE_URL: expected a URL like postgresql://"),
        ("NATS_URL", "http://hush@h:1", "TAILSLIDE_NATS_URL: expected a URL like nats://"),
        ("NATS_URL", "nats://a:4222,b:4222", "TAILSLIDE_NATS_URL: expected a URL like nats://"),
        ("API_TOKEN", "hush", "TAILSLIDE_API_TOKEN: expected at least 20 printable ASCII characters"),
        ("API_TOKEN", "hush hush hush hush hush", "TAILSLIDE_API_TOKEN: expected at least 20 printable ASCII"),
        ("TOWER_LISTEN", "4142", "TAILSLIDE_TOWER_LISTEN: expected host:port"),
        ("LOG_LEVEL", "loud", "TAILSLIDE_LOG_LEVEL: "),
    ],
)
def test_each_wrong_value_is_one_sentence_that_names_the_variable_and_no_secret(
    environment: pytest.MonkeyPatch, variable: str, value: str | None, expected: str
) -> None:
    if value is None:
        environment.delenv(f"TAILSLIDE_{variable}")
    else:
        environment.setenv(f"TAILSLIDE_{variable}", value)
    with pytest.raises(StartError) as caught:
        load(TowerSettings)
    assert str(caught.value).startswith(expected)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)
