"""Files whose permissions change, for tests that may run as root, who may read everything."""

from pathlib import Path
from typing import Any

import pytest


def change_permissions(path: Path, mode: int) -> None:
    """Give a file these permissions, at a time that its file system tells from that of its last change."""
    before_ns = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before_ns:
        path.chmod(mode)


def heed_permissions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files that their owner may not read refused to everybody."""
    unpatched: Any = Path.open

    def opened(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.exists() and not path.stat().st_mode & 0o400:
            raise PermissionError(13, "Permission denied")
        return unpatched(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", opened)
