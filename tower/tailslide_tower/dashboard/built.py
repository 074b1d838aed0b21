"""The files of the built dashboard, read once at the start, so that a later build changes nothing of a running Tower.

`built/` is written by `tower/dashboard/build.py`: `built/site/` holds what is served, each text also compressed (`.br`,
`.gz`), and `built/build.json` says out of which sources it was made or, where there is no site, why.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

BUILT = Path(__file__).parent / "built"
INDEX = "index.html"
NOT_BUILT = "this package was built without it"
_CODINGS = {"br": "br", "gz": "gzip"}
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One file of the dashboard, in all codings that it is kept in."""

    content_type: str
    digest: str
    """Of its content without a coding, in hexadecimal."""
    plain: bytes = field(repr=False)
    coded: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Its content by coding: `br`, `gzip`."""


@dataclass(frozen=True, slots=True)
class BuiltDashboard:
    """The dashboard's files by their paths, such as `index.html` and `assets/index-B8x2.js`."""

    files: Mapping[str, BuiltFile]
    missing: str | None = None
    """Why there is no dashboard, in words that follow "because"; None where there is one."""

    def __repr__(self) -> str:
        what = f"{len(self.files)} files" if self.missing is None else f"missing: {self.missing}"
        return f"<BuiltDashboard {what}>"


def read_built(folder: Path = BUILT) -> BuiltDashboard:
    """Read the built dashboard. Without one, the answer says why; nothing is raised."""
    site = folder / "site"
    if not (site / INDEX).is_file():
        return BuiltDashboard({}, _reason(folder / "build.json"))
    found = {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    coded: dict[str, dict[str, bytes]] = {}
    for name in sorted(found):
        whole, _, suffix = name.rpartition(".")
        if suffix in _CODINGS and whole in found:
            coded.setdefault(whole, {})[_CODINGS[suffix]] = found.pop(name)
    return BuiltDashboard(
        {
            name: BuiltFile(
                _TYPES.get(Path(name).suffix, "application/octet-stream"),
                hashlib.sha256(content).hexdigest()[:32],
                content,
                coded.get(name, {}),
            )
            for name, content in found.items()
        }
    )


def _reason(record: Path) -> str:
    try:
        said = orjson.loads(record.read_bytes())
    except (OSError, ValueError):
        return NOT_BUILT
    missing = said.get("missing") if isinstance(said, dict) else None
    return missing if isinstance(missing, str) else NOT_BUILT
