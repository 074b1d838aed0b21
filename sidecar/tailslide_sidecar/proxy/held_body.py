"""A request's body on its way: framed, and kept for as long as it may have to be sent, or sent again. Pure."""

from tailslide_sidecar.proxy.forwarding import chunk, last_chunk

WAITING_BYTES = 65_536
"""How much may wait for a connection to its upstream before the client is to be held back."""


class HeldBody:
    """What has come of a body.

    Until a connection is there, everything is kept. After that only what may have to be sent again: the body of a
    method that may be carried out twice, as long as it is no larger than the limit.
    """

    __slots__ = ("_chunked", "_limit", "_size", "can_be_sent_again", "pieces", "received")

    def __init__(self, *, chunked: bool, repeatable: bool, limit: int) -> None:
        self.pieces: list[bytes] = []
        """What another connection would have to be sent, as it goes on the wire."""
        self.received = 0
        """How many bytes have come, without their framing."""
        self.can_be_sent_again = repeatable
        self._chunked = chunked
        self._limit = limit
        self._size = 0

    def add(self, data: bytes, *, waits: bool) -> bytes:
        """Take a part of it; return that part as it goes on the wire. It `waits` where there is no connection yet."""
        self.received += len(data)
        return self._keep(chunk(data) if self._chunked else data, waits)

    def end(self, trailers: list[bytes], *, waits: bool) -> bytes:
        """Take its end; return what tells of that on the wire."""
        return self._keep(last_chunk(trailers), waits) if self._chunked else b""

    def _keep(self, piece: bytes, waits: bool) -> bytes:
        if self.can_be_sent_again and self._size + len(piece) > self._limit:
            self.can_be_sent_again = False
            if not waits:
                self.pieces = []
        if waits or self.can_be_sent_again:
            self.pieces.append(piece)
            self._size += len(piece)
        return piece

    @property
    def is_too_much(self) -> bool:
        """Whether so much of it waits that the client should be held back."""
        return self._size > WAITING_BYTES

    def sent(self) -> None:
        """All that there is has been sent."""
        if not self.can_be_sent_again:
            self.pieces = []
            self._size = 0
