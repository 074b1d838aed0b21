"""`tailslide circuit`: open a circuit by hand, and reset it."""

from typing import Any

import click

from tailslide_cli.flags import print_state
from tailslide_cli.options import as_json, ask, flag_argument, print_json, reason
from tailslide_cli.tower_api import TowerApi, flag_path
from tailslide_core.naming import FlagId


@click.group()
def circuit() -> None:
    """Open a flag's circuit by hand, or reset it."""


@circuit.command("open")
@flag_argument
@reason
@as_json
def open_circuit(flag: FlagId, reason: str | None, *, as_json: bool) -> None:
    """Hold a flag off for all users until its circuit is reset. It does not recover by itself."""

    async def question(tower: TowerApi) -> Any:
        change = {"circuit": {"forced_open": True}}
        return (await tower.call("PATCH", flag_path(flag), change, etag="*", reason=reason)).body

    _tell(ask(question), as_json=as_json)


@circuit.command()
@flag_argument
@reason
@as_json
def reset(flag: FlagId, reason: str | None, *, as_json: bool) -> None:
    """Close a flag's circuit, whether it opened by itself or by hand: all users are let back at once."""

    async def question(tower: TowerApi) -> Any:
        path = flag_path(flag)
        seen = await tower.call("GET", path)
        settings = seen.body["circuit"]
        if settings is not None and settings["forced_open"]:
            change = {"circuit": {"forced_open": False}}
            seen = await tower.call("PATCH", path, change, etag=seen.etag, reason=reason)
        return (await tower.call("POST", f"{path}/circuit/reset", etag=seen.etag, reason=reason)).body

    _tell(ask(question), as_json=as_json)


def _tell(flag: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(flag)
    else:
        print_state(flag)
