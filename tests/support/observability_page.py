"""What docs/observability.md lists: the first column of its tables of metrics, by process, and of log events."""

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "observability.md"
_ROW = re.compile(r"^\| `([a-z0-9_]+)` \| ([a-z/]+) \| (.*?) \|", re.MULTILINE)


def _part(title: str) -> str:
    return re.split(r"^## ", PAGE.read_text().split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def page_metrics(process: str) -> dict[str, tuple[str, set[str]]]:
    """Return the metrics of a process, each with its type and its labels."""
    section = re.split(r"^### ", _part("Metrics").split(f"\n### {process}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in _ROW.findall(section)}


def page_metrics_with_tls() -> dict[str, tuple[str, set[str]]]:
    """Return the gauges that a process has only with TLS, which the page names beneath its tables."""
    [told] = re.findall(r"^With \[TLS\]\(tls\.md\), `(\w+)`", _part("Metrics"), re.MULTILINE)
    return {told: ("gauge", set())}


def page_events() -> set[str]:
    """Return the names of all log events."""
    return {name for name, _, _ in _ROW.findall(_part("Log events"))}
