"""Builds the dashboard into Tower's package, `tower/tailslide_tower/dashboard/built/`; git ignores it, wheels have it.

The folder is either a whole build or a word on why there is none, and is replaced as a whole. Its `build.json` has a
digest of everything that goes in, so that nothing is done where nothing has changed.

Only the standard library is used: the hook of the wheel's build calls this, and `make dashboard` as a command.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dashboard_node import SOURCES, FailedError, Node, UnavailableError, ensure_packages

BUILT = SOURCES.parent / "tailslide_tower" / "dashboard" / "built"
RECORD = "build.json"
SITE = "site"
VARIABLE = "TAILSLIDE_DASHBOARD"
RETRY_AFTER_S = 600.0
"""What builds in passing does not ask an unreachable registry again before."""
_BUILD_LIMIT_S = 300.0
_LEFT_OUT = f"it was left out ({VARIABLE}=skip)"
_SKIPPED_FOLDERS = frozenset({"node_modules", "dist", "coverage", "__pycache__"})
_SKIPPED_ENDINGS = (".test.ts", ".test.tsx", ".tsbuildinfo", ".pyc")


class Wish(StrEnum):
    """What `TAILSLIDE_DASHBOARD` asks for."""

    AUTO = "auto"
    """Build it, and go on without where npm's packages or Node.js cannot be had."""
    REQUIRE = "require"
    """Build it or fail."""
    SKIP = "skip"
    """Leave it out."""


@dataclass(frozen=True)
class Record:
    """What `build.json` says of the folder."""

    sources: str | None = None
    missing: str | None = None
    """Why there is no dashboard, in words that follow "because"."""
    tried_at: float = 0.0


def wish_of(environ: Mapping[str, str]) -> Wish:
    """Return what is asked for; under `CI=true` that is `require` unless said otherwise."""
    text = environ.get(VARIABLE) or (Wish.REQUIRE if environ.get("CI") == "true" else Wish.AUTO)
    try:
        return Wish(text)
    except ValueError:
        raise FailedError(f"{VARIABLE}: expected one of {', '.join(Wish)}, not {text!r}") from None


def digest_of_sources() -> str:
    """Return a digest of all files that a build may read: their names and their contents."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(SOURCES):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS and not name.startswith("."))
        for name in sorted(files):
            if name.endswith(_SKIPPED_ENDINGS) or (name.startswith(".") and name != ".npmrc"):
                continue
            path = Path(folder, name)
            content = path.read_bytes()
            digest.update(f"{path.relative_to(SOURCES).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def read_record() -> Record:
    """Return what the folder is; an empty record where there is none."""
    try:
        said = json.loads((BUILT / RECORD).read_bytes())
        return Record(said.get("sources"), said.get("missing"), said.get("tried_at", 0.0))
    except (FileNotFoundError, json.JSONDecodeError):
        return Record()


def is_current() -> bool:
    """Tell whether there is a dashboard of exactly these sources."""
    record = read_record()
    return record.missing is None and record.sources == digest_of_sources()


def make_dashboard(wish: Wish, *, in_passing: bool = False) -> str | None:
    """Build the dashboard unless it is current; return None, or why there is none.

    A build `in_passing` does not ask a registry again that was out of reach a moment ago. Raises FailedError, with
    `Wish.REQUIRE` also where something cannot be had. In each case no dashboard of older sources is left.
    """
    if wish is not Wish.SKIP and is_current():
        return None
    with _alone():
        digest, record = digest_of_sources(), read_record()
        if wish is Wish.SKIP:
            _replace(Record(digest, _LEFT_OUT))
            return _LEFT_OUT
        if record.missing is None and record.sources == digest:
            return None  # built meanwhile by somebody else
        lately = 0.0 <= time.time() - record.tried_at < RETRY_AFTER_S
        if in_passing and wish is Wish.AUTO and record.missing is not None and record.sources == digest and lately:
            return record.missing
        try:
            _build(ensure_packages(development=False), digest)
        except UnavailableError as error:
            _replace(Record(digest, str(error), time.time()))
            if wish is Wish.REQUIRE:
                raise FailedError(
                    f"no dashboard could be built, because {error}; {VARIABLE}=skip leaves it out"
                ) from error
            return str(error)
        except FailedError:
            _replace(Record(None, "its build failed", time.time()))
            raise
    return None


def _build(node: Node, digest: str) -> None:
    with _new_folder() as folder:
        site = folder / SITE
        result = node.npm("run", "build", "--silent", "--", f"--outDir={site}", "--emptyOutDir", limit_s=_BUILD_LIMIT_S)
        if result.returncode != 0:
            raise FailedError(f"the build of the dashboard failed:\n{result.stdout.strip()}")
        compressed = node.script(Path(__file__).with_name("compress.mjs"), str(site))
        if compressed.returncode != 0:
            raise FailedError(f"the compression of the dashboard failed:\n{compressed.stdout.strip()}")
        _put_in_place(folder, Record(digest))


def _replace(record: Record) -> None:
    with _new_folder() as folder:
        _put_in_place(folder, record)


def _put_in_place(folder: Path, record: Record) -> None:
    said = {name: value for name, value in vars(record).items() if value}
    (folder / RECORD).write_text(json.dumps(said, indent=2) + "\n")
    old = folder.with_name("old")
    if BUILT.exists():
        BUILT.rename(old)
    folder.rename(BUILT)


@contextmanager
def _new_folder() -> Iterator[Path]:
    """Give a folder beside the final one, on the same disk; what is left of it is removed at the end."""
    with tempfile.TemporaryDirectory(prefix=".built-", dir=BUILT.parent, ignore_cleanup_errors=True) as outer:
        folder = Path(outer) / "new"
        folder.mkdir()  # with the usual permissions: Tower may run as another user
        yield folder


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process build at a time."""
    with (BUILT.parent / ".built-lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in BUILT.parent.glob(".built-*/"):
            shutil.rmtree(left, ignore_errors=True)  # of a build that was killed
        yield


def main() -> int:
    """Build the dashboard of a checkout; say what has been done, or why there is none."""
    parser = argparse.ArgumentParser(description="Build the dashboard if its sources have changed.")
    parser.add_argument("--in-passing", action="store_true", help="do not retry a registry that was unreachable lately")
    asked = parser.parse_args()
    begun, was_current = time.monotonic(), is_current()
    try:
        missing = make_dashboard(wish_of(os.environ), in_passing=asked.in_passing)
    except FailedError as error:
        print(f"make: {error}", file=sys.stderr)
        return 1
    if missing is not None:
        print(f"Tower has no dashboard, because {missing}. Everything else works; `make dashboard` builds it.")
    elif not was_current:
        print(f"Built the dashboard in {time.monotonic() - begun:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
