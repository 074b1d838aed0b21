import pytest

from tailslide_runtime.auth_callout.claims import new_seed
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress, load
from tailslide_tower.auth.principal import Role
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


def test_public_url_is_that_of_the_listener_on_this_machine(environment: pytest.MonkeyPatch) -> None:
    for listen, url in (
        ("127.0.0.1:4142", "http://127.0.0.1:4142"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:4142", "http://[::1]:4142"),
        ("tower.internal:4142", "http://tower.internal:4142"),
        ("unix:/run/tower.sock", "http://localhost"),
    ):
        environment.setenv("TAILSLIDE_TOWER_LISTEN", listen)
        assert load(TowerSettings).public_url == url


def test_name_of_the_public_url_is_answered_to(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAILSLIDE_TOWER_URL", "https://Tower.example.org/")
    assert load(TowerSettings).public_url == "https://tower.example.org"
    assert load(TowerSettings).hosts == ("tower.example.org",)
    # Elsewhere than on loopback all names are answered to until some are given.
    environment.setenv("TAILSLIDE_TOWER_LISTEN", "0.0.0.0:4142")
    assert load(TowerSettings).hosts == ()
    environment.setenv("TAILSLIDE_ALLOWED_HOSTS", "tower.internal")
    assert load(TowerSettings).hosts == ("tower.internal", "tower.example.org")


def test_provider_is_made_of_its_settings(environment: pytest.MonkeyPatch) -> None:
    assert load(TowerSettings).oidc is None
    environment.setenv("TAILSLIDE_OIDC_ISSUER", "https://login.example.org/realms/staff")
    environment.setenv("TAILSLIDE_OIDC_CLIENT_ID", "tower")
    environment.setenv("TAILSLIDE_OIDC_CLIENT_SECRET", "hush")
    environment.setenv("TAILSLIDE_OIDC_DOMAINS", "Example.org, example.com")
    environment.setenv("TAILSLIDE_OIDC_DEFAULT_ROLE", "viewer")
    environment.setenv("TAILSLIDE_OIDC_ROLES", "ops=admin, dev=editor")
    provider = load(TowerSettings).oidc
    assert provider is not None
    assert provider.domains == {"example.org", "example.com"}
    assert (provider.default_role, provider.roles) == (Role.VIEWER, {"ops": Role.ADMIN, "dev": Role.EDITOR})
    assert "hush" not in repr(provider)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("TOWER_URL", "tower.example.org", "TAILSLIDE_TOWER_URL: expected a URL without a path, like https://"),
        ("TOWER_URL", "https://a.example/tower", "TAILSLIDE_TOWER_URL: expected a URL without a path"),
        ("TRUSTED_PROXIES", "proxy", "TAILSLIDE_TRUSTED_PROXIES: expected addresses or networks of proxies"),
        ("ADMIN_EMAIL", "a@example.org", "expected TAILSLIDE_ADMIN_EMAIL and TAILSLIDE_ADMIN_PASSWORD together"),
        ("SESSION_IDLE_S", "5", "TAILSLIDE_SESSION_IDLE_S: "),
        ("OIDC_ISSUER", "http://login.example.org", "TAILSLIDE_OIDC_ISSUER: expected an https URL"),
        ("OIDC_ISSUER", "https://login.example.org", "expected TAILSLIDE_OIDC_ISSUER, TAILSLIDE_OIDC_CLIENT_ID and"),
        ("TLS_CERT_FILE", "/t.pem", "TAILSLIDE_TLS_CERT_FILE and TAILSLIDE_TLS_KEY_FILE belong together, and"),
        ("NATS_CA_FILE", "/ca.pem", "TAILSLIDE_NATS_URL: expected a URL that begins with tls:// or wss://, for which"),
        ("REDIS_CA_FILE", "/ca.pem", "TAILSLIDE_REDIS_CA_FILE: expected TAILSLIDE_REDIS_URL beside it"),
        ("OIDC_ROLES", "ops=owner", "TAILSLIDE_OIDC_ROLES: expected group=role pairs"),
        ("OIDC_ROLES", "ops", "TAILSLIDE_OIDC_ROLES: expected group=role pairs"),
        ("OIDC_DEFAULT_ROLE", "owner", "TAILSLIDE_OIDC_DEFAULT_ROLE: "),
    ],
)
def test_settings_of_access_that_are_wrong_are_named(
    environment: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    environment.setenv(f"TAILSLIDE_{variable}", value)
    with pytest.raises(StartError) as caught:
        load(TowerSettings)
    assert expected in str(caught.value)


@pytest.fixture
def https(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("TAILSLIDE_TLS_CERT_FILE", "/t.pem")
    environment.setenv("TAILSLIDE_TLS_KEY_FILE", "/t.key")
    return environment


def test_public_url_is_https_with_a_certificate(https: pytest.MonkeyPatch) -> None:
    assert load(TowerSettings).public_url == "https://127.0.0.1:4142"
    https.setenv("TAILSLIDE_TOWER_URL", "https://tower.example.org")
    assert load(TowerSettings).public_url == "https://tower.example.org"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("TOWER_URL", "http://tower.example.org", "TAILSLIDE_TOWER_URL: expected https://"),
        ("TOWER_LISTEN", "unix:/run/tower.sock", "expected host:port in TAILSLIDE_TOWER_LISTEN, got a unix socket"),
    ],
)
def test_certificate_that_would_not_be_used_is_refused(
    https: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    https.setenv(f"TAILSLIDE_{variable}", value)
    with pytest.raises(StartError, match=expected):
        load(TowerSettings)


def test_files_for_nats_are_those_of_the_callout_too(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAILSLIDE_NATS_CA_FILE", "/ca.pem")
    environment.setenv("TAILSLIDE_NATS_URL", "tls://tower:p@nats")
    environment.setenv("TAILSLIDE_NATS_ISSUER_SEED", new_seed(bytes(32)))
    environment.setenv("TAILSLIDE_NATS_CALLOUT_URL", "tls://callout:p@nats")
    environment.setenv("TAILSLIDE_NATS_SYSTEM_URL", "nats://system:p@nats")
    with pytest.raises(StartError, match="TAILSLIDE_NATS_SYSTEM_URL: expected a URL that begins with tls://"):
        load(TowerSettings)
    environment.setenv("TAILSLIDE_NATS_SYSTEM_URL", "tls://system:p@nats")
    settings = load(TowerSettings)
    callout = settings.callout()
    assert callout is not None
    for url in (settings.nats_server, callout.callout_url, callout.system_url):
        assert url.tls is not None
        assert url.tls.ca is not None
