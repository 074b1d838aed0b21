"""How long a client may go on sending after its last answer, so that it gets to read that (RFC 9112 §9.6).

What comes is discarded as it came: nothing is parsed, and nothing decompressed.
"""

import asyncio
from contextlib import suppress

LINGER_S = 5.0
LINGER_BYTES = 8 << 20
"""After so much nothing more is read, and after so long the connection is closed.

It is not closed at the bound of bytes: a client on the same machine sends so much before it looks for an answer, and
the reset would take that away from it.
"""


def end_sending(transport: asyncio.Transport) -> None:
    """Tell the client that nothing more comes, once all that was written is sent."""
    if transport.can_write_eof():
        with suppress(
            OSError
        ):  # asyncio raises where the client has reset the connection; `connection_lost` follows soon
            transport.write_eof()
