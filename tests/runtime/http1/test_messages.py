"""The end of a message."""

from tailslide_runtime.http1.messages import END, End, Framing


def test_most_messages_end_without_trailers() -> None:
    assert END.trailers == []
    assert End([b"X-Sum: 1"]).trailers == [b"X-Sum: 1"]


def test_there_is_one_way_to_end_that_is_no_framing() -> None:
    assert [framing.name for framing in Framing] == ["NONE", "LENGTH", "CHUNKED", "UNTIL_CLOSE"]
