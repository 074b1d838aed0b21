"""Which server gets the next call."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_sidecar.proxy.balancing import LONGEST_EJECTED_S, accepted, choose, refused

NOW_S = 100.0


@dataclass
class Plain:
    """A server, as far as the choice goes."""

    outstanding: int = 0
    ejected_until_s: float = 0.0
    refusals: int = 0


servers = st.lists(
    st.builds(Plain, st.integers(0, 3), st.sampled_from([0.0, NOW_S, NOW_S + 1, NOW_S + 2])), min_size=1, max_size=6
)


@given(servers, st.integers(0, 20))
def test_the_one_with_the_fewest_calls_of_those_that_may_be_asked(found: list[Plain], start: int) -> None:
    chosen = choose(found, NOW_S, start)
    allowed = [server for server in found if server.ejected_until_s <= NOW_S]
    if allowed:
        assert chosen in allowed
        assert chosen.outstanding == min(server.outstanding for server in allowed)
    else:
        assert chosen.ejected_until_s == min(server.ejected_until_s for server in found)


def test_equals_take_turns() -> None:
    found = [Plain(), Plain(), Plain()]
    chosen = [choose(found, NOW_S, turn) for turn in range(5)]
    assert [id(server) for server in chosen] == [id(found[place]) for place in (0, 1, 2, 0, 1)]


def test_one_that_refuses_is_left_out_for_longer_each_time() -> None:
    server = Plain()
    waits = []
    for _ in range(2_000):
        refused(server, NOW_S)
        waits.append(server.ejected_until_s - NOW_S)
    assert waits[:6] == [1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_EJECTED_S]
    assert set(waits[6:]) == {LONGEST_EJECTED_S}
    accepted(server)
    assert server == Plain()


@pytest.mark.parametrize("after_s", [0.0, 0.5, 0.999])
def test_nobody_asks_one_that_has_just_refused(after_s: float) -> None:
    refusing, busy = Plain(), Plain(outstanding=50)
    refused(refusing, NOW_S)
    assert choose([refusing, busy], NOW_S + after_s) is busy
    assert choose([refusing, busy], NOW_S + 1.0) is refusing
