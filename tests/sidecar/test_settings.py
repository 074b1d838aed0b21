"""The environment goes over the file, the file over the defaults."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress
from tailslide_sidecar.config_file import ConfigFile, FlagsLimitsPart
from tailslide_sidecar.proxy.limits import ProxyLimits, ProxyOptions
from tailslide_sidecar.proxy.routes import Address, FixedAnswer, ForwardHost, Match, Route, Side, Switch, Timeouts
from tailslide_sidecar.proxy.sources import Source, SourceKind
from tailslide_sidecar.route_file import AnswerPart, RoutePart, SourcePart
from tailslide_sidecar.settings import Environment, Settings, load_again, load_config

REFERENCE = Path(__file__).parents[2] / "docs" / "sidecar.md"
FULL = """
app: checkout
nats: {url: "nats://n:4222"}
redis: {url: "redis://r:6379"}
snapshot: /var/lib/tailslide/checkout.json
flags_listen: 127.0.0.1:5141
proxy_listen: unix:/run/proxy.sock
flush_interval_ms: 50
answer_header: false
forward_allow: [pay.example]
routes:
  - match: {host: "*.Example", path_prefix: /checkout, methods: [GET, post]}
    flag: new-checkout
    feature: http://127.0.0.1:9002
    fallback: {status: 503, body: "…"}
    targeting_key: {header: x-user-id}
    attributes: {country: {cookie: c}}
    timeout_ms: 2000
    retry_on_fallback: idempotent
  - match: {path_prefix: /}
    upstream: https://inner
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sidecar.yaml"
    path.write_text(text)
    return path


def test_without_a_file_the_app_is_enough() -> None:
    assert load_config(None, {"TAILSLIDE_APP": "checkout"}) == Settings(app="checkout")
    settings = Settings(app="checkout")
    assert (str(settings.flags_listen), str(settings.proxy_listen)) == ("127.0.0.1:4141", "127.0.0.1:4140")
    assert settings.flush_interval_ms == 100


def test_a_whole_file(tmp_path: Path) -> None:
    settings = load_config(written(tmp_path, FULL), {})
    assert (settings.app, str(settings.nats_url), str(settings.redis_url)) == (
        "checkout",
        "nats://n:4222",
        "redis://r:6379/0",
    )
    assert settings.snapshot == Path("/var/lib/tailslide/checkout.json")
    assert settings.proxy_listen == ListenAddress(path=Path("/run/proxy.sock"))
    assert settings.flush_interval_ms == 50
    assert settings.routes == (
        Route(
            Match("*.example", "/checkout", None, frozenset({"GET", "POST"})),
            Side((Address("http", "127.0.0.1", 9002),)),
            Switch(
                "new-checkout",
                FixedAnswer(503, "…"),
                Source(SourceKind.HEADER, "x-user-id"),
                (("country", Source(SourceKind.COOKIE, "c")),),
                retries_on_fallback=True,
            ),
            Timeouts(first_byte_ms=2000),
        ),
        Route(Match(), Side((Address("https", "inner", 443),))),
    )
    assert settings.proxy == ProxyOptions(answer_header=False)
    assert settings.forward_allow == (ForwardHost("pay.example"),)
    assert settings.config_path == tmp_path / "sidecar.yaml"


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    environ = {
        "TAILSLIDE_NATS_URL": "nats://secret@other:1",
        "TAILSLIDE_SDK_KEY": "key",
        "TAILSLIDE_REDIS_URL": "",
        "TAILSLIDE_FLAGS_LISTEN": "0.0.0.0:0",
        "TAILSLIDE_LOG_LEVEL": "debug",
        "TAILSLIDE_OTHER": "ignored",
    }
    settings = load_config(written(tmp_path, FULL), environ)
    assert (settings.nats_url.with_secrets(), settings.sdk_key) == ("nats://secret@other:1", "key")
    assert str(settings.redis_url) == "redis://r:6379/0"
    assert str(settings.flags_listen) == "0.0.0.0:0"
    assert settings.log_level == "debug"
    assert "key" not in repr(settings).replace("key=", "")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({}, "TAILSLIDE_APP: a value is required, the key of the app whose flags are answered"),
        ({"TAILSLIDE_APP": "No App"}, "TAILSLIDE_APP: expected 1 to 63 characters of a-z"),
        ({"TAILSLIDE_PROXY_LISTEN": "4140"}, "TAILSLIDE_PROXY_LISTEN: expected host:port"),
        ({"TAILSLIDE_NATS_URL": "http://n"}, "TAILSLIDE_NATS_URL: expected a URL like nats://"),
        ({"TAILSLIDE_REDIS_URL": "redis://h:x"}, "TAILSLIDE_REDIS_URL: expected a URL like redis://"),
        ({"TAILSLIDE_FLUSH_INTERVAL_MS": "soon"}, "TAILSLIDE_FLUSH_INTERVAL_MS: "),
        ({"TAILSLIDE_LOG_LEVEL": "loud"}, "TAILSLIDE_LOG_LEVEL: "),
        ({"TAILSLIDE_FLAGS_TOKEN": "short"}, "TAILSLIDE_FLAGS_TOKEN: expected 16 or more printable ASCII characters"),
        ({"TAILSLIDE_FLAGS_TOKEN": "with a space in it"}, "TAILSLIDE_FLAGS_TOKEN: expected 16 or more printable"),
        ({"TAILSLIDE_STALE_AFTER_MS": "10"}, "TAILSLIDE_STALE_AFTER_MS: "),
        ({"TAILSLIDE_SOCKET_MODE": "rw"}, "TAILSLIDE_SOCKET_MODE: "),
    ],
)
def test_a_bad_variable_is_named(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(StartError) as error:
        load_config(None, environ)
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("token", ["sesame", "sesame sesame sesame", "sesame-sésame-sesame"])
def test_a_refused_token_is_not_shown(tmp_path: Path, token: str) -> None:
    for path, environ in ((None, {"TAILSLIDE_FLAGS_TOKEN": token}), (written(tmp_path, f"flags_token: {token}"), {})):
        with pytest.raises(StartError) as error:
            load_config(path, environ)
        assert "flags_token: expected" in str(error.value).lower()
        assert "sesame" not in str(error.value)


def test_the_missing_app_names_the_file_too(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    with pytest.raises(StartError, match=rf"TAILSLIDE_APP: a value is required, .*, or `app:` in {path}$"):
        load_config(path, {})


def test_the_file_is_read_again_under_the_environment_of_the_start(tmp_path: Path) -> None:
    path = written(tmp_path, FULL)
    started = load_config(path, {"TAILSLIDE_FLUSH_INTERVAL_MS": "70", "TAILSLIDE_SDK_KEY": "key"})
    assert load_again(started) == started
    written(tmp_path, "{app: shop, flush_interval_ms: 80}")
    again = load_again(started)
    assert (again.app, again.flush_interval_ms, again.sdk_key, again.routes) == ("shop", 70, "key", ())
    assert again.config_stamp != started.config_stamp
    written(tmp_path, "app: [")
    with pytest.raises(StartError, match="expected YAML"):
        load_again(started)


TOLD_AS_ONE = {SourcePart, AnswerPart, RoutePart}
"""Parts that are told where they are used, or in a table of their own."""


def fields_below(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Return the names of all fields of the file as its reference writes them."""
    for name, described in model.model_fields.items():
        kinds = [kind for kind in (described.annotation, *get_args(described.annotation)) if isinstance(kind, type)]
        parts = [kind for kind in kinds if issubclass(kind, BaseModel) and kind not in TOLD_AS_ONE]
        if not parts:
            yield f"{path}{name}"
        for part in parts:
            yield from fields_below(part, f"{path}{name}.")


def test_the_reference_names_every_field_and_variable() -> None:
    rows = re.findall(r"^\| (`.+?) \|", REFERENCE.read_text(), re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    fields = {*fields_below(ConfigFile), *fields_below(RoutePart)}
    assert len(fields) > 40
    assert fields - told == set()
    assert {f"TAILSLIDE_{name.upper()}" for name in Environment.model_fields} - told == set()


@pytest.mark.parametrize(
    ("part", "defaults"),
    [
        ("limits", asdict(ProxyLimits())),
        ("timeouts", asdict(Timeouts())),
        ("flags_limits", FlagsLimitsPart().model_dump()),
    ],
)
def test_the_reference_tells_the_defaults(part: str, defaults: dict[str, object]) -> None:
    rows = dict(re.findall(rf"^\| `{part}\.(\w+)` \| (\S+) \|", REFERENCE.read_text(), re.MULTILINE))
    assert rows == {name: "none" if value is None else str(value) for name, value in defaults.items()}


def test_the_examples_of_the_reference_are_valid(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    assert len(examples) == 7
    for example in examples:
        assert load_config(written(tmp_path, example), {}).routes


def test_reports_are_taken_unless_either_says_no(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"

    def settings(text: str, **environ: str) -> Settings:
        file.write_text(f"app: a\n{text}")
        return load_config(file, environ)

    assert settings("").reported_outcomes
    assert not settings("reported_outcomes: false").reported_outcomes
    assert settings("reported_outcomes: false", TAILSLIDE_REPORTED_OUTCOMES="true").reported_outcomes
    assert not settings("reported_outcomes: true", TAILSLIDE_REPORTED_OUTCOMES="false").reported_outcomes
    assert settings("").reported_calls_per_s == 10_000
    assert settings("reported_calls_per_s: 5").reported_calls_per_s == 5
    assert settings("reported_calls_per_s: 5", TAILSLIDE_REPORTED_CALLS_PER_S="7").reported_calls_per_s == 7


FLAGS = "app: shop\nflags: {f: {active: true}}"


def test_a_flags_file_says_the_app_and_takes_the_place_of_servers(tmp_path: Path) -> None:
    flags = tmp_path / "flags.yaml"
    flags.write_text(FLAGS)
    # A key of another app would keep a sidecar of Tower's from starting, and is of no use here.
    environ = {"TAILSLIDE_SDK_KEY": f"tsk.other.{'a' * 16}.{'b' * 32}", "TAILSLIDE_SNAPSHOT": str(tmp_path / "s.json")}
    settings = load_config(None, environ, flags)
    assert settings.flags is not None
    assert (settings.app, list(settings.flags.rulesets), settings.snapshot_used) == ("shop", ["f"], None)
    assert settings.flags_from == str(flags)
    assert load_config(None, {"TAILSLIDE_FLAGS_FILE": str(flags)}).flags == settings.flags


def test_a_flags_file_is_of_the_app_that_the_others_name(tmp_path: Path) -> None:
    flags = tmp_path / "flags.yaml"
    flags.write_text(FLAGS)
    config = written(tmp_path, "app: clinic")
    for path, environ in ((config, {}), (None, {"TAILSLIDE_APP": "clinic"})):
        with pytest.raises(
            StartError, match=r"flags\.yaml: line 1: app: expected clinic, as TAILSLIDE_APP or .* got shop"
        ):
            load_config(path, environ, flags)
    flags.write_text("flags: {}")
    assert load_config(config, {}, flags).app == "clinic"


def test_the_sidecar_s_file_is_read_again_though_the_flags_file_is_broken(tmp_path: Path) -> None:
    flags = tmp_path / "flags.yaml"
    flags.write_text(FLAGS)
    config = written(tmp_path, "")
    settings = load_config(config, {}, flags)
    flags.write_text("[")
    written(tmp_path, "answer_header: false")
    again = load_again(settings)
    assert (again.app, again.flags, again.proxy.answer_header) == ("shop", settings.flags, False)


def test_files_for_tls_come_from_both_and_the_environment_goes_before(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(
        "app: shop\nnats: {url: 'tls://nats', ca_file: /file.pem, cert_file: /c.pem, key_file: /c.key}\n"
        "redis: {ca_file: /file.pem}\n"
    )
    settings = load_config(file, {"TAILSLIDE_NATS_CA_FILE": "/own.pem", "TAILSLIDE_REDIS_URL": "rediss://redis"})
    nats, redis = settings.nats_url.tls, settings.redis_login.tls
    assert nats is not None
    assert redis is not None
    assert [(each.setting, str(each.path)) for each in nats.files] == [
        ("TAILSLIDE_NATS_CA_FILE", "/own.pem"),
        (f"{file}: nats.cert_file", "/c.pem"),
        (f"{file}: nats.key_file", "/c.key"),
    ]
    assert [(each.setting, str(each.path)) for each in redis.files] == [(f"{file}: redis.ca_file", "/file.pem")]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"TAILSLIDE_NATS_CERT_FILE": "/c.pem"},
            "TAILSLIDE_NATS_CERT_FILE and TAILSLIDE_NATS_KEY_FILE belong together",
        ),
        ({"TAILSLIDE_REDIS_CA_FILE": "/a.pem"}, "TAILSLIDE_REDIS_URL: expected a URL that begins with rediss://"),
    ],
)
def test_files_that_would_not_be_used_are_refused(environ: dict[str, str], expected: str) -> None:
    with pytest.raises(StartError, match=expected):
        load_config(None, {"TAILSLIDE_APP": "shop", **environ})
