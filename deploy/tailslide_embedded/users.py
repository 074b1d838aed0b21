"""Which user a process runs as when root starts it: one of its own, that owns nothing but that process's folder.

No user is added to the system: an id that nobody has is enough. As an ordinary user everything runs as that user.
How a process changes its user is in `launch`; what it may do once it has is decided where it is started.
"""

import errno
import grp
import os
import pwd
import random
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from tailslide_runtime.errors import StartError

# The end of the range that Debian and others give to people's accounts, from its start on. Above it lie the ids of
# systemd's dynamic users (61184 to 65519); above 65535 are none in many containers.
OUR_IDS = range(59000, 60000)


@dataclass(frozen=True)
class RunAs:
    """The user and group that a child changes to. Only root can ask for that."""

    uid: int
    gid: int


def is_root() -> bool:
    """Tell whether this process may change its children's users."""
    return os.geteuid() == 0


def unused_id(taken: Collection[int]) -> int:
    """Return an id of `OUR_IDS` that is no account, no group, of no process, and not in `taken`."""
    used = set(taken) | _ids_of_processes()
    for number in random.SystemRandom().sample(OUR_IDS, len(OUR_IDS)):
        if number not in used and not has_name(number):
            return number
    raise StartError(
        f"no user id of {OUR_IDS.start} to {OUR_IDS.stop - 1} is free to run a server as: "
        f"run tailslide as an ordinary user"
    )


def has_account(uid: int) -> bool:
    """Tell whether a user id is an account's."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def has_name(number: int) -> bool:
    """Tell whether an id is an account's or a group's."""
    try:
        grp.getgrgid(number)
    except KeyError:
        return has_account(number)
    return True


def name_of(uid: int) -> str:
    """Return how a person calls a user."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user id {uid}"


def hand_over(folder: Path, user: RunAs) -> None:
    """Make `user` the owner of a folder and of what it holds, unless it is already.

    Who owned the folder may change it meanwhile, so each file is opened without following a link and looked at before
    it is given away: a file of anybody else, or one with a second name elsewhere, raises StartError. Links are left
    as they are, and so are files of root in another's folder, which are settings that root writes again. The folder
    itself comes last, so that a start that is killed goes on at the next one.
    """
    before = folder.lstat()
    if before.st_uid == user.uid:
        return
    givers = {before.st_uid, user.uid}
    for path, _, names, descriptor in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in names:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor)
                try:
                    _give(file, Path(path) / name, givers, user)
                finally:
                    os.close(file)
        _give(descriptor, Path(path), givers, user)


def _give(descriptor: int, path: Path, givers: set[int], user: RunAs) -> None:
    status = os.fstat(descriptor)
    if status.st_uid == 0 and 0 not in givers:
        return
    if status.st_uid not in givers or (stat.S_ISREG(status.st_mode) and status.st_nlink != 1):
        raise StartError(
            f"{path} was not made by a server of ours (it belongs to {name_of(status.st_uid)}, and has "
            f"{status.st_nlink} names): remove it, or start on another --data-dir"
        )
    if status.st_uid != user.uid:
        os.fchown(descriptor, user.uid, user.gid)


def check_way_of_root(path: Path) -> None:
    """Raise StartError when somebody but root could put another folder in the place of root's data folder."""
    for folder in path.parents:
        status = folder.stat()
        shared = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
        if status.st_uid != 0 or shared:
            who = name_of(status.st_uid) if status.st_uid != 0 else "others"
            raise StartError(
                f"--data-dir: {folder} can be changed by {who}, who could put another folder in the place of {path}: "
                f"choose one below folders of root, such as /var/lib/tailslide, or run tailslide as that user"
            )


def open_way(path: Path, user: RunAs) -> None:
    """Let `user` pass through our own folder, whose contents stay closed; raise StartError when a parent is closed."""
    path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o011)
    for parent in path.resolve().parents:
        if not may(parent, user, 0o1):
            raise StartError(
                f"servers do not run as root, and the users they are run as cannot enter {parent}: "
                f"choose a --data-dir elsewhere, or run tailslide as an ordinary user"
            )


def first_out_of_reach(paths: Iterable[Path], user: RunAs) -> Path | None:
    """Return the first of these files or folders that `user` cannot read (run, enter), None when there is none."""
    for path in paths:
        found = path.resolve()
        wanted = 0o5 if found.stat().st_mode & 0o100 else 0o4
        for one, bits in ((found, wanted), *((parent, 0o1) for parent in found.parents)):
            if not may(one, user, bits):
                return one
    return None


def may(path: Path, user: RunAs, wanted: int) -> bool:
    """Tell whether the mode of `path` grants the user all bits of `wanted` (4 read, 2 write, 1 execute or enter)."""
    status = path.stat()
    if status.st_uid == user.uid:
        granted = status.st_mode >> 6
    elif status.st_gid == user.gid:
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    return granted & wanted == wanted


def _ids_of_processes() -> set[int]:
    found: set[int] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            lines = (process / "status").read_text().splitlines()
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ESRCH, errno.EACCES}:  # it has ended, or hides itself
                continue
            raise
        for line in lines:
            if line.startswith(("Uid:", "Gid:")):
                found.update(int(number) for number in line.split()[1:])
    return found
