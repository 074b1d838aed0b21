"""`tailslide keys`: the SDK keys with which an app's sidecars connect to NATS and Redis."""

from typing import Any

import click
from rich.table import Table

from tailslide_cli.options import as_json, ask, console, print_json, reason
from tailslide_cli.tower_api import TowerApi


@click.group()
def keys() -> None:
    """List, make and revoke SDK keys. A sidecar needs one to connect."""


@keys.command("list")
@click.argument("app")
@as_json
def list_keys(app: str, *, as_json: bool) -> None:
    """List the SDK keys of APP, by their ids. A key itself is shown only once, when it is made."""

    async def question(tower: TowerApi) -> list[Any]:
        return await tower.every(f"/apps/{app}/keys", "keys")

    found = ask(question)
    if as_json:
        print_json(found)
        return
    if not found:
        console().print(f"The app {app} has no keys. Make one: tailslide keys create {app} NAME")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("ID", "NAME", "MADE", "BY"):
        table.add_column(heading)
    for key in found:
        table.add_row(key["id"], key["name"], key["created_at"], key["created_by"])
    console().print(table)


@keys.command()
@click.argument("app")
@click.argument("name")
@reason
@as_json
def create(app: str, name: str, reason: str | None, *, as_json: bool) -> None:
    """Make an SDK key for APP, called NAME, and print it. It is shown only once."""

    async def question(tower: TowerApi) -> Any:
        return (await tower.call("POST", f"/apps/{app}/keys", {"name": name}, reason=reason)).body

    made = ask(question)
    if as_json:
        print_json(made)
        return
    click.echo(made["key"])
    click.echo(
        f"Set it as TAILSLIDE_SDK_KEY for the app's sidecars. It is not shown again. Its id is {made['id']}.", err=True
    )


@keys.command()
@click.argument("app")
@click.argument("key_id", metavar="ID")
@reason
def revoke(app: str, key_id: str, reason: str | None) -> None:
    """Revoke the SDK key with this ID. Sidecars that use it are disconnected within 5 seconds."""

    async def question(tower: TowerApi) -> None:
        await tower.call("DELETE", f"/apps/{app}/keys/{key_id}", etag="*", reason=reason)

    ask(question)
    console().print("Revoked. Sidecars with this key keep the flags that they have, and get no more changes.")
