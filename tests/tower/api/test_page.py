import gzip
import hashlib
import re
from importlib.resources import files

FOLDER = files("tailslide_tower.api") / "swagger_ui"


def test_files_are_those_that_the_readme_names() -> None:
    """What is compressed nobody reads; this says that it is what was published."""
    named = dict(re.findall(r"^\| (\S+) \| ([0-9a-f]{64}) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE))
    assert named.keys() == {"swagger-ui-bundle.js", "swagger-ui.css"}
    for name, expected in named.items():
        unpacked = gzip.decompress((FOLDER / f"{name}.gz").read_bytes())
        assert hashlib.sha256(unpacked).hexdigest() == expected


def test_page_asks_no_other_host() -> None:
    for name in ("index.html", "start.js"):
        assert not re.search(r"https?://|//[a-z]", (FOLDER / name).read_text().replace("// Shows", "")), name
