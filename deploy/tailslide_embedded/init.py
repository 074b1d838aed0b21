"""`tailslide init`: a first file for a sidecar, and a first file of flags, that work at once."""

import re
import shlex
from importlib.resources import files
from pathlib import Path

import click

from tailslide_runtime.errors import StartError
from tailslide_sidecar.proxy.routes import Address
from tailslide_sidecar.route_file import read_address

SIDECAR, FLAGS = "sidecar.yaml", "flags.yaml"
_COMMENTS_BEGIN = 59
"""The column, from 0, in the routes of the first sidecar.yaml."""


def _address(context: click.Context, option: click.Parameter, value: str | None) -> Address | None:
    try:
        return None if value is None else read_address(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--feature",
    metavar="URL",
    callback=_address,
    help="Where your new code is, for sidecar.yaml.  [default: http://127.0.0.1:9002]",
)
@click.option(
    "--fallback",
    metavar="URL",
    callback=_address,
    help="Where your old code is, for sidecar.yaml.  [default: the sidecar answers by itself]",
)
def init(folder: Path, feature: Address | None, fallback: Address | None) -> None:
    """Write a first sidecar.yaml and flags.yaml into FOLDER, or into the working directory.

    They make a sidecar that needs no server and no rights. Files that exist are left alone.
    """
    paths = [folder / name for name in (SIDECAR, FLAGS)]
    there = [str(path) for path in paths if path.exists() or path.is_symlink()]
    if there:
        exist = "exists" if len(there) == 1 else "exist"
        raise StartError(f"{' and '.join(there)} {exist} already, so nothing was written; give another folder")
    config_text, flags_text = (_first_file(path.name) for path in paths)
    for field, address in (("feature", feature), ("fallback", fallback)):
        if address is not None:
            config_text = _with_address(config_text, field, address)
    _write(paths[0], config_text)
    _write(paths[1], flags_text)
    config, flags = (shlex.quote(str(path)) for path in paths)
    click.echo(
        f"Wrote {paths[0]} and {paths[1]}. Start the sidecar:\n\n"
        f"  tailslide sidecar --config {config} --flags {flags}\n\n"
        "Then ask it from another terminal. The flag is on for user-1, and off for user-3:\n\n"
        "  curl 'http://127.0.0.1:4141/v1/flags/new-checkout?targeting_key=user-1'\n"
        "  curl 'http://127.0.0.1:4141/v1/flags/new-checkout?targeting_key=user-3'\n\n"
        f"Change the rollout in {paths[1]} to 70, and ask again. This says what the files do, and starts nothing:\n\n"
        f"  tailslide sidecar --config {config} --flags {flags} --check"
    )


def _first_file(name: str) -> str:
    return (files("tailslide_embedded") / "first_files" / name).read_text("utf-8")


def _with_address(text: str, field: str, address: Address) -> str:
    """Return a sidecar.yaml with this address in a field of its route, and of the comment what is before a comma."""
    line = f"    {field}: {address}".ljust(_COMMENTS_BEGIN - 1)
    return re.sub(rf"^    {field}: .* (# [^,\n]*).*$", lambda found: f"{line} {found[1]}", text, flags=re.MULTILINE)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StartError(f"{path}: cannot be written ({error.strerror or error})") from None
