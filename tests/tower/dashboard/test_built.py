import json
from pathlib import Path

import pytest

from tailslide_tower.dashboard.built import NOT_BUILT, read_built
from tailslide_tower.dashboard.missing import missing_page


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_files_have_their_compressed_copies_and_types(tmp_path: Path) -> None:
    write(
        tmp_path / "site",
        {
            "index.html": b"<!doctype html>",
            "index.html.br": b"1",
            "assets/a-1.js": b"let a",
            "assets/a-1.js.br": b"2",
            "assets/a-1.js.gz": b"3",
            "assets/b.woff2": b"4",
            "archive.gz": b"5",
        },
    )
    built = read_built(tmp_path)
    assert built.missing is None
    assert sorted(built.files) == ["archive.gz", "assets/a-1.js", "assets/b.woff2", "index.html"]
    script = built.files["assets/a-1.js"]
    assert script.content_type == "text/javascript; charset=utf-8"
    assert dict(script.coded) == {"br": b"2", "gzip": b"3"}
    assert built.files["archive.gz"].content_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (
            json.dumps({"missing": "npm's registry could not be reached"}).encode(),
            "npm's registry could not be reached",
        ),
        (b"{", NOT_BUILT),
        (b"[]", NOT_BUILT),
        (b'{"missing": 1}', NOT_BUILT),
        (b'{"sources": "abc"}', NOT_BUILT),
    ],
)
def test_missing_dashboard_says_why(tmp_path: Path, record: bytes, reason: str) -> None:
    write(tmp_path, {"build.json": record})
    assert read_built(tmp_path).missing == reason


def test_folder_that_is_not_there_is_a_missing_dashboard(tmp_path: Path) -> None:
    assert read_built(tmp_path / "built").missing == NOT_BUILT


def test_reason_is_text_on_the_page() -> None:
    page = missing_page("<script>of</script>")
    assert "&lt;script&gt;of" in page
    assert "<script" not in page
