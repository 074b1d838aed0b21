"""`tailslide init`: a first file for a sidecar, and a first file of flags, that work at once."""

import shlex
from importlib.resources import files
from pathlib import Path

import click

from tailslide_runtime.errors import StartError

SIDECAR, FLAGS = "sidecar.yaml", "flags.yaml"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Write a first sidecar.yaml and flags.yaml into FOLDER, or into the working directory.

    They make a sidecar that needs no server and no rights. Files that exist are left alone.
    """
    paths = [folder / name for name in (SIDECAR, FLAGS)]
    there = [str(path) for path in paths if path.exists() or path.is_symlink()]
    if there:
        exist = "exists" if len(there) == 1 else "exist"
        raise StartError(f"{' and '.join(there)} {exist} already, so nothing was written; give another folder")
    for path in paths:
        _write(path, (files("tailslide_cli") / "first_files" / path.name).read_text("utf-8"))
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


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StartError(f"{path}: cannot be written ({error.strerror or error})") from None
