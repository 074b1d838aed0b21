"""`tailslide flags`: list flags, show one, and make the changes that somebody needs in a hurry."""

from typing import Any
from urllib.parse import quote

import click
from rich.table import Table

from tailslide_cli.options import as_json, ask, console, flag_argument, print_json, reason
from tailslide_cli.tower_api import TowerApi, flag_path
from tailslide_cli.watching import watch
from tailslide_core.naming import FlagId


@click.group()
def flags() -> None:
    """List, show and watch flags, turn them on or off, change their rollout, read their log."""


@flags.command("list")
@click.option("--app", metavar="APP", help="Only the flags of this app.")
@click.option("--tag", metavar="TAG", help="Only flags with this tag.")
@click.option("--search", "search", metavar="TEXT", help="Only flags with this text in key, name, description or tags.")
@as_json
def list_flags(app: str | None, tag: str | None, search: str | None, *, as_json: bool) -> None:
    """List flags, with their state."""

    async def question(tower: TowerApi) -> list[Any]:
        # Of an app that is not there Tower says so, where a filter would only find nothing.
        path = "/flags" if app is None else f"/apps/{quote(app, safe='')}/flags"
        return await tower.every(path, "flags", tag=tag, q=search)

    found = ask(question)
    if as_json:
        print_json(found)
        return
    if not found:
        if app is None and tag is None and search is None:
            console().print("There are no flags.")
        else:
            console().print("No flag matches.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("FLAG", "STATE", "ROLLOUT", "OWNER", "CHANGED"):
        table.add_column(heading, no_wrap=heading != "OWNER")
    for flag in found:
        table.add_row(
            f"{flag['app']}.{flag['key']}",
            flag["state"]["word"],
            f"{flag['rollout']:g}%",
            flag.get("owner") or "",
            flag["updated_at"],
        )
    console().print(table)


@flags.command()
@flag_argument
@as_json
def show(flag: FlagId, *, as_json: bool) -> None:
    """Show a flag: its state in words, and its settings."""

    async def question(tower: TowerApi) -> Any:
        return await tower.get(flag_path(flag))

    shown = ask(question)
    if as_json:
        print_json(shown)
        return
    out = console()
    out.print(str(flag) if shown["name"] == flag.flag else f"{flag}  {shown['name']}")
    print_state(shown)
    if shown["description"]:
        out.print(shown["description"])
    out.print()
    for name in ("rollout", "type", "tags", "owner", "allow", "deny", "rules", "requires", "version", "updated_at"):
        value = shown.get(name)
        if value not in (None, "", []):
            out.print(f"{name + ':':<12} {_brief(value)}")
    for warning in shown["warnings"]:
        out.print(f"warning: {warning}")


def print_state(flag: dict[str, Any]) -> None:
    """Print what is true of a flag, in the words that Tower gives."""
    out = console()
    out.print(flag["state"]["sentence"])
    for more in flag["state"].get("more", ()):
        out.print(more)


def _brief(value: object) -> str:
    if isinstance(value, list):
        first = ", ".join(str(item) if not isinstance(item, dict) else "…" for item in value[:5])
        return f"{len(value)}: {first}" + (", …" if len(value) > 5 else "")
    return f"{value:g}%" if isinstance(value, float) else str(value)


@flags.command()
@flag_argument
@reason
@as_json
def on(flag: FlagId, reason: str | None, *, as_json: bool) -> None:
    """Turn a flag on. This also resets its circuit, so users are let in at once."""
    _toggle(flag, active=True, reason=reason, as_json=as_json)


@flags.command()
@flag_argument
@reason
@as_json
def off(flag: FlagId, reason: str | None, *, as_json: bool) -> None:
    """Turn a flag off for all users."""
    _toggle(flag, active=False, reason=reason, as_json=as_json)


def _toggle(flag: FlagId, *, active: bool, reason: str | None, as_json: bool) -> None:
    async def question(tower: TowerApi) -> Any:
        # Whatever has changed meanwhile, this is what the person wants of the flag now.
        path = f"{flag_path(flag)}/toggle"
        return (await tower.call("POST", path, {"active": active}, etag="*", reason=reason)).body

    _tell(ask(question), as_json=as_json)


@flags.command()
@flag_argument
@click.argument("percentage", type=click.FloatRange(0, 100), metavar="PERCENTAGE")
@reason
@as_json
def rollout(flag: FlagId, percentage: float, reason: str | None, *, as_json: bool) -> None:
    """Roll a flag out to PERCENTAGE of the users, 0 to 100.

    Users who get the flag at a lower percentage keep it at a higher one.
    """

    async def question(tower: TowerApi) -> Any:
        seen = await tower.call("GET", flag_path(flag))
        changed = await tower.call("PATCH", flag_path(flag), {"rollout": percentage}, etag=seen.etag, reason=reason)
        return changed.body

    _tell(ask(question), as_json=as_json)


def _tell(flag: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(flag)
    else:
        print_state(flag)


@flags.command("log")
@flag_argument
@click.option(
    "-n", "--number", type=click.IntRange(1, 500), default=20, show_default=True, help="How many entries to show."
)
@as_json
def show_log(flag: FlagId, number: int, *, as_json: bool) -> None:
    """Show the log of a flag and its circuit, newest first."""

    async def question(tower: TowerApi) -> list[Any]:
        page = await tower.get(f"{flag_path(flag)}/log", limit=str(number))
        entries: list[Any] = page["entries"]
        return entries

    entries = ask(question)
    if as_json:
        for entry in entries:
            print_json(entry)
        return
    for entry in entries:
        print_entry(entry)
    if not entries:
        console().print("Nothing has happened yet.")


def print_entry(entry: dict[str, Any]) -> None:
    """Print an entry of the log on one line."""
    why = f" “{entry['reason']}”" if entry.get("reason") else ""
    console().print(f"{entry['at']}  {entry['sentence']}{why}")


@flags.command("watch")
@flag_argument
@as_json
def watch_flag(flag: FlagId, *, as_json: bool) -> None:
    """Follow a flag until Ctrl-C: print each change of its state and each new entry of its log."""
    ask(lambda tower: watch(tower, flag, as_json=as_json))
