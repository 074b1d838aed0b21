"""A whole loop under traffic, its circuit recovering within seconds: what end-to-end and fault tests run on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tailslide_core.circuit import Circuit, State
from tailslide_core.naming import FlagId
from tailslide_embedded.circuit_log import CircuitLog, Verdict
from tailslide_embedded.demo.services import Services, running_services
from tailslide_embedded.demo.traffic import Traffic
from tailslide_embedded.whole_loop import Plan, WholeLoop, temporary_data_dir, whole_loop

APP = "clinic"
FLAG = "appointments"
PATH = "/appointments"
RATE = 100
WAIT_S = 30.0


@dataclass(frozen=True)
class Scene:
    """A running loop under traffic."""

    loop: WholeLoop
    services: Services
    circuits: CircuitLog
    traffic: Traffic

    async def until(self, state: State) -> Verdict:
        """Wait for the circuit to be in this state."""
        return await self.until_circuit(lambda circuit: circuit.state is state)

    async def until_circuit(self, holds: Callable[[Circuit], bool]) -> Verdict:
        """Wait for the circuit to be as asked for."""
        async with asyncio.timeout(WAIT_S):
            return await self.circuits.wait_for(holds)

    async def kill(self, *names: str) -> None:
        """Send SIGKILL to these processes and wait for their ends."""
        for name in names:
            child = self.loop.stack.children[name]
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            await child.wait()

    async def start(self, name: str) -> None:
        """Start a process that was killed."""
        await self.loop.stack.children[name].start()

    async def ask_sidecar(self, path: str) -> tuple[int, dict[str, object]]:
        """GET from the sidecar's flag listener."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.loop.addresses.flags}{path}") as answer,
        ):
            return answer.status, await answer.json()


@asynccontextmanager
async def running_scene(settings: Mapping[str, str] | None = None) -> AsyncIterator[Scene]:
    """Run the loop; `settings` are more variables for its processes."""
    async with running_services(PATH) as services:
        plan = Plan(
            app=APP,
            flag=FLAG,
            path_prefix=PATH,
            feature_url=services.new.url,
            fallback_url=services.old.url,
            flag_settings={
                "active": True,
                "circuit": {
                    "error_threshold": 20,
                    "recovery": {"delay_ms": 1500, "initial": 25, "increment": 25, "interval_ms": 700},
                },
            },
            route_settings={"targeting_key": {"header": "x-user-id"}},
        )
        with temporary_data_dir() as folder:
            async with whole_loop(folder, plan, more_settings=settings) as loop:
                circuits = CircuitLog(loop.stack.endpoints.nats_url, FlagId(APP, FLAG))
                traffic = Traffic(f"{loop.addresses.proxy}{PATH}", RATE)
                background = [asyncio.create_task(circuits.run()), asyncio.create_task(traffic.run())]
                try:
                    async with asyncio.timeout(WAIT_S):
                        await services.new.arrived.wait()
                        await circuits.wait_for(lambda circuit: circuit.state is State.CLOSED)
                    yield Scene(loop, services, circuits, traffic)
                finally:
                    for task in background:
                        task.cancel()
                    await asyncio.gather(*background, return_exceptions=True)
