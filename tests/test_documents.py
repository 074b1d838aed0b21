"""What the documents say is so: paths exist, commands are ours."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tailslide_sidecar.settings import load_config

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "benchmarks" / "README.md"]
PATH = re.compile(r"`((?:[A-Za-z0-9_.-]+/)+[A-Za-z0-9_.-]*)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_path_that_a_page_for_developers_names_exists(document: str) -> None:
    named = PATH.findall((ROOT / document).read_text())

    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists() and "NNNN" not in path] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text())

    assert [path for path, _ in links if not (document.parent / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_into_a_page_leads_to_one_of_its_headings(document: Path) -> None:
    links = [
        (document.parent / path if path else document, anchor) for path, anchor in LINK.findall(document.read_text())
    ]

    assert [anchor for page, anchor in links if anchor and page.suffix == ".md" and anchor not in anchors(page)] == []


def anchors(page: Path) -> set[str]:
    """Return what links may name in a page, as GitHub makes it of headings."""
    headings = re.findall(r"^#{1,6} (.+)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    words = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in words}


def test_the_readme_s_sidecar_file_is_valid(tmp_path: Path) -> None:
    blocks = [text for language, text in BLOCK.findall((ROOT / "README.md").read_text()) if language == "yaml"]
    assert len(blocks) == 1
    config = yaml.safe_load(blocks[0])
    config["snapshot"] = str(tmp_path / "snapshot.json")
    path = tmp_path / "sidecar.yaml"
    path.write_text(yaml.safe_dump(config))

    loaded = load_config(path, {})

    assert loaded.app == "checkout"
    assert len(loaded.routes) == 2


def test_every_command_of_the_readme_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    blocks = "".join(block for language, block in BLOCK.findall(text) if language == "sh")
    targets = set(re.findall(r"\bmake (\w+)", text))
    commands = set(re.findall(r"\btailslide (\w+)", blocks))

    assert {"demo", "test", "check", "bench", "help"} <= targets
    makefile = (ROOT / "Makefile").read_text()
    assert [target for target in sorted(targets) if f"\n{target}:" not in makefile] == []
    for command in sorted(commands):
        subprocess.run([sys.executable, "-m", "tailslide_embedded", command, "--help"], check=True, capture_output=True)


def test_every_log_event_that_the_operator_s_page_names_is_one_of_ours() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = [line for line in page.splitlines() if re.match(r"\| (log|came back|all|one of)", line)]
    named = {event for row in rows for event in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", row)}
    folders = ("aerobat", "runtime", "sidecar", "tower/tailslide_tower")
    sources = "".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))

    assert len(named) > 10
    # Notices are named after their entry in the log, and alerts after their occasion.
    quoted = {event: {f'"{event}"', f'"{event.replace("_", ".", 1)}"'} for event in named if "tailslide" not in event}
    assert [event for event, forms in quoted.items() if not any(form in sources for form in forms)] == []
