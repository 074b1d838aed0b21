"""A body on its way: what is kept of it, and for how long."""

from hypothesis import given
from hypothesis import strategies as st

from tailslide_sidecar.proxy.held_body import WAITING_BYTES, HeldBody


def test_what_waits_is_kept_until_it_is_sent() -> None:
    body = HeldBody(chunked=False, repeatable=False, limit=10)
    body.add(b"first", waits=True)
    body.add(b"second and more", waits=True)
    assert body.pieces == [b"first", b"second and more"]
    body.sent()
    assert body.pieces == []
    assert body.add(b"third", waits=False) == b"third"
    assert body.pieces == []
    assert body.received == 25


def test_a_repeatable_body_is_kept_within_the_limit() -> None:
    body = HeldBody(chunked=False, repeatable=True, limit=10)
    body.add(b"12345", waits=True)
    body.sent()
    body.add(b"67890", waits=False)
    assert body.pieces == [b"12345", b"67890"]
    body.add(b"!", waits=False)
    assert (body.can_be_sent_again, body.pieces) == (False, [])


def test_beyond_the_limit_what_waits_still_waits() -> None:
    body = HeldBody(chunked=False, repeatable=True, limit=4)
    body.add(b"12345", waits=True)
    assert not body.can_be_sent_again
    assert body.pieces == [b"12345"]


def test_chunks_are_kept_as_they_go_on_the_wire() -> None:
    body = HeldBody(chunked=True, repeatable=True, limit=100)
    assert body.add(b"abc", waits=False) == b"3\r\nabc\r\n"
    assert body.end([b"X-Sum: 1"], waits=False) == b"0\r\nX-Sum: 1\r\n\r\n"
    assert b"".join(body.pieces) == b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"


def test_too_much_may_not_wait() -> None:
    body = HeldBody(chunked=False, repeatable=False, limit=0)
    body.add(bytes(WAITING_BYTES), waits=True)
    assert not body.is_too_much
    body.add(b"!", waits=True)
    assert body.is_too_much


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.booleans())), st.booleans(), st.integers(0, 100))
def test_whatever_is_kept_is_the_whole_of_it(parts: list[tuple[bytes, bool]], repeatable: bool, limit: int) -> None:
    body = HeldBody(chunked=False, repeatable=repeatable, limit=limit)
    waiting = True
    for data, connects in parts:
        body.add(data, waits=waiting)
        if connects and waiting:
            waiting = False
            body.sent()
    whole = b"".join(data for data, _ in parts)
    if waiting or body.can_be_sent_again:
        assert b"".join(body.pieces) == whole
    assert body.received == len(whole)
    assert not body.can_be_sent_again or len(whole) <= limit
