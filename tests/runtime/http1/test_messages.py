"""The end of a message."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tailslide_runtime.http1.messages import END, End, Framing, joined


def test_most_messages_end_without_trailers() -> None:
    assert END.trailers == []
    assert End([b"X-Sum: 1"]).trailers == [b"X-Sum: 1"]


def test_there_is_one_way_to_end_that_is_no_framing() -> None:
    assert [framing.name for framing in Framing] == ["NONE", "LENGTH", "CHUNKED", "UNTIL_CLOSE"]


@given(st.lists(st.one_of(st.binary(max_size=3), st.just(END)), max_size=40))
def test_joined_parts_say_the_same_in_as_few_as_there_can_be(events: list[bytes | End]) -> None:
    found = joined(events)
    assert [event for event in found if event is END] == [event for event in events if event is END]
    assert not any(isinstance(a, bytes) and isinstance(b, bytes) for a, b in pairwise(found))
    assert b"".join(event if isinstance(event, bytes) else b"|" for event in found) == b"".join(
        event if isinstance(event, bytes) else b"|" for event in events
    )
