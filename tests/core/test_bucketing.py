import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import percentages, targeting_keys, texts

from tailslide_core.bucketing import BUCKETS, bucket_of, is_in

buckets = st.integers(0, BUCKETS - 1)
any_text = st.text(max_size=20)


def let_in(rollout: float, percentage: float = 100.0) -> int:
    """Return how many buckets are in; they are the lowest ones."""
    low, high = 0, BUCKETS
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if is_in(middle, rollout, percentage) else (low, middle)
    return low


# From the implementation in `tests/conformance`, which is written out from the algorithm's description.
@pytest.mark.parametrize(
    ("salt", "key", "bucket"), [("new-checkout", "u1", 17_168), ("new-checkout", "u2", 99_325), ("", "", 37_430)]
)
def test_a_user_has_the_bucket_of_the_hash(salt: str, key: str, bucket: int) -> None:
    assert bucket_of(salt, key) == bucket


@given(any_text, any_text)
def test_a_bucket_is_stable_and_in_range(salt: str, key: str) -> None:
    assert 0 <= bucket_of(salt, key) < BUCKETS
    assert bucket_of(salt, key) == bucket_of(str(salt), str(key))


@pytest.mark.parametrize("key", ["\ud800", "a\udfffb", "\udcff" * 50])
def test_a_lone_surrogate_is_hashed_as_a_question_mark(key: str) -> None:
    replaced = "".join("?" if "\ud800" <= letter <= "\udfff" else letter for letter in key)
    assert bucket_of("salt", key) == bucket_of("salt", replaced)


def test_a_key_of_a_megabyte_has_a_bucket() -> None:
    assert 0 <= bucket_of("salt", "x" * 1_000_000) < BUCKETS


def test_buckets_are_even() -> None:
    counts = [0] * 10
    for user in range(20_000):
        counts[bucket_of("new-checkout", f"user-{user}") * 10 // BUCKETS] += 1
    # 2,000 expected in each, with a standard deviation of 42.
    assert max(abs(count - 2_000) for count in counts) < 200


def test_two_salts_choose_users_independently() -> None:
    users = [f"user-{n}" for n in range(20_000)]
    both = sum(is_in(bucket_of("a", user), 50, 100) and is_in(bucket_of("b", user), 50, 100) for user in users)
    assert abs(both - 5_000) < 300


@given(buckets, percentages, percentages, percentages, percentages)
def test_who_is_in_stays_in_at_every_larger_rollout_and_percentage(
    bucket: int, rollout: float, larger: float, percentage: float, more: float
) -> None:
    if is_in(bucket, min(rollout, larger), min(percentage, more)):
        assert is_in(bucket, max(rollout, larger), max(percentage, more))


@given(texts, targeting_keys, percentages)
def test_none_at_zero_and_all_at_one_hundred(salt: str, key: str, other: float) -> None:
    bucket = bucket_of(salt, key)
    assert not is_in(bucket, 0, other)
    assert not is_in(bucket, other, 0)
    assert is_in(bucket, 100, 100)


@pytest.mark.parametrize(
    ("rollout", "percentage", "count"),
    [
        (0, 100, 0),
        (0.001, 100, 1),
        (0.007, 100, 7),  # as floats: 7.000000000000001
        (0.0005, 100, 1),  # a threshold of half a bucket lets bucket 0 in
        (33.3, 100, 33_300),
        (33.3, 10, 3_330),
        (0.1, 12, 12),
        (99.999, 100, 99_999),
        (100, 99.999, 99_999),
        (100, 100, 100_000),
        (50, 50, 25_000),
        (0.001, 10, 1),
        (0.001, 0.001, 1),
        (100, 33.333, 33_333),
    ],
)
def test_so_many_buckets_are_in(rollout: float, percentage: float, count: int) -> None:
    assert let_in(rollout, percentage) == count


@pytest.mark.parametrize("step", [1, 7, 101])
def test_every_thousandth_of_a_percent_is_one_bucket_more(step: int) -> None:
    for thousandths in range(0, BUCKETS, step * 10 + 1):
        assert let_in(thousandths / 1000) == thousandths


def test_decimal_arithmetic_decides_every_recovery_step() -> None:
    tenths = range(1, 1001, 13)
    for rollout, percentage in itertools.product(tenths, tenths):
        exact = Fraction(rollout, 10) * Fraction(percentage, 10) / 100 * 1000
        expected = -(-exact.numerator // exact.denominator)  # bucket < exact: rounded up
        assert let_in(rollout / 10, percentage / 10) == expected
