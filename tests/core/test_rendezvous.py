"""Who an app belongs to."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from strategies import wire_keys

from tailslide_core.rendezvous import owner_of

APPS = [f"app-{number}" for number in range(1_000)]


def test_nobody_owns_anything_when_nobody_works() -> None:
    assert owner_of("checkout", []) is None


def test_one_worker_owns_everything() -> None:
    assert {owner_of(app, ["a"]) for app in APPS} == {"a"}


def test_it_never_changes() -> None:
    """Aerobats of different versions have to agree."""
    workers = ["host-1a2b3c", "host-4d5e6f", "pod-7"]
    apps = ["checkout", "search", "clinic", "a", "b", "c"]
    assert [owner_of(app, workers) for app in apps] == [
        "host-4d5e6f",
        "host-1a2b3c",
        "host-4d5e6f",
        "host-4d5e6f",
        "host-1a2b3c",
        "host-4d5e6f",
    ]


def test_the_apps_are_divided_evenly() -> None:
    shares = Counter(owner_of(app, ["a", "b", "c", "d"]) for app in APPS)
    assert all(200 < share < 300 for share in shares.values())


@given(wire_keys, st.lists(wire_keys, min_size=1, max_size=6, unique=True), wire_keys)
def test_who_comes_or_goes_moves_only_its_own_apps(app: str, workers: list[str], other: str) -> None:
    before = owner_of(app, workers)
    after = owner_of(app, [*workers, other])
    assert after in {before, other}
    assert owner_of(app, list(reversed(workers))) == before
