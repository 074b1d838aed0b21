"""Which heads are plain: valid without a doubt, with nothing special in them. How they are read is in test_requests."""

import pytest

from tailslide_runtime.http1 import plain

PLAIN_REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"DELETE /a/../b%2f?x=%20&y HTTP/1.1\r\nhost: h:80\r\nX-A: \r\nX-B:\tb\t\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive\r\ncontent-length: 18\r\nCookie: a=b; c=\xe9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nHosting: x\r\nTea: y\r\nVia-Else: z\r\nX-Forwarded-Port: 1\r\nDate: now\r\n\r\n",
]
NOT_PLAIN_REQUESTS = [
    b"GET / HTTP/1.0\r\nHost: h\r\n\r\n",
    b"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /\x80 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"FOO / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nX-A: b\r\nHost: h\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h, i\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nTRANSFER_ENCODING: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nX-A : b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\n X-A: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nX-A: b\rc\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nX-A: b\nX-B: c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nX-A: b\0c\r\n\r\n",
    b"GET / HTTP/1.1\nHost: h\n\n",
    *(
        b"GET / HTTP/1.1\r\nHost: h\r\n%b: x\r\n\r\n" % name
        for name in (b"Via", b"TE", b"eXpect", b"Upgrade", b"Forwarded", b"X-Forwarded-For", b"x_forwarded_host")
    ),
]


@pytest.mark.parametrize("head", PLAIN_REQUESTS)
def test_plain_requests(head: bytes) -> None:
    match = plain.REQUEST.match(head)
    assert match is not None
    assert match.end() == len(head)


@pytest.mark.parametrize("head", NOT_PLAIN_REQUESTS)
def test_all_other_requests(head: bytes) -> None:
    assert plain.REQUEST.match(head) is None


def test_two_lengths_are_both_told() -> None:
    match = plain.REQUEST.match(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
    assert match is None or (match[6] is not None and match[8] is not None)


@pytest.mark.parametrize(
    ("head", "is_plain"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", True),
        (b"HTTP/1.1 200 \r\n\r\n", True),
        (b"HTTP/1.1 599 Odd\xe9\r\nHost: x\r\nDate: now\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nX-Tailslide: active=true\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nX-A: b\n\r\n\r\n", False),
    ],
)
def test_answers(head: bytes, is_plain: bool) -> None:
    assert (plain.ANSWER.match(head) is not None) is is_plain
