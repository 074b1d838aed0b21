"""Which users are in a rollout: a stable number for each, compared with a threshold."""

import mmh3

BUCKETS = 100_000
"""Resolution of a rollout: 0.001 %."""

_FLOAT_SLACK = 1e-6
"""Far above the error of the product of two percentages (2e-11), far below the width of a bucket."""


def bucket_of(salt: str, targeting_key: str) -> int:
    """Return the bucket, 0 to 99,999, of a user: MurmurHash3 x86 32-bit of `<salt>:<targeting key>` in UTF-8, seed 0.

    Text that UTF-8 cannot write (a lone surrogate) is hashed with `?` in its place.
    """
    return int(mmh3.hash(f"{salt}:{targeting_key}".encode("utf-8", "replace"), 0, signed=False)) % BUCKETS


def limit_of(rollout: float, percentage: float) -> float:
    """Return the bound below which buckets are in, at a rollout of `rollout` % of which `percentage` % are let back in.

    Both are 0 to 100. Decides as decimal arithmetic would (0.007% is 7 buckets, though as a float it is a little more),
    so that every language decides alike.
    """
    return rollout * percentage * (BUCKETS / 10_000) - _FLOAT_SLACK


def is_in(bucket: int, rollout: float, percentage: float) -> bool:
    """Whether a bucket is let in.

    Monotone in both percentages: who is in stays in at every larger rollout and percentage. 0 is nobody and 100% of
    100% is everybody.
    """
    return bucket < limit_of(rollout, percentage)
