"""A whole loop under traffic for the dashboard's tests, in a thread of its own: the browser's API blocks.

Tests talk to it from outside, over Tower's API and the services' switches, as a person would.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import orjson
from scene import APP, FLAG, Scene, running_scene

from tailslide_embedded.demo.services import Service
from tailslide_embedded.whole_loop import WholeLoop

__all__ = ["APP", "FLAG", "PASSWORD", "DashboardStage", "dashboard_stage"]

PASSWORD = "correct horse battery staple"
_TIMEOUT_S = 90.0
_Result = TypeVar("_Result")
SETTINGS = {
    # Receivers of alerts are on loopback here.
    "TAILSLIDE_ALERT_ALLOWED_NETWORKS": "127.0.0.0/8",
    # Every browser comes from one address.
    "TAILSLIDE_TRUSTED_PROXIES": "127.0.0.1",
}


@dataclass(frozen=True)
class DashboardStage:
    """A running loop: app `clinic` with the flag `appointments` under 100 calls a second, and three users."""

    scene: Scene
    loop: asyncio.AbstractEventLoop
    session: aiohttp.ClientSession

    @property
    def whole(self) -> WholeLoop:
        """Return the processes and their addresses."""
        return self.scene.loop

    @property
    def url(self) -> str:
        """Return where Tower, and so the dashboard, is."""
        return self.whole.addresses.tower

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Ask Tower's API with the token of the environment; return the body of an answer that is a success."""

        async def ask() -> Any:
            sent = {"Authorization": f"Bearer {self.whole.api_token}", "If-Match": "*", **headers}
            async with self.session.request(method, f"{self.url}/api/v1{path}", json=body, headers=sent) as answer:
                raw = await answer.read()
                assert answer.ok, (method, path, answer.status, raw)
                return orjson.loads(raw) if raw else None

        return self.run(ask)

    @property
    def feature(self) -> Service:
        """Return the service behind the flag; `break_down` and `heal` act on its next call."""
        return self.scene.services.new

    def make_app(self, key: str, **fields: object) -> str:
        """Make an app of a test's own and return its key."""
        self.call("POST", "/apps", {"key": key, **fields})
        return key

    def make_flag(self, app: str, key: str, **fields: object) -> str:
        """Make a flag and return its key."""
        self.call("POST", f"/apps/{app}/flags", {"key": key, **fields})
        return key

    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run a coroutine function in the stage's own loop: to kill a process and to start it again."""

        async def done() -> _Result:
            return await work()

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(_TIMEOUT_S)


@contextmanager
def dashboard_stage(more_settings: Mapping[str, str] | None = None) -> Iterator[DashboardStage]:
    """Run a stage with an admin, an editor and a viewer: `<role>@example.org`, with `PASSWORD`."""
    loop = asyncio.new_event_loop()
    ready: Future[DashboardStage] = Future()
    stop = asyncio.Event()

    async def play() -> None:
        try:
            async with (
                running_scene({**SETTINGS, **(more_settings or {})}) as scene,
                aiohttp.ClientSession() as session,
            ):
                ready.set_result(DashboardStage(scene, loop, session))
                await stop.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=loop.run_until_complete, args=(play(),), name="dashboard-stage")
    thread.start()
    try:
        stage = ready.result(_TIMEOUT_S)
        for role in ("admin", "editor", "viewer"):
            _make_user(stage, role)
        yield stage
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_TIMEOUT_S)
        loop.close()


def _make_user(stage: DashboardStage, role: str) -> None:
    invitation = stage.call("POST", "/invitations", {"email": f"{role}@example.org", "role": role})
    secret = invitation["url"].partition("#")[2]
    stage.call("POST", "/session/invitation", {"secret": secret, "name": role.title(), "password": PASSWORD})
