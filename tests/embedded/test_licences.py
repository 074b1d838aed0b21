import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", DOCS / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_says_of_each_direct_dependency_what_it_says_of_itself(licences: ModuleType) -> None:
    page = (DOCS / "licences.md").read_text(encoding="utf-8")
    assert licences.page(page) == page, "run docs/licences.py"
    for names in licences.requirements().values():
        for name in names:
            assert licences.licence(name) != "not stated", name


def test_the_page_tells_of_each_embedded_package_by_hand_too(licences: ModuleType) -> None:
    written = (DOCS / "licences.md").read_text(encoding="utf-8").partition("## Direct dependencies")[0]
    programs = [line for line in written.splitlines() if line.startswith("| ")]
    for name in licences.requirements()["embedded"]:
        assert any(f"`{name}`" in line for line in programs), name


def test_the_embedded_packages_have_upper_bounds() -> None:
    project = (DOCS.parent / "pyproject.toml").read_text(encoding="utf-8")
    lines = project.partition("\nembedded = [")[2].partition("\n]")[0].splitlines()
    requirements = [line for line in lines if line.strip().startswith('"') and "tailslide-platform" not in line]
    assert len(requirements) == 5
    for line in requirements:
        assert ">=" in line, line
        assert ",<" in line, line
