"""Who does what, without asking: each of several workers works out the same division of the apps among them.

Highest random weight: an app belongs to the worker whose weight for it is highest. When a worker comes or goes, only
its own apps change hands. Source: D. G. Thaler, C. V. Ravishankar, "A Name-Based Mapping Scheme for Rendezvous",
University of Michigan CSE-TR-316-96 (1996).
"""

from collections.abc import Collection

import mmh3


def owner_of(app: str, workers: Collection[str]) -> str | None:
    """Return which of `workers` (their ids) an app belongs to; None when there are none.

    The weight is the first 64 bits of MurmurHash3 x64 128-bit of `<worker>:<app>` in UTF-8, seed 0.
    """
    return max(workers, key=lambda worker: (_weight(worker, app), worker), default=None)


def _weight(worker: str, app: str) -> int:
    return int(mmh3.hash64(f"{worker}:{app}".encode(), 0, signed=False)[0])
