"""Reading hot requests from bytes: strictly, or not at all."""

from collections.abc import Iterator

import pytest
from flag_requests import ALL, LOCAL, NATIVE, ONE, TOKEN, USER, broken_cases, cold_cases, get, hot_cases, post
from hypothesis import given
from hypothesis import strategies as st

from tailslide_sidecar.hot_requests import MAX_KNOWN, HotHead, HotReader, HotRequest, KnownFields, Route, Unread

ETAG = '"0123456789"'


@pytest.fixture
def reader() -> HotReader:
    return HotReader(None, {}, names=LOCAL)


def of(route: Route, flag: str = "", query: str = "", if_none_match: str | None = None, length: int = 0) -> HotHead:
    return HotHead(route, flag, query, if_none_match, length)


def test_what_is_remembered_of_heads_never_changes_what_is_read() -> None:
    """Each request line of the corpus over each block of header fields: remembered, and read for the first time."""
    corpus = [case.raw for case in [*hot_cases(ETAG), *cold_cases(), *broken_cases()] if b"\r\n\r\n" in case.raw]
    lines = sorted({raw.partition(b"\r\n")[0] for raw in corpus if len(raw) < 2_000})
    fields = sorted({raw.partition(b"\r\n")[2] for raw in corpus if len(raw) < 2_000})
    assert len(lines) > 20
    assert len(fields) > 50
    known: dict[bytes, HotHead] = {}
    known_fields: KnownFields = {}
    taken = 0
    for line in lines:
        for rest in fields:
            raw = line + b"\r\n" + rest
            fresh = HotReader(None, {}, names=LOCAL).read(raw, 0)
            assert HotReader(None, known, known_fields, names=LOCAL).read(raw, 0) == fresh, raw
            taken += isinstance(fresh, HotRequest)
    assert taken > 100
    assert known_fields


@pytest.mark.parametrize(
    ("raw", "head", "body"),
    [
        (post(f"{ONE}/half"), of(Route.OFREP_ONE, "half", length=len(USER)), USER),
        (post(f"{ONE}/half", b""), of(Route.OFREP_ONE, "half"), b""),
        (post(ALL), of(Route.OFREP_ALL, length=len(USER)), USER),
        (post(ALL, b"{}", 'If-None-Match: "a"'), of(Route.OFREP_ALL, if_none_match='"a"', length=2), b"{}"),
        (get(f"{NATIVE}/a-b_9"), of(Route.NATIVE_ONE, "a-b_9"), b""),
        (get(f"{NATIVE}/f?targeting_key=u&a=%20+b"), of(Route.NATIVE_ONE, "f", "targeting_key=u&a=%20+b"), b""),
        (get(f"{NATIVE}/f?"), of(Route.NATIVE_ONE, "f"), b""),
    ],
)
def test_what_is_for_here_is_read(reader: HotReader, raw: bytes, head: HotHead, body: bytes) -> None:
    for _ in range(2):
        assert reader.read(raw, 0) == HotRequest(head, body, len(raw))
        assert reader.read(b"before" + raw + b"after", 6) == HotRequest(head, body, 6 + len(raw))


def test_the_whole_corpus_is_told_apart() -> None:
    known: dict[bytes, HotHead] = {}
    for _ in range(2):
        for case in hot_cases(ETAG):
            assert isinstance(HotReader(None, known, names=LOCAL).read(case.raw, 0), HotRequest), case.name
        for case in [*cold_cases(), *broken_cases()]:
            assert HotReader(None, known, names=LOCAL).read(case.raw, 0) is Unread.NOT_FOR_HERE, case.name


def test_what_is_cut_is_waited_for_and_never_taken() -> None:
    known: dict[bytes, HotHead] = {}
    for case in hot_cases(ETAG):
        reader = HotReader(None, known, names=LOCAL)
        head_end = case.raw.find(b"\r\n\r\n") + 4
        for cut in range(1, min(len(case.raw), 2_000)):
            found = reader.read(case.raw[:cut], 0)
            assert found is (Unread.HEAD_INCOMPLETE if cut < head_end else Unread.BODY_INCOMPLETE), (case.name, cut)
            if cut >= head_end:
                assert reader.needed == len(case.raw), case.name


@given(st.data())
def test_one_changed_byte_never_changes_where_a_request_ends_unseen(data: st.DataObject) -> None:
    """What is read has the head and the body that its own bytes announce, or it is not read."""
    raw = bytearray(post(f"{ONE}/half", USER, "User-Agent: curl/8.5.0"))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    found = HotReader(None, {}, names=LOCAL).read(bytes(raw), 0)
    if isinstance(found, HotRequest):
        head = bytes(raw[: raw.find(b"\r\n\r\n")]).lower()
        assert head.count(b"\r\ncontent-length:") == 1
        assert int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]) == found.head.content_length
        assert found.end == len(head) + 4 + found.head.content_length
        assert found.head.route is Route.OFREP_ONE
        assert f"/flags/{found.head.flag} ".encode() in head


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_not(data: bytes) -> None:
    assert isinstance(HotReader(None, {}, names=LOCAL).read(data, 0), Unread)


@pytest.mark.parametrize(
    "data",
    [b"X", b"PUT", b"POST /x", b"GET /v1/flagz", b"get", b"\r\n", b"GET /v1/flags/f HTTP/1.1\n", b"GET  /v1"],
)
def test_what_cannot_become_a_hot_request_is_let_go_at_once(reader: HotReader, data: bytes) -> None:
    assert reader.read(data, 0) is Unread.NOT_FOR_HERE


def test_heads_are_remembered_but_not_without_bound_and_no_users() -> None:
    known: dict[bytes, HotHead] = {}
    reader = HotReader(None, known, names=LOCAL)
    reader.read(get(f"{NATIVE}/f?targeting_key=u"), 0)
    assert known == {}
    for index in range(3 * MAX_KNOWN):
        reader.read(post(f"{ONE}/flag{index}"), 0)
        assert 0 < len(known) <= MAX_KNOWN


def test_what_was_read_before_is_not_read_again() -> None:
    raw, other = post(f"{ONE}/half"), of(Route.OFREP_ONE, "other", length=len(USER))
    assert HotReader(None, {raw[: -len(USER)]: other}, names=LOCAL).read(raw, 0) == HotRequest(other, USER, len(raw))


def test_what_is_not_for_here_is_not_remembered() -> None:
    known: dict[bytes, HotHead] = {}
    for case in [*cold_cases(), *broken_cases()]:
        HotReader(None, known, names=LOCAL).read(case.raw, 0)
    assert known == {}


def headers() -> Iterator[tuple[str, bool]]:
    yield f"Authorization: Bearer {TOKEN}", True
    yield f"X-API-Key: {TOKEN}", True
    yield f"Authorization: Bearer {TOKEN}x", False
    yield f"Authorization: Bearer {TOKEN[:-1]}", False
    yield f"Authorization: {TOKEN}", False
    yield f"X-API-Key: Bearer {TOKEN}", False
    yield "X-A: b", False


@pytest.mark.parametrize(("header", "let_in"), list(headers()))
def test_with_a_token_only_who_knows_it_is_for_here(header: str, let_in: bool) -> None:
    known: dict[bytes, HotHead] = {}
    for raw in (post(f"{ONE}/half", USER, header), get(f"{NATIVE}/half", header)):
        for _ in range(2):
            assert isinstance(HotReader(TOKEN.encode(), known, names=LOCAL).read(raw, 0), HotRequest) is let_in
