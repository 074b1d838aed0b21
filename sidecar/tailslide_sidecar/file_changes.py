"""When a file is worth reading again: it has changed or could not be read, and stands still.

The file is looked at rather than watched: a watch would miss the mounted volumes of containers, which swap a link
somewhere above the file, and network file systems; and editors put another file in its place.
"""

from pathlib import Path

from tailslide_sidecar.yaml_file import Stamp, stamp_of


class FileChanges:
    """What a file was like when it was last looked at, and when it was last read.

    `unread` is set by the reader when the file could not be read: that may pass without a change of the file.
    """

    def __init__(self, path: Path | None, read: Stamp | None) -> None:
        """`read` is what it was like just before it was first read. Without a path, nothing ever changes."""
        self._path = path
        self._read = self._seen = read
        self.unread = False

    def look(self) -> bool:
        """Whether it is to be read and, since the last look, stood still: half of a file may be valid."""
        stamp = self._stamp()
        settled = stamp == self._seen
        self._seen = stamp
        return settled and (self.unread or stamp != self._read)

    def reading(self) -> None:
        """Note that it is about to be read."""
        self._read = self._seen = self._stamp()
        self.unread = False

    def _stamp(self) -> Stamp | None:
        return None if self._path is None else stamp_of(self._path)
