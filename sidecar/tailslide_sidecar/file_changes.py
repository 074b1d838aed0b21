"""When a file is worth reading again: it has changed, and stands still.

The file is looked at rather than watched: a watch would miss the mounted volumes of containers, which swap a link
somewhere above the file, and network file systems; and editors put another file in its place.
"""

from pathlib import Path

from tailslide_sidecar.yaml_file import Stamp, stamp_of


class FileChanges:
    """What a file was like when it was last looked at, and when it was last read."""

    def __init__(self, path: Path, read: Stamp | None) -> None:
        """`read` is what it was like just before it was first read."""
        self._path = path
        self._read = self._seen = read

    def look(self) -> bool:
        """Whether it is another than was read and, since the last look, stood still: half of a file may be valid."""
        stamp = stamp_of(self._path)
        settled = stamp == self._seen
        self._seen = stamp
        return settled and stamp != self._read

    def reading(self) -> None:
        """Note that it is about to be read."""
        self._read = self._seen = stamp_of(self._path)
