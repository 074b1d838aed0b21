"""The `tailslide` command: what one can type, in words. What the words do is in the modules that they import.

Nothing heavy is imported before a command is chosen: a sidecar must not pay for the database, which is not even
installed where only sidecars run.
"""

import importlib
import os
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from tailslide_embedded.extras import from_extra
from tailslide_runtime.errors import StartError

_LAZY = {
    "demo": ("tailslide_embedded.demo.command", "Watch a circuit open and recover, on real servers."),
    "init": ("tailslide_embedded.init", "Write a first sidecar.yaml and flags.yaml."),
    "sample": ("tailslide_embedded.sample", "Run an old and a new service to try a sidecar with."),
    "healthcheck": ("tailslide_cli.healthcheck", "Ask a process whether it is ready, for containers without curl."),
    "login": ("tailslide_cli.login", "Log in at a Tower."),
    "logout": ("tailslide_cli.login", "Revoke and forget the token of `tailslide login`."),
    "status": ("tailslide_cli.status", "Say which circuits are open, since when, why, and what comes next."),
    "flags": ("tailslide_cli.flags", "List flags, show one, turn it on or off, roll it out, read its log."),
    "circuit": ("tailslide_cli.circuits", "Open a flag's circuit by hand, or reset it."),
    "keys": ("tailslide_cli.keys", "List an app's SDK keys, make one, revoke one."),
}

_DATA_DIR = "TAILSLIDE_DATA_DIR"

_Function = TypeVar("_Function", bound=Callable[..., Any])


class TailslideGroup(click.Group):
    """Shows a StartError as one sentence, and imports the commands of `_LAZY` only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, imported or not."""
        return sorted({*super().list_commands(ctx), *_LAZY})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; a lazy one without its options, enough for the list of commands."""
        if cmd_name in _LAZY:
            return click.Command(cmd_name, short_help=_LAZY[cmd_name][1])
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called, imported."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in _LAZY:
            with from_extra("embedded", f"tailslide {name}"):
                command = getattr(importlib.import_module(_LAZY[name][0]), name)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is called."""
        try:
            return super().invoke(ctx)
        except StartError as error:
            raise click.ClickException(str(error)) from error


def _named_folder(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Path | None:
    # click takes an empty variable for none; who set it meant some folder, and the empty path is the working directory.
    if value is None:
        value = os.environ.get(_DATA_DIR)
    if value is None:
        return None
    if not value.strip():
        raise click.UsageError(
            f"--data-dir (or {_DATA_DIR}) is empty: give it the path of a folder, or leave it out for the default"
        )
    return Path(value)


def _data_dir(what: str) -> Callable[[_Function], _Function]:
    return click.option(
        "--data-dir",
        metavar="DIRECTORY",
        callback=_named_folder,
        envvar=_DATA_DIR,
        show_envvar=True,
        help=f"{what}  [default: the platform's data folder for tailslide; for root on Linux /var/lib/tailslide]",
    )


def _port(server: str, title: str, setting: str) -> Callable[[_Function], _Function]:
    return click.option(
        f"--{server}-port",
        metavar="PORT",
        type=click.IntRange(1, 65535),
        help=f"Port of the embedded {title} on 127.0.0.1.  [default: that of the last run, else a free one]  "
        f"{setting} replaces the embedded server by your own.",
    )


@click.group(cls=TailslideGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tailslide-platform", prog_name="tailslide")
def cli() -> None:
    """Feature flags with circuits that break by themselves.

    `tailslide demo` shows what that means. `tailslide init` writes files for a sidecar that needs no server.
    `tailslide up` runs everything that one machine needs; then
    `tailslide sidecar` beside each service answers its flags and proxies its calls.
    """


@cli.command()
@_data_dir("Where data, secrets and logs are kept: a new or empty folder, or that of an earlier run.")
@_port("nats", "NATS", "TAILSLIDE_NATS_URL")
@_port("redis", "Redis", "TAILSLIDE_REDIS_URL")
@_port("postgres", "PostgreSQL", "TAILSLIDE_DATABASE_URL")
@click.option(
    "--tower-listen",
    metavar="HOST:PORT",
    default="127.0.0.1:4142",
    show_default=True,
    envvar="TAILSLIDE_TOWER_LISTEN",
    show_envvar=True,
    help="Where Tower, the API, listens; port 0 for any free one.",
)
@click.option(
    "--aerobat-listen",
    metavar="HOST:PORT",
    default="127.0.0.1:4143",
    show_default=True,
    envvar="TAILSLIDE_AEROBAT_LISTEN",
    show_envvar=True,
    help="Where Aerobat, which opens and recovers circuits, answers /readyz and /metrics.",
)
def up(
    data_dir: Path | None,
    nats_port: int | None,
    redis_port: int | None,
    postgres_port: int | None,
    tower_listen: str,
    aerobat_listen: str,
) -> None:
    """Run NATS, Redis, PostgreSQL, Tower and Aerobat on this machine.

    For trying things out, for development, and for small internal use on one machine: the servers keep their data and
    are started again when they end, but there is one of each, on loopback, without TLS, and no backup but a copy of the
    folder that is made while nothing runs on it. For more than that set the three URLs below to servers of your own.

    Ctrl-C stops everything in order; the next start on the same data folder carries on with the same flags. What ends
    by itself is started again after 1, 2, 4, 8 and 16 seconds, with the end of its log shown; at the sixth time within
    ten minutes everything is stopped. Started by root, each process runs as a user of its own.
    """
    with from_extra("embedded", "tailslide up"):
        from tailslide_embedded.data_dir import default_data_dir
        from tailslide_embedded.up import UpOptions, run_up

    options = UpOptions(
        data_dir=data_dir or default_data_dir(),
        nats_port=nats_port,
        redis_port=redis_port,
        postgres_port=postgres_port,
        tower_listen=tower_listen,
        aerobat_listen=aerobat_listen,
    )
    raise SystemExit(run_up(options, os.environ))


@cli.command()
@_data_dir("The folder that `tailslide up` runs on.")
@click.option("--app", metavar="APP", help="Print an SDK key of this app as well, and make both if need be.")
@click.option(
    "--admin",
    is_flag=True,
    help="Print what is needed to manage flags, and to run a Tower: its URL and API token, and the servers' URLs.",
)
def env(data_dir: Path | None, *, app: str | None, admin: bool) -> None:
    """Print the settings of what `tailslide up` runs, for a shell.

    Use it as:  eval "$(tailslide env --app checkout)"

    That is what the sidecars of the app `checkout` need: where NATS and Redis are, and the SDK key that lets them in,
    which is kept in the data folder. Without --app it is the addresses alone. With --admin it is what no sidecar should
    have; `tailslide tower` and `tailslide tower adopt` need that.
    """
    from tailslide_core.naming import APP_KEY_RULE, is_app_key
    from tailslide_embedded.data_dir import default_data_dir, environment_of_running

    if admin and app is not None:
        raise click.UsageError("--app is for sidecars and --admin is not: ask for one of them")
    if app is not None and not is_app_key(app):
        raise click.UsageError(f"--app: expected {APP_KEY_RULE}")
    path = data_dir or default_data_dir()
    told = environment_of_running(path, "admin" if admin else "sidecar")
    if app is not None:
        told["TAILSLIDE_SDK_KEY"] = _sdk_key(path, app)
    for name, value in sorted(told.items()):
        click.echo(f"export {name}={shlex.quote(value)}")


def _sdk_key(path: Path, app: str) -> str:
    import asyncio

    from tailslide_embedded.app_keys import key_of
    from tailslide_embedded.data_dir import environment_of_running

    keys = environment_of_running(path, "keys")
    if keys["sdk_keys"] != str(True):
        raise StartError(
            "--app: the NATS in TAILSLIDE_NATS_URL lets sidecars in without SDK keys; plain tailslide env has what "
            "they need, and docs/nats.md says how such a server learns of keys"
        )
    return str(asyncio.run(key_of(path.expanduser(), app, keys["TAILSLIDE_TOWER_URL"], keys["TAILSLIDE_API_TOKEN"])))


@cli.group(invoke_without_command=True)
@click.pass_context
def tower(context: click.Context) -> None:
    """Run Tower alone: the API with which people manage flags.

    Its settings are in the environment: TAILSLIDE_DATABASE_URL, TAILSLIDE_NATS_URL, TAILSLIDE_TOWER_URL,
    TAILSLIDE_TOWER_LISTEN, TAILSLIDE_ALLOWED_HOSTS; TAILSLIDE_SDK_KEY is the token for NATS.
    """
    if context.invoked_subcommand is None:
        with from_extra("tower", "tailslide tower"):
            from tailslide_tower.main import main as run

        raise SystemExit(run())


def stands_at_a_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


@tower.command()
@click.option("--yes", is_flag=True, help="Do it without asking; needed where there is no terminal to ask at.")
def adopt(yes: bool) -> None:
    """Let this database fill the bucket of rulesets from now on.

    For when Tower says that the bucket is filled by another database, or by a newer one: after a backup of the
    database was restored, or when another database is to take the place of the old one. First says which flags would
    be added, overwritten and deleted in the bucket, and so in every sidecar, then asks.

    Its settings are those of Tower, in the environment: TAILSLIDE_DATABASE_URL, TAILSLIDE_NATS_URL. For what
    `tailslide up` runs, `tailslide env --admin` has them. Exit status 0: the bucket is this database's; 1: nothing was
    changed, or the error says what was.
    """
    with from_extra("tower", "tailslide tower adopt"):
        from tailslide_tower.adopt import run

    def confirmed() -> bool:
        if yes:
            return True
        if not stands_at_a_terminal():
            raise StartError("there is no terminal to ask at, so nothing was changed; confirm with --yes")
        return click.confirm("Take the bucket over?")

    raise SystemExit(run(click.echo, confirmed))


@cli.command("admin-link")
def admin_link() -> None:
    """Print a link that lets whoever is locked out log in as an admin, once, within an hour.

    For the host that has the database's URL; Tower need not run while it is made. Opened, the link asks for an e-mail
    address and a password: the account of that address, or a new one, is an admin then.

    Its settings are those of Tower, in the environment: TAILSLIDE_DATABASE_URL, and TAILSLIDE_TOWER_URL for the address
    that the link begins with. For what `tailslide up` runs:  eval "$(tailslide env --admin)"
    """
    with from_extra("tower", "tailslide admin-link"):
        from tailslide_tower.setup_links.admin_link import run

    raise SystemExit(run(click.echo))


@cli.command()
def aerobat() -> None:
    """Run Aerobat alone: it opens circuits and lets them recover.

    Its settings are in the environment: TAILSLIDE_NATS_URL, TAILSLIDE_REDIS_URL, TAILSLIDE_AEROBAT_LISTEN.
    """
    with from_extra("aerobat", "tailslide aerobat"):
        from tailslide_aerobat.main import main as run

    raise SystemExit(run())


@cli.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The sidecar's YAML file: its app, its routes, its listeners.",
)
@click.option(
    "--flags",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Flags in YAML or JSON, in place of all servers; read again when the file changes.  [TAILSLIDE_FLAGS_FILE]",
)
@click.option("--check", is_flag=True, help="Say what the files would do, and what is wrong in them; start nothing.")
def sidecar(config: Path | None, flags: Path | None, *, check: bool) -> None:
    """Run a sidecar: it answers flags on localhost and proxies calls to flagged features.

    With --flags it needs no NATS, no Redis and no Tower: for local development, tests and CI. `tailslide init` writes a
    first file of each kind.

    The environment overrides the file: TAILSLIDE_APP, TAILSLIDE_NATS_URL, TAILSLIDE_REDIS_URL, TAILSLIDE_SNAPSHOT,
    TAILSLIDE_FLAGS_LISTEN, TAILSLIDE_PROXY_LISTEN, TAILSLIDE_FLAGS_TOKEN; TAILSLIDE_SDK_KEY is the token for NATS.
    """
    if check:
        from tailslide_sidecar.check import main as run_check

        raise SystemExit(run_check(config, flags, os.environ, click.echo, partial(click.echo, err=True)))
    from tailslide_sidecar.main import main as run

    raise SystemExit(run(config, flags))


def main() -> None:
    """Run the command; the entry point of the console script."""
    cli(prog_name="tailslide")
