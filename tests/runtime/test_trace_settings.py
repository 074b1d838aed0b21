"""The URL of a collector."""

import pytest

from tailslide_runtime.tracing.settings import read_traces_url


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        (" https://otel.example.org/ ", "https://otel.example.org/v1/traces"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ("https://vendor.example/otlp/v1/traces", "https://vendor.example/otlp/v1/traces"),
    ],
)
def test_path_is_that_of_the_protocol_unless_another_is_given(given: str, read: str) -> None:
    assert read_traces_url(given) == read


@pytest.mark.parametrize(
    "given",
    [
        "127.0.0.1:4318",
        "grpc://127.0.0.1:4317",
        "http://",
        "http://host:port",
        "http://host:0",
        "http://host:99999",
        "http://user:s3cret@host",
        "http://host/?key=s3cret",
        "http://[::1",
        "http://a b:4318",
        "http://a\nb:4318",
        "http://*:4318",
        "http://a,b:4318",
        "http://ä.example",
        "http://a\\b:4318",
        "http://host/p q",
        "http://host/\0",
        4318,
        None,
    ],
)
def test_what_is_no_such_url_is_refused_without_being_told(given: object) -> None:
    with pytest.raises(ValueError, match=r"^expected the URL of a collector") as refused:
        read_traces_url(given)
    assert "s3cret" not in str(refused.value)
