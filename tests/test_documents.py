"""What the documents say is so: paths exist, commands are ours."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tailslide_sidecar.settings import load_config

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
PATH = re.compile(r"`((?:[A-Za-z0-9_.-]+/)+[A-Za-z0-9_.-]*)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def test_every_path_that_the_architecture_names_exists() -> None:
    named = PATH.findall((ROOT / "ARCHITECTURE.md").read_text())

    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


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
