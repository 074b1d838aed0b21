import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.ramp import FULL, RampProfile, next_percentage


def ramp(initial: float, increment: float, profile: RampProfile) -> list[float]:
    """Return every step up to 100."""
    steps = [initial]
    while steps[-1] < FULL:
        steps.append(next_percentage(steps[-1], increment, profile))
    return steps


@pytest.mark.parametrize(
    ("initial", "increment", "profile", "steps"),
    [
        (10, 10, RampProfile.LINEAR, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        (25, 50, RampProfile.LINEAR, [25, 75, 100]),
        (33.3, 33.3, RampProfile.LINEAR, [33.3, 66.6, 99.9, 100]),
        (100, 10, RampProfile.LINEAR, [100]),
        (10, 100, RampProfile.EXPONENTIAL, [10, 20, 40, 80, 100]),
        (50, 50, RampProfile.EXPONENTIAL, [50, 75, 100]),
        (1, 1000, RampProfile.EXPONENTIAL, [1, 11, 100]),
    ],
)
def test_steps_grow_to_exactly_one_hundred(
    initial: float, increment: float, profile: RampProfile, steps: list[float]
) -> None:
    assert ramp(initial, increment, profile) == steps


@pytest.mark.parametrize(("increment", "steps"), [(0.1, 900), (0.3, 300), (0.9, 100), (0.01, 9000)])
def test_the_error_of_floats_never_costs_a_step(increment: float, steps: int) -> None:
    assert len(ramp(10, increment, RampProfile.LINEAR)) == 1 + steps


@given(st.floats(0.001, 100), st.floats(0.001, 1000), st.sampled_from(RampProfile))
def test_each_step_is_larger_than_the_one_before_and_at_most_all(
    percentage: float, increment: float, profile: RampProfile
) -> None:
    after = next_percentage(percentage, increment, profile)
    assert after == FULL if percentage == FULL else percentage < after <= FULL
