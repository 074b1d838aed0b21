"""Ready once rulesets are there, and from then on; how old they may be is said."""

from tailslide_sidecar.flag_store import Origin
from tailslide_sidecar.readiness import Readiness, problem_of, readiness


def test_not_before_rulesets_are_loaded() -> None:
    assert readiness(None, connected=True, silent_for_s=0, snapshot_age_s=None) is None


def test_age_is_the_time_without_a_word_of_nats() -> None:
    assert readiness(Origin.JETSTREAM, connected=True, silent_for_s=0.25, snapshot_age_s=9) == Readiness(
        Origin.JETSTREAM, 250, True
    )
    assert readiness(Origin.JETSTREAM, connected=False, silent_for_s=1.5, snapshot_age_s=None) == Readiness(
        Origin.JETSTREAM, 1500, False
    )


def test_age_is_that_of_the_snapshot_that_all_came_from() -> None:
    assert readiness(Origin.SNAPSHOT, connected=True, silent_for_s=0, snapshot_age_s=60) == Readiness(
        Origin.SNAPSHOT, 60_000, True
    )
    # A clock that was set back makes no snapshot younger than new.
    assert readiness(Origin.SNAPSHOT, connected=False, silent_for_s=0, snapshot_age_s=-5) == Readiness(
        Origin.SNAPSHOT, 0, False
    )


def test_only_an_app_that_was_never_published_is_a_problem() -> None:
    assert problem_of("shop", None) is None
    assert problem_of("shop", True) is None
    assert problem_of("shop", False) == (
        "Tower has never published the app shop: create it in Tower, or correct app in the sidecar's file"
    )


def test_of_a_flags_file_age_is_the_time_since_it_was_good() -> None:
    broken = readiness(Origin.FILE, connected=False, silent_for_s=7, snapshot_age_s=None, problem="line 3: …")
    assert broken == Readiness(Origin.FILE, 7_000, False, None, "line 3: …")
