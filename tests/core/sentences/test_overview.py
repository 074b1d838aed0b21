import pytest

from tailslide_core.naming import FlagId
from tailslide_core.sentences.overview import LastTrip, overview_in_words

NOW_MS = 1_795_363_190_302
FLAG = FlagId("checkout", "new-checkout")
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("is_open", "recovering", "held_off", "expected"),
    [
        (1, 0, 0, "1 circuit is open."),
        (2, 1, 0, "2 circuits are open and 1 circuit is recovering."),
        (0, 0, 1, "1 flag is held off by a person."),
        (1, 2, 3, "1 circuit is open, 2 circuits are recovering and 3 flags are held off by a person."),
        (0, 0, 0, "Nothing is open. The last trip was 3 days ago: checkout.new-checkout, for 4 min."),
    ],
)
def test_what_is_open_is_counted(is_open: int, recovering: int, held_off: int, expected: str) -> None:
    last = LastTrip(FLAG, NOW_MS - 3 * DAY_MS, NOW_MS - 3 * DAY_MS + 250_000)
    words = overview_in_words(is_open=is_open, recovering=recovering, held_off=held_off, last=last)
    assert words.text(NOW_MS) == expected


def test_a_trip_of_which_the_end_is_not_known_has_no_length() -> None:
    words = overview_in_words(is_open=0, recovering=0, held_off=0, last=LastTrip(FLAG, NOW_MS - 60_000))
    assert words.text(NOW_MS) == "Nothing is open. The last trip was 1 min ago: checkout.new-checkout."


def test_without_any_trip_it_says_so() -> None:
    words = overview_in_words(is_open=0, recovering=0, held_off=0, last=None)
    assert words.text(NOW_MS) == "Nothing is open. No circuit has opened as far back as the log goes."
