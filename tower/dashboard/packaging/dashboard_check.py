"""The dashboard's part of `make check`: its types, formatting and tests, and that its API types are those of Tower.

With `--write-types` it regenerates the API types instead: `make dashboard-types`.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from dashboard_build import Wish, wish_of
from dashboard_node import SOURCES, FailedError, Node, UnavailableError, ensure_packages

TYPES = SOURCES / "src" / "api" / "schema.d.ts"


def types_of_tower(node: Node) -> str:
    """Return the API types as TypeScript, out of the description of this checkout's Tower."""
    described = subprocess.run([sys.executable, "-m", "tailslide_tower.described"], stdout=subprocess.PIPE, check=True)
    made = subprocess.run(
        [node.program, "generate_types.mjs"],
        cwd=SOURCES,
        env=node.environment(),
        input=described.stdout,
        stdout=subprocess.PIPE,
        check=True,
    )
    return made.stdout.decode()


def check(node: Node) -> None:
    """Raise FailedError where the API types are old, or a check or a test fails; npm says what."""
    if types_of_tower(node) != TYPES.read_text():
        raise FailedError(f"{Path(*TYPES.parts[-4:])} is not what Tower's API is now: run make dashboard-types")
    for script in ("check", "test"):
        done = node.npm("run", script, "--silent")
        if done.returncode != 0:
            raise FailedError(f"npm run {script} in tower/dashboard failed:\n{done.stdout.strip()}")


def main() -> int:
    """Check, or write the types; without npm's packages say so, which is a failure only in CI."""
    parser = argparse.ArgumentParser(description="Check the dashboard, or write its API types.")
    parser.add_argument("--write-types", action="store_true", help="write src/api/schema.d.ts and check nothing")
    asked = parser.parse_args()
    try:
        node = ensure_packages(development=True)
        if asked.write_types:
            TYPES.write_text(types_of_tower(node))
        else:
            check(node)
            print("The dashboard is all right.")
    except UnavailableError as error:
        print(f"The dashboard is not checked, because {error}.", file=sys.stderr)
        return 1 if asked.write_types or wish_of(os.environ) is Wish.REQUIRE else 0
    except FailedError as error:
        print(f"make: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
