"""What becomes of a head on its way through the proxy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from tailslide_sidecar.forwarding import (
    HOP_BY_HOP,
    Target,
    asks_for_websocket,
    end_to_end,
    read_target,
    request_headers,
)

tokens = st.text("abcdefgh-", min_size=1, max_size=12)
values = st.binary(max_size=20).filter(lambda value: not set(value) & {0, 10, 13})
HERE = Target("/", "")


@pytest.mark.parametrize(
    ("target", "origin", "host"),
    [
        ("/a/%2f?b=c&?", "/a/%2f?b=c&?", ""),
        ("//host/x", "//host/x", ""),
        ("*", "*", ""),
        ("http://Shop.example:80/x?y", "/x?y", "Shop.example:80"),
        ("HTTP://user:secret@shop.example/x", "/x", "shop.example"),
        ("http://shop.example", "/", "shop.example"),
        ("http://shop.example?y", "/?y", "shop.example"),
    ],
)
def test_target(target: str, origin: str, host: str) -> None:
    assert read_target(target) == Target(origin, host)


def test_path_and_query_of_a_target() -> None:
    assert (Target("/a?b?c", "").path, Target("/a?b?c", "").query) == ("/a", "b?c")
    assert (Target("/a", "").path, Target("/a", "").query) == ("/a", "")


@given(st.lists(st.tuples(tokens, values)), st.lists(tokens, max_size=3))
def test_all_goes_on_but_what_is_for_this_hop(pairs: list[tuple[str, bytes]], named: list[str]) -> None:
    sent = [(name.encode(), value) for name, value in pairs] + [(b"Connection", ", ".join(named).encode())]
    kept = end_to_end(sent)
    assert not {name.lower() for name in kept} & (HOP_BY_HOP | set(named))
    assert [name for name, _ in kept.items()] == [name for name, _ in pairs if name not in HOP_BY_HOP | set(named)]
    for name, value in kept.items():
        assert (name.encode(), value.encode()) in sent or (name.encode(), value.encode("latin-1")) in sent


def test_headers_keep_their_number_order_and_letters() -> None:
    sent = [(b"Set-Cookie", b"a=1"), (b"ETag", b'"x"'), (b"set-cookie", b"b=2")]
    assert list(end_to_end(sent).items()) == [("Set-Cookie", "a=1"), ("ETag", '"x"'), ("set-cookie", "b=2")]


def test_connection_cannot_take_away_what_says_where_a_message_goes() -> None:
    sent = [
        (b"Host", b"h"),
        (b"Content-Length", b"3"),
        (b"Connection", b"host, content-length, x-mine"),
        (b"X-Mine", b""),
    ]
    assert list(end_to_end(sent)) == ["Host", "Content-Length"]


def test_a_request_says_whom_it_is_for() -> None:
    sent = [(b"Host", b"shop"), (b"X-Forwarded-For", b"1.1.1.1"), (b"Via", b"1.0 a"), (b"Expect", b"100-continue")]
    assert dict(request_headers(sent, HERE, "2.2.2.2", "http")) == {
        "Host": "shop",
        "X-Forwarded-For": "1.1.1.1, 2.2.2.2",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "shop",
        "Via": "1.0 a, 1.1 tailslide",
    }


def test_what_an_earlier_proxy_said_stays() -> None:
    sent = [(b"Host", b"inner"), (b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Host", b"outer")]
    headers = request_headers(sent, HERE, None, "http")
    assert (headers["X-Forwarded-Proto"], headers["X-Forwarded-Host"]) == ("https", "outer")
    assert "X-Forwarded-For" not in headers


def test_the_host_of_an_absolute_target_goes_over_the_header() -> None:
    assert request_headers([(b"Host", b"other")], Target("/", "shop"), None, "http").getall("Host") == ["shop"]


@pytest.mark.parametrize(
    ("upgrade", "connection", "asks"),
    [("websocket", "keep-alive, Upgrade", True), ("WebSocket", "upgrade", True), ("h2c", "upgrade", False)],
)
def test_websocket(upgrade: str, connection: str, asks: bool) -> None:
    assert asks_for_websocket(CIMultiDict({"Upgrade": upgrade, "Connection": connection})) == asks
    assert not asks_for_websocket(CIMultiDict({"Upgrade": upgrade}))
