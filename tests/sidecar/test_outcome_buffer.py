"""Counts in memory: none is lost within five minutes, none is counted twice."""

from hypothesis import given
from hypothesis import strategies as st

from tailslide_sidecar.outcome_buffer import KEEP_S, SLOT_S, OutcomeBuffer

keys = st.tuples(st.sampled_from(["f", "g"]), st.sampled_from(["success", "failure"]))
steps = st.lists(st.tuples(st.lists(keys, max_size=4), st.floats(0, 3)), max_size=20)


def drain(buffer: OutcomeBuffer) -> list[tuple[float, int]]:
    """Take all slots as they would be written."""
    found = []
    while (slot := buffer.oldest()) is not None:
        found.append((slot.at_s, sum(slot.counts.values())))
        buffer.written(slot, {})
    return found


def test_take_gives_what_was_counted_since_the_last_time() -> None:
    buffer = OutcomeBuffer()
    buffer.add("f", "success")
    buffer.add("f", "success", 2)
    assert buffer.take() == {("f", "success"): 3}
    assert buffer.take() == {}


@given(steps)
def test_an_outage_keeps_every_count_in_its_second_and_in_order(
    flushes: list[tuple[list[tuple[str, str]], float]],
) -> None:
    buffer, now_s, counted = OutcomeBuffer(), 100.0, []
    for added, pause_s in flushes:
        now_s += pause_s
        for flag, metric in added:
            buffer.add(flag, metric)
            counted.append(now_s)
        buffer.keep(buffer.take(), now_s)
    assert buffer.waiting == len(counted)

    slots = drain(buffer)

    assert sum(count for _, count in slots) == len(counted)
    assert [at_s for at_s, _ in slots] == sorted(at_s for at_s, _ in slots)
    for at_s, count in slots:
        assert sum(at_s <= at < at_s + SLOT_S for at in counted) == count
    assert (buffer.waiting, buffer.dropped) == (0, 0)


@given(st.integers(1, 900))
def test_only_what_is_too_old_is_dropped_and_it_is_counted(seconds: int) -> None:
    buffer = OutcomeBuffer()
    for second in range(seconds):
        buffer.add("f", "success")
        buffer.keep(buffer.take(), float(second))
    assert buffer.waiting + buffer.dropped == seconds
    assert buffer.waiting == min(seconds, KEEP_S + 1)
    oldest = buffer.oldest()
    assert oldest is not None
    assert seconds - 1 - oldest.at_s <= KEEP_S


def test_age_alone_drops_too() -> None:
    buffer = OutcomeBuffer()
    buffer.keep({("f", "success"): 7}, 0.0)
    buffer.keep({}, KEEP_S + 1)
    assert (buffer.waiting, buffer.dropped, buffer.oldest()) == (0, 7, None)


def test_a_slot_that_is_written_in_part_keeps_the_rest() -> None:
    buffer = OutcomeBuffer()
    buffer.keep({("f", "success"): 2, ("f", "failure"): 3}, 0.0)
    slot = buffer.oldest()
    assert slot is not None
    buffer.written(slot, {("f", "failure"): 3})
    assert (buffer.oldest(), buffer.waiting) == (slot, 3)
    buffer.written(slot, {})
    assert buffer.oldest() is None
