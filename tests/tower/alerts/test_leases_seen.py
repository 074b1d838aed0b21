"""What Tower sees of Aerobats' leases."""

from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_tower.alerts.leases_seen import LeasesSeen


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lease_that_is_renewed_is_heard_and_a_listing_or_a_release_is_not() -> None:
    clock = Clock()
    leases = LeasesSeen(clock)
    clock.now += 10
    leases.take(Listing({"aerobat.a": Entry("aerobat.a", b"{}", 1)}))
    leases.take(Entry("aerobat.a", None, 2))
    leases.take(Entry("something.else", b"{}", 3))
    assert leases.silent_for_s() == 10
    leases.take(Entry("aerobat.a", b"{}", 4))
    assert leases.silent_for_s() == 0
