"""The verdicts of `benchmarks/clients.py`: what a driver's answer comes to, and which bounds it does not hold."""

from typing import Any

from clients_bench.timers import Sleep
from clients_bench.troubles import Moments, Stage, Trouble, stage

GONE, BACK = 10_000.0, 12_000.0
MOMENTS = Moments(GONE, BACK)
END = round(BACK) + 1_400
CALM_SLEEPS = [Sleep(at, 0.2) for at in range(9_000, END, 50)]


def said(**changes: Any) -> dict[str, Any]:
    """Return a driver's answer in which every bound is held."""
    answers = [9_500, *range(round(BACK) + 100, END, 20)]
    return {
        "calls": 100,
        "raised": 0,
        "ms": [1.0] * 99 + [55.0],
        "answered_at": answers,
        "defaults_at": [10_100, 12_090],
        **changes,
    }


def judged(sleeps: list[Sleep] = CALM_SLEEPS, **changes: Any) -> Stage:
    return stage("go", Trouble.KILLED, said(**changes), MOMENTS, sleeps)


def missed(found: Stage) -> dict[str, bool]:
    return {bound.name: bound.machine_too for bound in found.missed()}


def test_a_good_client_holds_every_bound() -> None:
    found = judged()
    assert (found.answer_ms, found.settled_ms, found.strays, found.missed()) == (100, 90, 0, [])


def test_each_bound_can_be_missed() -> None:
    assert missed(judged(raised=1)) == {"raised": False}
    assert missed(judged(ms=[1.0] * 98 + [61.0] * 2)) == {"share": False}
    assert missed(judged(ms=[1.0] * 99 + [151.0])) == {"slowest": False}
    assert missed(judged(defaults_at=[10_100, 13_001])) == {"last default": False}
    late = [9_500, *range(13_000, END, 20)]
    assert missed(judged(answered_at=late, defaults_at=[10_100, 12_900])) == {"first answer": False}


def test_a_load_that_ends_too_early_shows_no_return() -> None:
    assert missed(judged(answered_at=[9_500], defaults_at=[10_100])) == {"first answer": False, "last default": False}


def test_an_answer_before_the_probe_counts_as_at_once() -> None:
    assert judged(answered_at=[9_500, 11_990, END], defaults_at=[]).answer_ms == 0


def test_a_default_when_timers_were_late_is_a_stray() -> None:
    found = judged([*CALM_SLEEPS, Sleep(13_200, 40)], defaults_at=[10_100, 12_090, 13_190])
    assert (found.settled_ms, found.strays, found.missed()) == (90, 1, [])
    elsewhere = judged([*CALM_SLEEPS, Sleep(12_600, 40)], defaults_at=[10_100, 12_090, 13_190])
    assert (elsewhere.settled_ms, elsewhere.strays) == (1_190, 0)


def test_a_default_before_the_first_answer_is_never_a_stray() -> None:
    assert judged([*CALM_SLEEPS, Sleep(12_090, 40)]).settled_ms == 90


def test_a_bound_that_bare_timers_miss_is_the_machines() -> None:
    late = [Sleep(one.ended_ms, 120) for one in CALM_SLEEPS]
    assert missed(judged(late, ms=[200.0] * 100)) == {"share": True, "slowest": True}


def test_without_trouble_there_is_no_return_to_judge() -> None:
    found = stage("go", Trouble.CALM, said(defaults_at=[]), None, CALM_SLEEPS)
    assert (found.answer_ms, found.settled_ms, found.missed()) == (None, None, [])
