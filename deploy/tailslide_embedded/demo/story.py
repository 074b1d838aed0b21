"""The story of the demo: all is well, the new service fails, the circuit opens, it heals, users come back.

Acts wait for what they tell of, not for the clock; only how long a viewer looks at something is a number of seconds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tailslide_core.circuit import State
from tailslide_embedded.circuit_log import CircuitLog
from tailslide_embedded.demo.report import Moment
from tailslide_embedded.demo.services import Services
from tailslide_embedded.demo.traffic import Traffic
from tailslide_embedded.whole_loop import Plan
from tailslide_runtime.errors import StartError

APP = "clinic"
FLAG = "new-appointments"
PATH = "/appointments"
ERROR_THRESHOLD = 20.0

WELL_S = 6.0
BEFORE_HEALING_S = 3.0
EPILOGUE_S = 4.0
# Generous, for a machine that is busy with other things: acts go on as soon as what they wait for happens.
TRIP_TIMEOUT_S = 60.0
RECOVERY_TIMEOUT_S = 120.0


def plan(services: Services) -> Plan:
    """Return what the demo runs: recovery is quicker than one would have it at work, so that it can be watched."""
    return Plan(
        app=APP,
        flag=FLAG,
        path_prefix=PATH,
        feature_url=services.new.url,
        fallback_url=services.old.url,
        flag_settings={
            "description": "Appointments from the new service",
            "active": True,
            "rollout": 100,
            "circuit": {
                "error_threshold": ERROR_THRESHOLD,
                "recovery": {"delay_ms": 6000, "initial": 10, "increment": 10, "interval_ms": 2000},
            },
        },
        route_settings={"targeting_key": {"header": "x-user-id"}, "retry_on_fallback": "never"},
    )


class Story:
    """Plays the acts and tells each one; `acts` keeps what the story did, as opposed to what came of it."""

    def __init__(
        self, services: Services, traffic: Traffic, circuits: CircuitLog, tell: Callable[[Moment], None]
    ) -> None:
        self._services = services
        self._traffic = traffic
        self._circuits = circuits
        self._tell = tell
        self.acts: list[Moment] = []
        self.started = time.monotonic()
        self.ended = self.started

    async def play(self) -> None:
        """Play to the end; raise `StartError` when an act waits in vain for what it tells of."""
        self.started = time.monotonic()
        try:
            await self._acts()
        finally:
            self.ended = time.monotonic()

    async def _acts(self) -> None:
        new = self._services.new
        self._say("All is well: every user is on the new service.")
        await _within(TRIP_TIMEOUT_S, new.arrived.wait(), "no call reached the new service")
        await asyncio.sleep(WELL_S)
        self._say("The new service starts failing: a deploy has broken it.")
        new.break_down()
        await _within(
            TRIP_TIMEOUT_S,
            self._circuits.wait_for(lambda circuit: circuit.state is State.OPEN),
            "the circuit did not open",
        )
        self._say("The circuit is open: everyone is served by the old service.", of_verdict=True)
        await asyncio.sleep(BEFORE_HEALING_S)
        self._say("The new service is healthy again: a rollback. The circuit waits for its recovery delay.")
        new.heal()
        await _within(
            RECOVERY_TIMEOUT_S,
            self._circuits.wait_for(lambda circuit: circuit.state is State.RECOVERING),
            "the circuit did not start to recover",
        )
        self._say("Recovery: users come back step by step, as long as their calls succeed.", of_verdict=True)
        await _within(
            RECOVERY_TIMEOUT_S,
            self._circuits.wait_for(lambda circuit: circuit.state is State.CLOSED),
            "the circuit did not close",
        )
        self._say("The circuit is closed: everyone is on the new service again.", of_verdict=True)
        await asyncio.sleep(EPILOGUE_S)

    def _say(self, text: str, *, of_verdict: bool = False) -> None:
        """Tell a moment; what tells of a verdict is not kept, since the verdict itself is on the timeline."""
        moment = Moment(time.monotonic() - self.started, text)
        if not of_verdict:
            self.acts.append(moment)
        self._tell(moment)


async def _within(seconds: float, happening: Awaitable[object], otherwise: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            await happening
    except TimeoutError:
        raise StartError(f"{otherwise} within {seconds:g} s") from None
