"""Every mistake in the file is one sentence with the path of the field."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_runtime.errors import StartError
from tailslide_sidecar.config_file import read_config_file

FLAGGED = "flag: f, feature: 'http://a:1', fallback: 'http://b:1'"
KEY_RULE = "expected 1 to 63 characters of a-z, 0-9, '-' and '_', the first a letter or a digit"
URL_RULE = "expected http://host:port or https://host:port without a path"


def refusal(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(StartError) as error:
        read_config_file(path)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence.removeprefix(f"{path}:").strip()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("app: 5", "app: expected a valid string, got 5"),
        ("app: Checkout", f"app: {KEY_RULE}, got 'Checkout'"),
        ("ap: x", "ap: unknown field"),
        ("[a]", "expected settings as `name: value`, got ['a']"),
        ("a: [", "line 1, column 5: expected YAML, but expected the node content, but found '<stream end>'"),
        ("app: a\napp: b", "line 2, column 1: expected YAML, but 'app' is there twice"),
        ("flags_listen: 4141", "flags_listen: expected host:port, got 4141"),
        ("flush_interval_ms: '5'", "flush_interval_ms: expected a valid integer, got '5'"),
        ("nats: {url: 'http://x'}", "nats.url: expected a URL like nats://host:port"),
        ("redis: {}", "redis.url: a value is required"),
        ("routes: 5", "routes: expected a valid list, got 5"),
        (
            f"routes: [{{match: {{methods: [GET, 5]}}, {FLAGGED}}}]",
            "routes[0].match.methods[1]: expected one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE, got 5",
        ),
        (
            f"routes: [{{match: {{methods: []}}, {FLAGGED}}}]",
            "routes[0].match.methods: expected at least one method, got none; leave the field out for all",
        ),
        (
            f"routes: [{{match: {{host: 'a:80'}}, {FLAGGED}}}]",
            "routes[0].match.host: expected a host name without a port, *.suffix or *, got 'a:80'",
        ),
        (
            f"routes: [{{match: {{path_prefix: a}}, {FLAGGED}}}]",
            "routes[0].match.path_prefix: expected a path like /checkout, got 'a'",
        ),
        ("routes: [{upstream: 'http://a/x'}]", f"routes[0].upstream: {URL_RULE}, got 'http://a/x'"),
        ("routes: [{upstream: 'ftp://a'}]", f"routes[0].upstream: {URL_RULE}, got 'ftp://a'"),
        ("routes: [{upstream: 'http://a:99999'}]", f"routes[0].upstream: {URL_RULE}, got 'http://a:99999'"),
        (
            "routes: [{flag: f}]",
            "routes[0]: expected either upstream, or flag with feature and fallback, but there is no feature and no "
            "fallback",
        ),
        ("routes: [{}]", "routes[0]: expected either upstream, or flag with feature and fallback, but there is no "
         "upstream and no flag"),
        (
            f"routes: [{{upstream: 'http://a', {FLAGGED}}}]",
            "routes[0]: expected either upstream, or flag with feature and fallback, got upstream and fallback",
        ),
        (
            "routes: [{flag: f, feature: 'http://a', fallback: {status: 99}}]",
            "routes[0].fallback.status: expected greater than or equal to 200, got 99",
        ),
        ("routes: [{flag: f, feature: 'http://a', fallback: 5}]", f"routes[0].fallback: {URL_RULE}, got 5"),
        (
            f"routes: [{{{FLAGGED}, targeting_key: {{header: a, cookie: b}}}}]",
            "routes[0].targeting_key: expected exactly one of header, cookie and query, with a name",
        ),
        (
            f"routes: [{{{FLAGGED}, attributes: {{c: {{query: 'a b'}}}}}}]",
            "routes[0].attributes.c.query: expected a name without spaces, got 'a b'",
        ),
        (f"routes: [{{{FLAGGED}, retry_on_fallback: yes}}]", "routes[0].retry_on_fallback: expected 'never' or "
         "'idempotent', got True"),
        (f"routes: [{{{FLAGGED}, timeout_ms: 0}}]", "routes[0].timeout_ms: expected greater than or equal to 1, got 0"),
    ],
)  # fmt: skip # pairs of a mistake and its sentence
def test_a_mistake_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    assert refusal(tmp_path / "sidecar.yaml", text) == sentence


def test_two_mistakes_are_both_named(tmp_path: Path) -> None:
    path = tmp_path / "sidecar.yaml"
    assert refusal(path, "app: 5\nx: 1") == f"app: expected a valid string, got 5; {path}: x: unknown field"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(StartError, match=rf"^{path}: cannot be read \("):
            read_config_file(path)
    (tmp_path / "latin.yaml").write_bytes(b"app: \xe9")
    with pytest.raises(StartError, match="expected text in UTF-8"):
        read_config_file(tmp_path / "latin.yaml")


def outcome(path: Path) -> str:
    try:
        return repr(read_config_file(path).app)
    except StartError as error:
        return str(error)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "replace"))
    assert "\n" not in outcome(path)
