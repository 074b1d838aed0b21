import pytest

from tailslide_aerobat.settings import AerobatSettings
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress, load

VARIABLES = [f"TAILSLIDE_{name.upper()}" for name in AerobatSettings.model_fields]


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_everything_has_a_default() -> None:
    settings = load(AerobatSettings)
    assert str(settings.nats_url) == "nats://127.0.0.1:4222"
    assert str(settings.redis_url) == "redis://127.0.0.1:6379/0"
    assert settings.sdk_key is None
    assert settings.aerobat_listen == ListenAddress("127.0.0.1", 4143)
    assert settings.aerobat_tick_ms == 250


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("AEROBAT_LISTEN", "unix:/run/aerobat.sock", "unix:/run/aerobat.sock"),
        ("AEROBAT_LISTEN", "0.0.0.0:0", "0.0.0.0:0"),
        ("AEROBAT_LISTEN", "", "127.0.0.1:4143"),
    ],
)
def test_where_to_listen(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str) -> None:
    monkeypatch.setenv(f"TAILSLIDE_{variable}", value)
    assert str(load(AerobatSettings).aerobat_listen) == expected


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("AEROBAT_LISTEN", "4143", "expected host:port"),
        ("AEROBAT_TICK_MS", "49", "greater than or equal to 50"),
        ("AEROBAT_TICK_MS", "10001", "less than or equal to 10000"),
        ("AEROBAT_TICK_MS", "fast", "valid integer"),
        ("NATS_URL", "http://127.0.0.1:4222", "expected a URL like nats://"),
        ("NATS_URL", "nats://secret@:4222", "expected a URL like nats://"),
        ("NATS_URL", "nats://127.0.0.1:99999", "expected a URL like nats://"),
        ("REDIS_URL", "127.0.0.1:6379", "expected a URL like redis://"),
        ("REDIS_URL", "redis://:secret@[::1", "expected a URL like redis://"),
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"TAILSLIDE_{variable}", value)
    with pytest.raises(StartError) as raised:
        load(AerobatSettings)
    text = str(raised.value)
    assert text.startswith(f"TAILSLIDE_{variable}: ")
    assert expected in text
    assert "secret" not in text
    assert "\n" not in text
