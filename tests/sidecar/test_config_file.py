"""Every mistake in the file is one sentence with the path of the field."""

import re
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from permissions import change_permissions

from tailslide_runtime.errors import StartError
from tailslide_runtime.server_urls import NatsUrl
from tailslide_sidecar.config_file import LimitsPart, read_config_file
from tailslide_sidecar.proxy.limits import ProxyLimits, ProxyOptions
from tailslide_sidecar.proxy.routes import ForwardHost
from tailslide_sidecar.yaml_file import stamp_of

NETWORK_RULE = "expected an address or a network like 10.0.0.0/8"
FORWARD_RULE = "expected host, host:port, *.suffix or *.suffix:port, never all hosts"
KEY_RULE = "expected 1 to 63 characters of a-z, 0-9, '-' and '_', the first a letter or a digit"


def refusal(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(StartError) as error:
        read_config_file(path)
    sentence = str(error.value)
    assert "\n" not in sentence
    # Of these files, all of which are short, every field is on the first line.
    return re.sub(r"^line 1: ", "", sentence.removeprefix(f"{path}:").strip())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("app: 5", "app: expected a valid string, got 5"),
        ("app: Checkout", f"app: {KEY_RULE}, got \"Checkout\""),
        ("ap: x", "ap: unknown field"),
        ("[a]", "expected settings as `name: value`, got [\"a\"]"),
        ("a: [", "line 1, column 5: expected YAML, but expected the node content, but found '<stream end>'"),
        ("app: a\napp: b", "line 2, column 1: expected YAML, but \"app\" is there twice"),
        ("flags_listen: 4141", "flags_listen: expected host:port, got 4141"),
        ("flush_interval_ms: '5'", "flush_interval_ms: expected a valid integer, got \"5\""),
        ("nats: {url: 'http://x'}", f"nats.url: {NatsUrl.expected}, but the scheme is none of nats, tls, ws, wss"),
        ("redis: {}", "redis: expected one of ca_file, cert_file, key_file, url, got none"),
        ("routes: 5", "routes: expected a valid list, got 5"),
        ("routes: [{upstream: 'http://a', max_calls: 0}]", "routes[0].max_calls: expected greater than or equal to 1, "
         "got 0"),
        ("a: 2026-13-01", 'line 1, column 4: expected YAML, but "2026-13-01" cannot be read as timestamp'),
        ("a: " + "[" * 3_000, "expected settings, but they are nested too deeply"),
        ("trusted_peers: 10.0.0.0/8", "trusted_peers: expected a valid list, got \"10.0.0.0/8\""),
        ("trusted_peers: ['::1', 10.0.0.1/8]", f"trusted_peers[1]: {NETWORK_RULE}, got \"10.0.0.1/8\""),
        ("trusted_peers: [7]", f"trusted_peers[0]: {NETWORK_RULE}, got 7"),
        ("forward_allow: ['*']", f"forward_allow[0]: {FORWARD_RULE}, got \"*\""),
        ("forward_allow: ['*:80']", f"forward_allow[0]: {FORWARD_RULE}, got \"*:80\""),
        ("forward_allow: ['a.*']", f"forward_allow[0]: {FORWARD_RULE}, got \"a.*\""),
        ("forward_allow: ['a:0']", f"forward_allow[0]: {FORWARD_RULE}, got \"a:0\""),
        ("forward_allow: ['a:65536']", f"forward_allow[0]: {FORWARD_RULE}, got \"a:65536\""),
        ("forward_allow: ['http://a']", f"forward_allow[0]: {FORWARD_RULE}, got \"http://a\""),
        ("forward_allow: ['::1']", f"forward_allow[0]: {FORWARD_RULE}, got \"::1\""),
        ("forward_allow: ['[:::]']", f"forward_allow[0]: {FORWARD_RULE}, got \"[:::]\""),
        ("answer_header: 1", "answer_header: expected a valid boolean, got 1"),
        ("access_log: {sample_percent: 101}", "access_log.sample_percent: expected less than or equal to 100, got 101"),
        ("access_log: {sample: 1}", "access_log.sample: unknown field"),
        ("limits: {max_headers: 1}", "limits.max_headers: expected greater than or equal to 10, got 1"),
        ("limits: {drain_ms: null}", "limits.drain_ms: expected a valid integer, got null"),
        ("limits: {max_conections: 5}", "limits.max_conections: unknown field"),
        (
            "limits: {max_connections: 10, max_connections_per_peer: 11}",
            "limits: expected a max_connections_per_peer of at most max_connections (10), got 11",
        ),
    ],
)  # fmt: skip # pairs of a mistake and its sentence
def test_a_mistake_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    assert refusal(tmp_path / "sidecar.yaml", text) == sentence


def test_two_mistakes_are_both_named(tmp_path: Path) -> None:
    path = tmp_path / "sidecar.yaml"
    assert refusal(path, "app: 5\nx: 1") == f"app: expected a valid string, got 5; {path}: line 2: x: unknown field"


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


def test_the_proxy_s_settings(tmp_path: Path) -> None:
    path = tmp_path / "sidecar.yaml"
    path.write_text(
        """
        trusted_peers: [10.0.0.0/8, "fd00::/8", 192.168.0.7]
        forward_allow: [Pay.example, pay.example:8443, "*.inner", "[::1]:81"]
        answer_header: false
        access_log: {sample_percent: 25, failures: false}
        limits: {max_headers: 50, max_connections_per_peer: 20, drain_ms: 0}
        """
    )
    file = read_config_file(path)
    assert file.proxy_options() == ProxyOptions(
        ProxyLimits(max_headers=50, max_connections_per_peer=20, drain_ms=0),
        (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("192.168.0.7/32")),
        answer_header=False,
        access_log_sample=0.25,
        access_log_failures=False,
    )
    assert file.forward_allow == [
        ForwardHost("pay.example"),
        ForwardHost("pay.example", 8443),
        ForwardHost("*.inner"),
        ForwardHost("::1", 81),
    ]


def test_an_empty_file_leaves_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "sidecar.yaml"
    path.write_text("")
    assert read_config_file(path).proxy_options() == ProxyOptions()


def test_each_limit_can_be_written() -> None:
    assert list(LimitsPart.model_fields) == [field.name for field in fields(ProxyLimits)]


def test_a_stamp_tells_contents_apart(tmp_path: Path) -> None:
    path, other, link = tmp_path / "a", tmp_path / "b", tmp_path / "link"
    assert stamp_of(path) is None
    path.write_text("same")
    other.write_text("same")
    link.symlink_to(path)
    before = stamp_of(link)
    assert before == stamp_of(path) is not None
    link.unlink()
    link.symlink_to(other)
    assert stamp_of(link) != before


def test_a_stamp_tells_of_a_change_of_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("a: 1")
    before = stamp_of(path)
    change_permissions(path, 0o600)
    assert stamp_of(path) != before
