"""The servers that `tailslide up` can bring along: for each, how it is started, and how one sees that it serves."""

import os
import ssl
from dataclasses import dataclass, field

from tailslide_embedded.processes import ProcessSpec


@dataclass(frozen=True)
class EmbeddedServer:
    """A server to start, and the URL, credentials included, at which it will answer."""

    url: str = field(repr=False)
    process: ProcessSpec


def reason(error: BaseException) -> str:
    """Return why a server could not be reached, in the system's words where a system call failed."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, TimeoutError):
            return "no answer in time"
        if isinstance(found, ssl.SSLError):  # its number is none of the system's
            return str(found.strerror or found)
        if isinstance(found, OSError) and found.errno:
            # asyncio puts the address into the text, which our sentences name themselves; name look-ups have no errno.
            return os.strerror(found.errno) if found.errno > 0 else found.strerror or str(found)
        found = found.__cause__ or found.__context__
    text = str(error).strip().splitlines()
    return text[0].removeprefix("nats: ").rstrip(".").strip("'") if text else type(error).__name__
