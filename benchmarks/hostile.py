"""What hostile clients do to the four listeners: the sidecar's flags listener and proxy, Tower and Aerobat.

Real processes on real NATS, Redis and PostgreSQL. While each attack runs, a bystander in a process of its own makes 50
proxied calls a second, over kept connections and over new ones, and asks each listener for its health: the slowest and
the failed ones are in the row, with the processor time, the memory and the descriptors of the attacked process.

    python benchmarks/hostile.py [--quick] [--json] [--markdown] [--tree DIR] [--only TEXT] [--list]
"""

import argparse
import dataclasses
import json
import resource
import sys
from pathlib import Path

import uvloop
from hostile_bench import bodies, crowds, hoards, malformed, odd, pages, questions, report
from hostile_bench.measure import Attack, Row, measure
from hostile_bench.system import running_system

from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure

ATTACKS = (
    *bodies.ATTACKS,
    *questions.ATTACKS,
    *pages.ATTACKS,
    *hoards.ATTACKS,
    *odd.ATTACKS,
    *crowds.ATTACKS,
)

MALFORMED = "malformed requests"


async def run(
    tree: Path, attacks: list[Attack], *, quick: bool, matrix: bool
) -> tuple[list[Row], list[malformed.Case]]:
    rows: list[Row] = []
    cases: list[malformed.Case] = []
    async with running_system(tree, quick=quick) as system:
        if matrix:
            say(MALFORMED)
            cases = await malformed.matrix(system)
        descriptors = 4096
        for attack in attacks:
            if attack.descriptors != descriptors:
                descriptors = attack.descriptors
                await system.restart_sidecar(descriptors)
            say(attack.name)
            try:
                rows += await measure(system, attack)
            except StartError as error:
                sys.exit(f"Error: {attack.name}: {error}")
    return rows, cases


def _is_wanted(name: str, only: list[str] | None) -> bool:
    return only is None or any(text in name for text in only)


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="smaller bombs, shorter waits, fewer attacks; under a minute"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--tree", type=Path, default=Path(__file__).parents[1], help="the checkout that is attacked")
    parser.add_argument("--only", action="append", help="only attacks whose name has this text; may be given again")
    parser.add_argument("--every", action="store_true", help="with --quick: every attack, each of them quick")
    parser.add_argument("--list", action="store_true", help="only list the attacks")
    options = parser.parse_args()
    attacks = [attack for attack in ATTACKS if _is_wanted(attack.name, options.only)]
    if options.list:
        print("\n".join([MALFORMED, *(attack.name for attack in attacks)]))
        return
    configure("hostile", LogLevel.ERROR, LogFormat.CONSOLE)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    matrix = _is_wanted(MALFORMED, options.only)
    if options.quick and not options.only and not options.every:
        attacks = [attack for attack in attacks if attack.name in report.QUICK]
    try:
        rows, cases = uvloop.run(run(options.tree.absolute(), attacks, quick=options.quick, matrix=matrix))
    except StartError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(report.markdown(rows, cases) if options.markdown else report.text(rows, cases))
    if options.json:
        every = [dataclasses.asdict(row) for row in rows] + [dataclasses.asdict(case) for case in cases]
        print(json.dumps({"benchmark": "hostile", "rows": every, "ratios": report.ratios(rows, cases)}))


if __name__ == "__main__":
    main()
