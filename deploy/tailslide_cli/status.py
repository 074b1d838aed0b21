"""`tailslide status`: which circuits are open, since when, why, and what happens next."""

from typing import Any

import click

from tailslide_cli.options import as_json, ask, console, print_json
from tailslide_cli.tower_api import TowerApi


@click.command()
@click.option("--app", metavar="APP", help="Only the flags of this app.")
@click.option(
    "--check",
    is_flag=True,
    help="For scripts and CI: exit with status 3 when a circuit is open, recovering or held open by a person.",
)
@as_json
def status(app: str | None, *, check: bool, as_json: bool) -> None:
    """Show which circuits are open, since when, why, and what happens next.

    Lines that begin with `!` say what keeps Tailslide itself from working: no Aerobat judges circuits, changes are not
    published, or sidecars are lost.
    """

    async def question(tower: TowerApi) -> Any:
        return await tower.get("/status", app=app)

    told = ask(question)
    if as_json:
        print_json(told)
    else:
        out = console()
        for sentence in told["troubles"]:
            out.print(f"! {sentence}")
        for flag in told["flags"]:
            out.print(f"{flag['app']}.{flag['key']}  [{flag['state']['word']}]")
            out.print(f"  {flag['state']['sentence']}")
        if not told["flags"]:
            out.print(told["sentence"])
    if check and told["flags"]:
        raise SystemExit(3)
