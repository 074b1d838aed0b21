"""An answer on the wire."""

import pytest

from tailslide_sidecar.replies import Reply


@pytest.mark.parametrize(
    ("reply", "wire"),
    [
        (
            Reply(200, b"{}"),
            "HTTP/1.1 200 OK|Content-Type: application/json|Content-Length: 2|Date: now|Server: tailslide||{}",
        ),
        (
            Reply(404, "é".encode(), (("ETag", '"1"'),)),
            'HTTP/1.1 404 Not Found|ETag: "1"|Content-Type: application/json|Content-Length: 2|Date: now'
            "|Server: tailslide||é",
        ),
        (
            Reply(304, b"", (("ETag", '"1"'),)),
            'HTTP/1.1 304 Not Modified|ETag: "1"|Date: now|Server: tailslide||',
        ),
    ],
    ids=["200", "404", "304"],
)
def test_the_bytes_of_an_answer(reply: Reply, wire: str) -> None:
    assert (reply.before_date + b"now" + reply.after_date).decode() == wire.replace("|", "\r\n")


def test_answers_are_equal_when_they_say_the_same() -> None:
    assert Reply(200, b"{}") == Reply(200, b"{}")
    assert Reply(200, b"{}") != Reply(200, b"{}", (("ETag", "a"),))
