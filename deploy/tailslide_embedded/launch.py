"""Become another program, as another user if asked, and die with the process that asked for it.

Run as a script between fork and exec, so that nothing of this happens in a forked copy of a process that has threads.
Imports nothing of Tailslide: it has to start in a few milliseconds. Not a supervisor: it is gone after the exec.

    python -I -S launch.py <parent pid> <signal at the parent's death> <uid or -> <gid or -> <program> [argument …]
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def _die_with(parent: int, death_signal: int) -> None:
    if sys.platform != "linux":
        return  # no such request elsewhere; the lock of the data folder still tells of leftover servers
    _prctl(_PR_SET_PDEATHSIG, death_signal, "PR_SET_PDEATHSIG")
    if os.getppid() != parent:  # it died before the request was made, so no signal will come
        sys.exit(1)


def _prctl(option: int, value: int, name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({name}) failed")


def main(arguments: list[str]) -> None:
    """Change the user, ask for the signal, and exec; returns only by an exception."""
    parent, death_signal, uid, gid, *argv = arguments
    # A shell starts background jobs with SIGINT ignored, and an ignored signal stays ignored across exec.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What the program writes is for its user alone.
    os.umask(0o077)
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
        if sys.platform == "linux":  # and no program with a set-user-id bit leads back
            _prctl(_PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS")
    # After the change of user, which forgets the request.
    _die_with(int(parent), int(death_signal))
    try:
        os.execv(argv[0], argv)  # noqa: S606  a shell is what this must not be
    except OSError as error:
        sys.exit(f"{argv[0]} cannot be executed: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
