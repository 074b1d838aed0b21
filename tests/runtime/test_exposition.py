"""What Prometheus reads of any process."""

from importlib.metadata import version

from prometheus_client import Counter, Histogram

from tailslide_runtime.exposition import exposition, new_registry


def test_a_process_says_what_it_is_and_what_it_uses() -> None:
    text = exposition(new_registry("sidecar", app="clinic")).decode()
    assert f'\ntailslide_sidecar_info{{app="clinic",version="{version("tailslide-platform")}"}} 1.0\n' in text
    assert "\nprocess_resident_memory_bytes " in text


def test_there_is_no_noise_of_when_a_counter_was_made() -> None:
    registry = new_registry("tower")
    Counter("tailslide_tower_things", "Things.", ["kind"], registry=registry).labels("big").inc()
    Histogram("tailslide_tower_thing_seconds", "Times.", registry=registry).observe(1)
    text = exposition(registry).decode()
    assert '\ntailslide_tower_things_total{kind="big"} 1.0\n' in text
    assert "_created" not in text


def test_two_registries_share_nothing() -> None:
    one, other = new_registry("tower"), new_registry("tower")
    Counter("tailslide_tower_things", "Things.", registry=one).inc()
    assert b"tailslide_tower_things_total 1.0" in exposition(one)
    assert b"tailslide_tower_things" not in exposition(other)
