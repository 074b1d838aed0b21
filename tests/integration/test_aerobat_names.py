"""Flags whose keys are alike (`a`, `a.b`, `A`): each has a circuit of its own, on a real NATS and a real Redis."""

import asyncio
from dataclasses import replace

import pytest
from aerobat_bench import FAILING, FLAG, HEALTHY, SETTINGS, running_bench

from tailslide_core.circuit import State
from tailslide_core.contracts import Mark, encode_mark
from tailslide_core.flag_contracts import encode_segment
from tailslide_core.naming import RULESETS_BUCKET, FlagId, SegmentId, mark_key
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment

KEYS = ("a", "a.b", "A", "a.b.c")


@pytest.mark.parametrize("failing", ["a", "a.b"])
async def test_a_circuit_opens_for_one_of_several_flags_with_keys_that_are_alike(failing: str) -> None:
    async with running_bench() as bench:
        ids = [FlagId(FLAG.app, key) for key in KEYS]
        settings = replace(SETTINGS, recovery=None)
        await bench.put_all(Ruleset(*each, 1, active=True, rollout=100.0, salt="s", circuit=settings) for each in ids)
        await bench.put_raw(RULESETS_BUCKET, encode_segment(Segment(FLAG.app, "a", 1)), str(SegmentId(FLAG.app, "a")))
        await bench.put_raw(RULESETS_BUCKET, encode_mark(Mark(1, len(ids))), mark_key(FLAG.app))
        aerobat = await bench.start_aerobat()
        await aerobat.until_ready()

        for each in ids:
            await bench.count(FAILING if each.flag == failing else HEALTHY, flag_id=each)
            await bench.count(FAILING if each.flag == failing else HEALTHY, flag_id=each)
        circuit = await bench.until_circuit(FlagId(FLAG.app, failing), lambda found: found.state is State.OPEN)
        assert circuit.reason is not None
        assert circuit.reason.calls == 20

        ticks = await aerobat.metric("tailslide_aerobat_ticks_total")
        async with asyncio.timeout(20):
            while await aerobat.metric("tailslide_aerobat_ticks_total") < ticks + 5:
                await asyncio.sleep(0.05)
        assert {each.flag for each, found in bench.circuits.items() if found.state is not State.CLOSED} == {failing}
        (event,) = await bench.events(FlagId(FLAG.app, failing))
        assert event.transition.after == circuit
        assert await aerobat.metric('tailslide_aerobat_refused_values_total{bucket="rulesets"}', 0.0) == 0
