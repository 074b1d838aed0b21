from hypothesis import given
from hypothesis import strategies as st

from tailslide_tower.auth.attempts import FailureReports, Limit, LimitedBy, LoginAttempts

HERE, THERE = "192.0.2.1", "192.0.2.2"


def test_limit_lets_a_burst_through_and_then_one_in_each_interval() -> None:
    limit = Limit(burst=3, interval_s=10.0)
    for _ in range(3):
        assert limit.wait_s("a", 100.0) == 0.0
        limit.take("a", 100.0)
    assert limit.wait_s("a", 100.0) == 10.0
    assert limit.wait_s("b", 100.0) == 0.0
    assert limit.wait_s("a", 110.0) == 0.0
    limit.take("a", 110.0)
    assert limit.wait_s("a", 115.0) == 5.0


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60))
def test_limit_never_lets_more_through_than_burst_and_rate_allow(gaps: list[float]) -> None:
    limit, now, taken = Limit(burst=3, interval_s=2.0), 0.0, 0
    for gap in gaps:
        now += gap
        if limit.wait_s("a", now) == 0.0:
            limit.take("a", now)
            taken += 1
    assert taken <= 3 + now / 2.0 + 1e-6


@given(st.integers(1, 200))
def test_whoever_waits_as_told_is_let_through(tries: int) -> None:
    limit, now = Limit(burst=2, interval_s=1.0), 0.0
    for _ in range(tries):
        now += limit.wait_s("a", now)
        assert limit.wait_s("a", now) == 0.0
        limit.take("a", now)


def test_limit_remembers_only_so_many_keys() -> None:
    limit = Limit(burst=1, interval_s=1000.0, max_keys=10)
    for number in range(100):
        limit.take(str(number), 0.0)
    assert len(limit) == 10
    limit.take("late", 5000.0)
    assert len(limit) == 1


def test_wrong_passwords_from_one_address_slow_that_address_down_alone() -> None:
    attempts = LoginAttempts()
    for _ in range(5):
        assert attempts.begin("ada", HERE, 0.0) is None
    refused = attempts.begin("ada", HERE, 0.0)
    assert refused is not None
    assert (refused.by, refused.retry_after_s) == (LimitedBy.PAIR, 60)
    assert attempts.begin("ada", THERE, 0.0) is None
    assert attempts.begin("bob", HERE, 0.0) is None
    assert attempts.begin("ada", HERE, 60.0) is None


def test_right_password_takes_the_mistyped_ones_back() -> None:
    attempts = LoginAttempts()
    for _ in range(50):
        for _ in range(4):
            assert attempts.begin("ada", HERE, 0.0) is None
            attempts.withdraw("ada", HERE)
        assert attempts.begin("ada", HERE, 0.0) is None
        attempts.succeeded("ada", HERE)


def test_many_accounts_from_one_address_are_limited_by_the_address() -> None:
    attempts = LoginAttempts()
    refused = [attempts.begin(f"user{number}", HERE, 0.0) for number in range(31)]
    assert refused[:30] == [None] * 30
    assert refused[30] is not None
    assert refused[30].by is LimitedBy.ADDRESS


def test_one_account_from_many_addresses_is_limited_except_where_it_is_known() -> None:
    attempts = LoginAttempts()
    refused = [attempts.begin("ada", f"192.0.2.{number}", 0.0) for number in range(21)]
    assert refused[:20] == [None] * 20
    assert refused[20] is not None
    assert refused[20].by is LimitedBy.ACCOUNT
    assert attempts.begin("ada", "198.51.100.1", 0.0, is_known_address=True) is None


def test_first_tenth_and_hundredth_failure_are_told() -> None:
    reports = FailureReports()
    told = [reports.to_tell("a", 0.0) for _ in range(100)]
    assert [(number, count) for number, count in enumerate(told, 1) if count is not None] == [
        (1, 1),
        (10, 9),
        (100, 90),
    ]


def test_failures_of_a_past_hour_are_told_with_the_next() -> None:
    reports = FailureReports()
    for _ in range(5):
        reports.to_tell("a", 0.0)
    assert reports.to_tell("a", FailureReports.WINDOW_S) == 5


def test_attack_with_ever_other_accounts_cannot_fill_the_log() -> None:
    reports = FailureReports(burst=60, interval_s=30.0, max_keys=1000)
    told = sum(reports.to_tell(f"account {number}", number / 100) is not None for number in range(100_000))
    assert told <= 60 + 1000 / 30 + 1
