"""The code blocks of a page, for tests that run them."""

import re
from pathlib import Path


def blocks(page: Path) -> dict[str, list[str]]:
    """Return the code blocks of a page in their order, by what stands behind the fence: `python`, `javascript web`."""
    found: dict[str, list[str]] = {}
    for kind, code in re.findall(r"^```(\w+(?: \w+)?)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        found.setdefault(kind, []).append(code)
    return found
