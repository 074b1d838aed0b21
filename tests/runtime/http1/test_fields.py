"""Header fields: found in any case, cut out whole, and never mistaken for their values."""

import pytest
from hypothesis import given
from proxy_strategies import field_lines

from tailslide_runtime.http1.fields import (
    AUTHORITY,
    Kind,
    block_of,
    cut,
    cut_answer,
    first_value,
    has_date,
    options,
    special_field,
    trailer_lines,
    values,
    without,
)

_KNOWN = [(b"Host", [b"h"]), (b"content-length", [b"5"]), (b"X_Forwarded-For", [b"x"]), (b"Date", [b"d"])]


@given(field_lines(_KNOWN))
def test_a_block_is_cut_without_loss(lines: list[bytes]) -> None:
    block = b"".join(b"\r\n" + line for line in lines)
    for pieces in (cut(block), cut_answer(block)):
        assert b"".join(pieces) == block
        for line in pieces[1::2]:
            assert line.startswith(b"\r\n")
            assert line[2:] in lines


@given(field_lines(_KNOWN))
def test_values_are_found_by_name_in_any_case(lines: list[bytes]) -> None:
    block = b"".join(b"\r\n" + line for line in lines)
    pairs = [
        (name.lower().decode(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)
    ]
    for name in {name for name, _ in pairs} | {"x-none"}:
        wanted = [value for found, value in pairs if found == name]
        assert values(block, name) == wanted
        assert first_value(block, name) == (wanted[0] if wanted else None)
    assert has_date(block) == any(name == "date" for name, _ in pairs)


@pytest.mark.parametrize(
    ("line", "kind", "value"),
    [
        (b"Host: h", Kind.HOST, b"h"),
        (b"hOST:\t h \t", Kind.HOST, b"h"),
        (b"CONTENT-LENGTH:5", Kind.CONTENT_LENGTH, b"5"),
        (b"Transfer-Encoding: chunked", Kind.TRANSFER_ENCODING, b"chunked"),
        (b"X-Forwarded-For: a", Kind.FORWARDED, b"a"),
        (b"X_Forwarded_For: a", Kind.DROPPED, b"a"),
        (b"X-Forwarded_For: a", Kind.DROPPED, b"a"),
        (b"Transfer_Encoding: chunked", Kind.DROPPED, b"chunked"),
        (b"Proxy-Connection: close", Kind.DROPPED, b"close"),
        (b"x-tailslide: y", Kind.OURS, b"y"),
    ],
)
def test_special_fields(line: bytes, kind: Kind, value: bytes) -> None:
    whole = [b"\r\nX-A: Host: x", b"\r\n" + line, b"\r\nB: 1"]
    found = cut_answer(b"".join(whole)) if kind is Kind.OURS else cut(b"".join(whole))
    assert found == whole
    for _ in range(2):  # what was read once is kept
        assert special_field(found[1])[::2] == (kind, value)


def test_requests_and_answers_have_different_special_fields() -> None:
    assert len(cut(b"\r\nX-Tailslide: y")) == 1
    for name in (b"Host", b"TE", b"Expect", b"X-Forwarded-For", b"Max-Forwards"):
        assert len(cut_answer(b"\r\n" + name + b": y")) == 1


@pytest.mark.parametrize("line", [b"X-Host: h", b"Hosts: h", b"X: Host: h", b"Accept: Connection: close", b"X-Via: y"])
def test_ordinary_fields(line: bytes) -> None:
    assert cut(b"\r\n" + line) == [b"\r\n" + line]


def test_blocks_are_made_of_names_and_values() -> None:
    assert block_of([(b"A", b"1"), (b"b", b"")]) == b"\r\nA: 1\r\nb: "


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"close", [b"close"]),
        (b" A ,b,, c\t", [b"a", b"b", b"c"]),
        (b"", []),
        (b",,", []),
        (b"x;q=1, y", [b"x;q=1", b"y"]),
    ],
)
def test_lists(value: bytes, found: list[bytes]) -> None:
    assert options(value) == found


def test_fields_that_are_named_away_go_but_for_those_that_make_the_message() -> None:
    block = b"\r\nX-A: 1\r\nCookie: c\r\nx-a:2\r\nX-AB: 3\r\nContent-Length: 5"
    assert without(block, {b"x-a", b"cookie", b"content-length"}) == b"\r\nCookie: c\r\nX-AB: 3\r\nContent-Length: 5"
    assert without(block, {b"content-length"}, always=True) == b"\r\nX-A: 1\r\nCookie: c\r\nx-a:2\r\nX-AB: 3"


@pytest.mark.parametrize(
    "name",
    [
        b"Host",
        b"content-length",
        b"Transfer-Encoding",
        b"Connection",
        b"TE",
        b"Trailer",
        b"Set-Cookie",
        b"Authorization",
        b"X-Forwarded-For",
        b"Content-Type",
        b"Cache-Control",
        b"Via",
        b"x-tailslide",
    ],
)
def test_a_trailer_says_nothing_of_the_message(name: bytes) -> None:
    assert trailer_lines([(name, b"x"), (b"X-Sum", b"1"), (b"Server-Timing", b"a")]) == [
        b"X-Sum: 1",
        b"Server-Timing: a",
    ]


@pytest.mark.parametrize("authority", [b"h", b"a.b:80", b"h:", b"[::1]", b"[::1]:8080", b"127.0.0.1:1", b"a_b", b"%41"])
def test_authorities(authority: bytes) -> None:
    assert AUTHORITY.fullmatch(authority)


@pytest.mark.parametrize(
    "authority",
    [b"", b":80", b"a b", b"a,b", b"u@h", b"h/", b"h?", b"h#", b"[::1", b"::1", b"h:x", b"h:123456", b"\xe9", b"%4"],
)
def test_what_is_no_authority(authority: bytes) -> None:
    assert AUTHORITY.fullmatch(authority) is None
