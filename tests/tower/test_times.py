from datetime import UTC, datetime, timedelta, timezone

from tailslide_tower.times import now, timestamp


def test_a_moment_is_shown_in_utc_to_the_millisecond() -> None:
    moment = datetime(2026, 11, 22, 11, 0, 0, 123_000, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(moment) == "2026-11-22T10:00:00.123Z"


def test_what_is_shown_of_now_is_all_there_is_to_it() -> None:
    moment = now()
    assert moment.tzinfo is UTC
    assert datetime.fromisoformat(timestamp(moment)) == moment
