"""docs/configuration.md says of every setting what its class says."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

DOCS = Path(__file__).parents[2] / "docs"
VARIABLE = re.compile(r"TAILSLIDE_[A-Z][A-Z_]*[A-Z]")
OF_OTHERS = {
    "TAILSLIDE_DASHBOARD",  # read when the package is built
    "TAILSLIDE_FLAGS_URL",  # an example's own, which its program reads
    "TAILSLIDE_PROXY_URL",
}


@pytest.fixture(scope="module")
def configuration() -> ModuleType:
    spec = importlib.util.spec_from_file_location("configuration", DOCS / "configuration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["configuration"] = module  # where its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def written() -> str:
    return (DOCS / "configuration.md").read_text(encoding="utf-8")


def rows(page: str) -> dict[str, str]:
    """Return the rows of all tables by their first cell."""
    return {line.split("|")[1].strip().strip("`"): line for line in page.splitlines() if line.startswith("| `")}


def test_the_page_is_what_the_classes_say(configuration: ModuleType, written: str) -> None:
    assert configuration.page(written) == written, "run docs/configuration.py"
    assert configuration.main(["--check"]) == 0


def test_a_page_that_differs_is_told(
    configuration: ModuleType, written: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stale = tmp_path / "configuration.md"
    stale.write_text(written.replace("| 250 |", "| 251 |"), encoding="utf-8")
    monkeypatch.setattr(configuration, "TARGET", stale)

    assert configuration.main(["--check"]) == 1
    assert configuration.main([]) == 0

    assert stale.read_text(encoding="utf-8") == written


def test_every_variable_that_other_pages_name_is_on_this_one(written: str) -> None:
    known = set(VARIABLE.findall(written)) | OF_OTHERS
    pages = [page for page in [DOCS.parent / "README.md", *DOCS.glob("*.md")] if page.name != "PLAN.md"]
    for page in pages:
        assert set(VARIABLE.findall(page.read_text(encoding="utf-8"))) <= known, page.name


def test_other_pages_give_the_same_default_numbers(written: str) -> None:
    defaults: dict[str, str] = {}
    prefix = ""
    for line in written.splitlines():
        if part := re.match(r"`(\w+)`[,:] ", line):
            prefix = "" if part[1] == "routes" else f"{part[1]}."
        elif line.startswith("## "):
            prefix = ""
        elif line.startswith("| `"):
            cells = [cell.strip() for cell in line.split("|")]
            defaults[prefix + cells[1].strip("`")] = cells[-3]

    compared = 0
    for page in ("sidecar.md", "aerobat.md", "access.md"):
        for name, line in rows((DOCS / page).read_text(encoding="utf-8")).items():
            given = [cell.strip() for cell in line.split("|")[2:-1] if re.fullmatch(r" [0-9]+ ", cell)]
            # There are tables of other things too; `timeout_ms` is short for another field, whose default it tells.
            if given and name in defaults and name != "timeout_ms":
                assert given == [defaults[name]], (page, name)
                compared += 1
    assert compared > 20


def test_secrets_are_marked_and_nothing_else(written: str) -> None:
    marked = {name for name, line in rows(written).items() if "**Secret.**" in line}
    assert marked == {
        "flags_token",
        "TAILSLIDE_SDK_KEY",
        "TAILSLIDE_NATS_ISSUER_SEED",
        "TAILSLIDE_API_TOKEN",
        "TAILSLIDE_BOOTSTRAP_SDK_KEY",
        "TAILSLIDE_ADMIN_PASSWORD",
        "TAILSLIDE_OIDC_CLIENT_SECRET",
    }
    urls = {name for name, line in rows(written).items() if "**Secret** if" in line}
    assert {"nats.url", "redis.url", "TAILSLIDE_DATABASE_URL", "TAILSLIDE_NATS_SYSTEM_URL"} <= urls


@pytest.mark.parametrize(
    ("name", "takes", "default"),
    [
        ("app", "1 to 63 characters", "required"),
        ("stale_after_ms", "1000 to 86400000", "30000"),
        ("socket_mode", "permissions in octal", "none"),
        ("TAILSLIDE_AEROBAT_TICK_MS", "50 to 10000", "250"),
        ("TAILSLIDE_DATABASE_URL", "[a URL](servers.md#forms)", "required"),
        ("TAILSLIDE_LOG_LEVEL", "`debug`, `info`, `warning`, `error`", "`info`"),
        ("retry_on_fallback", "`never` or `idempotent`", "`never`"),
        ("fallback", "or a list of these, or [fields of answer]", "none"),
    ],
)
def test_a_row_says_bounds_and_default(written: str, name: str, takes: str, default: str) -> None:
    cells = [cell.strip() for cell in rows(written)[name].split("|")]
    assert takes in cells[-4]
    assert cells[-3] == default


def test_a_field_that_nothing_says_the_meaning_of_is_refused(configuration: ModuleType) -> None:
    class Undescribed(BaseModel):
        size: int = 1

    with pytest.raises(ValueError, match=r"Undescribed\.size: write what it means"):
        configuration.setting(Undescribed, "size", "size", ("`size`",))
