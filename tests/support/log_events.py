"""The events that the sources log, read from the sources."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tailslide_runtime.circuit_lines import EVENTS

ROOT = Path(__file__).parent.parent.parent
PACKAGES = sorted(ROOT.glob("*/tailslide_*/"))
_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
_PASSED_ON = {"tell", "_changed", "_complain", "Trouble", "Reminder"}
"""What is handed the names of events of Tower that others log."""
_ACTION = re.compile(r"(flag|notice)\.[a-z_]*[a-z]")
"""Actions of the audit log whose events have the same names, but for the point."""

COMPUTED = {
    ("tailslide_runtime/circuit_lines.py", "EVENTS[move]"),
    ("tailslide_tower/alerts/traces.py", "event"),
    ("tailslide_tower/alerts/watcher.py", "entry.action.replace('.', '_')"),
    ("tailslide_tower/flags/service.py", "action.replace('.', '_')"),
    ("tailslide_tower/publisher/store.py", "event"),
    ("tailslide_tower/publisher/trouble.py", "self._what"),
    ("tailslide_tower/publisher/trouble.py", "self._event"),
    ("tailslide_tower/publisher/trouble.py", "self._over"),
    ("tailslide_tower/segments/service.py", "event"),
}
"""Where a name is not written beside the call: the file, and the expression. `passed_on_names` has their values."""


@dataclass(frozen=True)
class Logged:
    """One call of a logger."""

    path: str
    """From the package on."""
    line: int
    name: str | None
    expression: str


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            yield str(path.relative_to(package.parent)), ast.parse(path.read_text())


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def logged() -> list[Logged]:
    """Return all calls of loggers, which are all called `log`."""
    found = []
    for path, tree in _trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if not isinstance(node.func.value, ast.Name) or node.func.value.id != "log":
                continue
            if node.func.attr in _METHODS:
                event = node.args[1 if node.func.attr == "log" else 0]
                found.append(Logged(path, node.lineno, _text(event), ast.unparse(event)))
    return found


def passed_on_names() -> set[str]:
    """Return the names that come to a logger through others."""
    names = set(EVENTS.values())
    for path, tree in _trees():
        if not path.startswith("tailslide_tower/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                words = [_text(argument) for argument in node.args] if called in _PASSED_ON else []
                names |= {word.replace(".", "_") for word in words if word is not None and " " not in word}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _ACTION.fullmatch(node.value):
                names.add(node.value.replace(".", "_"))
    return names


def event_names() -> set[str]:
    """Return the names of all events."""
    return {each.name for each in logged() if each.name is not None} | passed_on_names()
