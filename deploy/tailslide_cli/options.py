"""What the commands have in common: where the answer goes, why a change is made, and whom to ask."""

import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console

from tailslide_cli import credentials, tower_api
from tailslide_cli.tower_api import FlagName, TowerApi

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Result = TypeVar("_Result")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
reason = click.option("--reason", metavar="TEXT", help="Why you make this change. It is kept in the log.")


def flag_argument(function: _Function) -> _Function:
    """Let a command take a flag, as `APP.FLAG`."""
    return click.argument("flag", type=FlagName(), metavar="APP.FLAG")(function)


def ask(question: Callable[[TowerApi], Awaitable[_Result]]) -> _Result:
    """Ask the Tower that the environment names, or that the user is logged in at."""
    return tower_api.ask(credentials.find(os.environ), credentials.trusted(os.environ), question)


def console() -> Console:
    """Return where text for people goes; it is not wrapped where it is not shown on a terminal."""
    plain = Console(highlight=False, markup=False)
    return plain if plain.is_terminal else Console(highlight=False, markup=False, width=200)


def print_json(value: object) -> None:
    """Print one JSON value on one line."""
    click.echo(orjson.dumps(value).decode())
