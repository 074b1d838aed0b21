"""The whole loop on one machine: servers, Tower, Aerobat, one flag and a sidecar in front of a feature.

What the demo, the benchmark of trip times and the end-to-end tests run on. What happens on it is theirs to say.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tailslide_embedded.addresses import LOOPBACK, PortChooser, is_free
from tailslide_embedded.app_keys import key_of
from tailslide_embedded.data_dir import DataDir, open_data_dir
from tailslide_embedded.environments import environment_of
from tailslide_embedded.parts import tailslide_process, user_of_part
from tailslide_embedded.processes import ProcessSpec
from tailslide_embedded.stack import Stack, servers_on
from tailslide_embedded.users import RunAs
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress

_TOWER_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run: one flag of one app, and where its two sides are. `flag_settings` are fields of Tower's flags."""

    app: str
    flag: str
    path_prefix: str
    feature_url: str
    fallback_url: str
    flag_settings: Mapping[str, Any]
    route_settings: Mapping[str, Any]
    """More fields of the route in the sidecar's file."""


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where everything answers, as `http://host:port`."""

    tower: str
    aerobat: str
    flags: str
    proxy: str


@dataclass(frozen=True, kw_only=True)
class WholeLoop:
    """A running loop. `stack.children` has `nats`, `redis`, `postgres`, `tower`, `aerobat` and `sidecar`."""

    plan: Plan
    stack: Stack
    addresses: Addresses
    api_token: str = field(repr=False)

    async def change_flag(self, changes: Mapping[str, Any]) -> None:
        """Change the flag through Tower."""
        await self.ask_tower("PATCH", self._flag_path, changes)

    async def reset_circuit(self) -> None:
        """Reset the flag's circuit through Tower, as a person would."""
        await self.ask_tower("POST", f"{self._flag_path}/circuit/reset", {})

    async def ask_tower(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask Tower's API and return the body of its answer; raise `StartError` where it refuses."""
        return await _ask_tower(self.addresses.tower, self.api_token, method, path, body)

    @property
    def _flag_path(self) -> str:
        return f"/apps/{self.plan.app}/flags/{self.plan.flag}"


@contextmanager
def temporary_data_dir() -> Iterator[Path]:
    """Give a data folder that is removed, with what it holds, at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="tailslide-") as folder:
        path = Path(folder)
        if os.geteuid() == 0:  # root's PostgreSQL runs as another user, who has to pass through
            path.chmod(0o711)
        yield path / "data"


def preferred_ports() -> dict[str, int]:
    """Return the documented port of each listener, or 0 where it is taken."""
    documented = {"tower": 4142, "aerobat": 4143, "flags": 4141, "proxy": 4140}
    return {name: port if is_free(ListenAddress(LOOPBACK, port)) else 0 for name, port in documented.items()}


@asynccontextmanager
async def whole_loop(
    data_dir: Path,
    plan: Plan,
    ports: Mapping[str, int] | None = None,
    more_settings: Mapping[str, str] | None = None,
) -> AsyncIterator[WholeLoop]:
    """Run everything until the end of the block; on embedded servers alone, whatever the environment says.

    `ports` has those of the listeners `tower`, `aerobat`, `flags` and `proxy`; without one, any free port is taken.
    `more_settings` are variables for the processes that read them.
    Raises `StartError`.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
    async with open_data_dir(data_dir) as data:
        chooser = PortChooser()
        listens = {
            name: chooser.listen(ListenAddress(LOOPBACK, (ports or {}).get(name, 0)), name)
            for name in ("tower", "aerobat", "flags", "proxy")
        }
        addresses = Addresses(**{name: f"http://{listen}" for name, listen in listens.items()})
        async with servers_on(data, chooser, {}, {}) as stack:
            token = data.secret("api_token")
            settings = {
                **(more_settings or {}),
                "TAILSLIDE_API_TOKEN": token,
                "TAILSLIDE_TOWER_LISTEN": str(listens["tower"]),
                "TAILSLIDE_AEROBAT_LISTEN": str(listens["aerobat"]),
            }

            def process(
                part: str, listen: ListenAddress, *arguments: str, more: Mapping[str, str] | None = None
            ) -> ProcessSpec:
                user = user_of_part(data, part)
                told = stack.endpoints.environment_of(part) | settings | dict(more or {})
                env = environment_of(part, told, environ, own_user=user is not None)
                return tailslide_process(part, listen, data, env, *arguments, run_as=user)

            await stack.add({part: process(part, listens[part]) for part in ("tower", "aerobat")})
            await _create_flag(addresses.tower, token, plan)
            config = _write_sidecar_config(data, plan, listens, user_of_part(data, "sidecar"))
            key = {"TAILSLIDE_SDK_KEY": str(await key_of(data.path, plan.app, addresses.tower, token))}
            await stack.add({"sidecar": process("sidecar", listens["flags"], "--config", str(config), more=key)})
            yield WholeLoop(plan=plan, stack=stack, addresses=addresses, api_token=token)


async def _create_flag(tower: str, token: str, plan: Plan) -> None:
    await _ask_tower(tower, token, "POST", "/apps", {"key": plan.app}, allow=409)
    flag = {"key": plan.flag, **plan.flag_settings}
    await _ask_tower(tower, token, "POST", f"/apps/{plan.app}/flags", flag, allow=409)


async def _ask_tower(
    tower: str, token: str, method: str, path: str, body: Mapping[str, Any] | None, allow: int | None = None
) -> Any:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TOWER_TIMEOUT_S)) as session,
        session.request(
            method,
            f"{tower}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}", "If-Match": "*"},
        ) as answer,
    ):
        if answer.status >= 400 and answer.status != allow:
            raise StartError(f"Tower refused {method} {path}: {answer.status} {await answer.text()}")
        return await answer.json(content_type=None)


def _write_sidecar_config(data: DataDir, plan: Plan, listens: Mapping[str, ListenAddress], user: RunAs | None) -> Path:
    folder = data.folder("sidecar", user)
    route = {
        "match": {"path_prefix": plan.path_prefix},
        "flag": plan.flag,
        "feature": plan.feature_url,
        "fallback": plan.fallback_url,
        **plan.route_settings,
    }
    config = {
        "app": plan.app,
        "flags_listen": str(listens["flags"]),
        "proxy_listen": str(listens["proxy"]),
        "snapshot": str(folder / "snapshot.json"),
        "routes": [route],
    }
    path = folder / "sidecar.yaml"
    data.write_private(path, yaml.safe_dump(config, sort_keys=False), user)
    return path


async def until_exit_or(stack: Stack, work: asyncio.Task[Any]) -> None:
    """Wait for `work`; raise `StartError` when a process of the stack ends by itself before that."""
    ending = asyncio.create_task(stack.first_exit())
    try:
        await asyncio.wait({work, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            raise StartError(str(ending.result()))
        await work
    finally:
        ending.cancel()
        work.cancel()
        await asyncio.gather(ending, work, return_exceptions=True)
