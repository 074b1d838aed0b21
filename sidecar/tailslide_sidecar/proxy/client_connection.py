"""One connection of a client: requests come in one after another, and are answered in that order.

What a request is, `requests` says; what becomes of it is `exchange`'s. Here is what belongs to the connection: requests
that came too early, back-pressure, time limits of the client, and an end at which no answer is lost.
"""

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

from tailslide_runtime.http1.lingering import LINGER_BYTES, LINGER_S, end_sending
from tailslide_runtime.http1.messages import END, End
from tailslide_runtime.http1.refusals import SLOW_BODY, SLOW_HEAD, TOO_MANY_CONNECTIONS, Refusal, own_answer
from tailslide_runtime.http1.requests import Event, Leftover, RequestHead, RequestReader
from tailslide_sidecar.proxy.exchange import Exchange, Phase
from tailslide_sidecar.proxy.forwarding import Origin

if TYPE_CHECKING:  # each knows the other
    from tailslide_sidecar.proxy.listener import ProxyListener
    from tailslide_sidecar.proxy.tunnel import Tunnel

WRITE_HIGH_BYTES = 262_144
BACKLOG_BYTES = 65_536
"""How much of requests that came too early is kept, as it came, before the client is held back."""
AT_ONCE = 32
"""How many requests that came too early may be begun one after another before all others have their turn."""
_RESET = struct.pack("ii", 1, 0)


class ClientConnection(asyncio.Protocol):
    """A client, until it is gone."""

    __slots__ = (
        "_backlog",
        "_discarded",
        "_early",
        "_early_from",
        "_exchange",
        "_leftover",
        "_lingers",
        "_peer",
        "_reader",
        "_reading_paused",
        "_running",
        "_since_s",
        "_transport",
        "_tunnel",
        "_turn_is_over",
        "_unsent",
        "closes",
        "held_back",
        "listener",
        "origin",
        "writing_paused",
    )

    def __init__(self, listener: "ProxyListener") -> None:
        self.listener = listener
        self.origin = Origin(None, trusted=False)
        self.closes = False
        """Whether the answer that is being sent is the last."""
        self.writing_paused = False
        self.held_back = False
        """Whether the exchange takes no more of the request for now."""
        self._transport: asyncio.Transport | None = None
        self._peer: str | None = None
        self._reader = RequestReader(listener.limits)
        self._exchange: Exchange | None = None
        self._backlog: deque[Event] = deque()
        """What came to be read already, and is not its turn."""
        self._early = b""
        """Bytes behind that, unread from `_early_from` on."""
        self._early_from = 0
        self._leftover: Leftover | None = None
        self._tunnel: Tunnel | None = None
        self._reading_paused = False
        self._lingers = False
        self._discarded = 0
        self._running = False
        self._turn_is_over = False
        self._since_s = listener.now_s
        self._unsent = 0

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else None
        self.judge_peer()
        if not self.listener.opened(self, self._peer):
            self._refuse(TOO_MANY_CONNECTIONS)
            if self.listener.clients.is_flooded:
                self.close()

    def judge_peer(self) -> None:
        """See whether the client is one of those whose word is believed now."""
        self.origin = Origin(self._peer, trusted=self.listener.options.is_trusted(self._peer))

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._transport = None
        self.listener.gone(self, self._peer)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone()
        if self._tunnel is not None:
            self._tunnel.end()

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self._tunnel is not None:
            self._tunnel.up(data)
            return
        if self._leftover is not None:
            self._leftover.data += data
            self._hold_early()
            return
        if self._lingers:
            self._discarded += len(data)
            self._set_reading()
            return
        exchange = self._exchange
        if self._early or (exchange is not None and exchange.request_complete):
            self._come_early(data)
            self._hold_early()
            return
        reader = self._reader
        begun = reader.has_begun
        if exchange is None and (self.writing_paused or self._backlog) and not begun:
            self._come_early(data)
            self._hold_early()
            return
        events = reader.feed(data)
        if reader.stopped_at < len(data):
            self._early, self._early_from = data, reader.stopped_at
        elif exchange is None and events and not self._backlog and not self.writing_paused:
            head, parts = events[0], len(events)
            if head.__class__ is RequestHead and head.opening and events[-1] is END and parts <= 3:
                # One whole request, with its body in one piece or none, as nearly all are.
                self._exchange = exchange = self.listener.new_exchange(self, head)
                if parts == 3:
                    exchange.take_body(events[1])  # type: ignore[arg-type] # between a head and an end there is nothing else
                exchange.request_complete = True
                exchange.launch()
                return
        if events or not begun:
            self._since_s = self.listener.now_s  # a head that drips in has the time from its first byte on
        self._take(events)

    def _own_in_origin_form(self, head: RequestHead) -> RequestHead:
        """Return a head whose target is not absolute if it names this proxy itself."""
        if head.absolute and self.listener.is_own(head.authority):
            head.absolute = False
        return head

    def pause_writing(self) -> None:
        """The client takes no more."""
        self.writing_paused = True
        self._unsent = 0  # as much of another answer is no sign of standing still
        owner = self._exchange or self._tunnel
        if owner is not None:
            owner.client_paused()

    def resume_writing(self) -> None:
        """Go on."""
        self.writing_paused = False
        owner = self._exchange or self._tunnel
        if owner is not None:
            owner.client_resumed()
        else:
            self._go_on()

    # Requests

    def _take(self, events: list[Event]) -> None:
        """Let the exchange have what belongs to it; what comes too early waits."""
        self._backlog.extend(events)
        if self._backlog:
            self._go_on()

    def _come_early(self, data: bytes) -> None:
        """Keep what nobody can deal with yet."""
        self._early = self._early[self._early_from :] + data if self._early else data
        self._early_from = 0

    def _unread(self) -> bytes:
        """Take out what has not been read."""
        early, self._early = self._early[self._early_from :], b""
        self._early_from = 0
        return early

    def _handle(self, event: Event) -> bool:
        """Carry out an event; say whether it is its turn."""
        exchange = self._exchange
        kind = event.__class__
        if kind is RequestHead:
            if exchange is not None or self.writing_paused or self._lingers:
                return False
            self._exchange = self.listener.new_exchange(self, self._own_in_origin_form(event))  # type: ignore[arg-type] # as asked for by its class
        elif kind is bytes:
            if exchange is not None:
                exchange.request_body(event)  # type: ignore[arg-type] # as above
        elif kind is End:
            if exchange is not None:
                exchange.request_end(event.trailers)  # type: ignore[union-attr] # as above
        elif kind is Leftover:
            return self._take_leftover(event)  # type: ignore[arg-type] # as above
        else:
            assert isinstance(event, Refusal)
            if exchange is None:
                self.listener.accounts.refused += 1
                self._refuse(event)
            elif exchange.request_complete:
                return False
            else:
                if exchange.phase is Phase.NEW:
                    self.listener.accounts.refused += 1
                exchange.client_failed(event)
        return True

    def _take_leftover(self, leftover: Leftover) -> bool:
        exchange = self._exchange
        if exchange is not None and exchange.head.upgrade:
            leftover.data += self._unread()
            self._leftover = leftover  # what it is, the answer says
            return True
        if exchange is not None:
            return False
        # Nobody asked the upstream to switch: these are requests like all others.
        self._early, self._early_from = leftover.data + self._unread(), 0
        return True

    def _go_on(self) -> None:
        """Begin with what came too early, as long as each is answered at once."""
        if self._running or self._turn_is_over or self._transport is None or self._transport.is_closing():
            return  # what nobody can get an answer to any more is not begun with
        self._running = True
        begun = 0
        while True:
            self._work_off()
            exchange = self._exchange
            if exchange is not None and exchange.phase is Phase.NEW:
                if begun == AT_ONCE:
                    # Each may be refused at once, and thousands fit in what comes at once.
                    self._turn_is_over = True
                    asyncio.get_running_loop().call_soon(self._next_turn)
                    break
                begun += 1
                exchange.launch()
            elif self._backlog or not self._read_early():
                break
        self._running = False
        self._hold_early()

    def _work_off(self) -> None:
        backlog = self._backlog
        while backlog and not self._lingers:
            event = backlog.popleft()
            if not self._handle(event):
                backlog.appendleft(event)
                break

    def _read_early(self) -> bool:
        """Read on in what came too early, up to the end of a request, if that can be dealt with; say whether it was."""
        exchange = self._exchange
        if not self._early or self._lingers or self._leftover is not None:
            return False
        if self.writing_paused if exchange is None else exchange.request_complete:
            return False
        reader = self._reader
        if not reader.has_begun:
            self._since_s = self.listener.now_s
        self._backlog.extend(reader.feed(self._early, self._early_from))
        self._early_from = reader.stopped_at
        if self._early_from == len(self._early):
            self._unread()
        return True

    def _next_turn(self) -> None:
        self._turn_is_over = False
        self._go_on()

    def exchange_done(self) -> None:
        """The answer is sent: on to the next request, or to the end."""
        exchange, self._exchange = self._exchange, None
        self._since_s = self.listener.now_s
        if self.closes:
            if exchange is not None and exchange.request_complete and not self._backlog and not self._early:
                self.close()
            else:
                self._linger()
            return
        leftover, self._leftover = self._leftover, None
        if leftover is not None and leftover.data:
            # The upstream would not switch: what came behind are requests.
            self._early, self._early_from = leftover.data + self._unread(), 0
            self._go_on()
        elif self._backlog or self._early:
            self._go_on()
        elif self.listener.closing:
            self.close()

    def open_tunnel(self, tunnel: "Tunnel") -> None:
        """From here on bytes are handed on as they come."""
        self._exchange = None
        self._tunnel = tunnel
        if self.writing_paused:
            tunnel.client_paused()
        leftover, self._leftover = self._leftover, None
        if leftover is not None and leftover.data:
            tunnel.up(leftover.data)
        self._hold_early()

    # Back-pressure

    def may_send(self) -> None:
        """Give it all of its time for the body: until now it had no leave to send that."""
        self._since_s = self.listener.now_s

    def hold_back(self, held_back: bool) -> None:
        """Take no more from the client for now, or take it again."""
        if held_back is not self.held_back:
            self.held_back = held_back
            self._set_reading()

    def _hold_early(self) -> None:
        if self._reading_paused or self._early or self._turn_is_over or self._leftover is not None:
            self._set_reading()

    def _set_reading(self) -> None:
        early = len(self._early) - self._early_from if self._leftover is None else len(self._leftover.data)
        if self._lingers:
            paused = self._discarded > LINGER_BYTES
        else:
            paused = self.held_back or self._turn_is_over or early > BACKLOG_BYTES
        transport = self._transport
        if paused is self._reading_paused or transport is None or transport.is_closing():
            return
        self._reading_paused = paused
        if paused:
            transport.pause_reading()
        else:
            self._since_s = self.listener.now_s  # it could not send anything before
            transport.resume_reading()

    # Answers

    def write(self, data: bytes) -> None:
        """Send."""
        if self._transport is not None:
            self._transport.write(data)

    def write_own(self, status: int, body: bytes, headers: bytes, request: RequestHead | None) -> None:
        """Send an answer of our own."""
        self.write(own_answer(status, body, headers, self.listener.date_line, request=request, closes=self.closes))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer an invalid request, and end."""
        self.closes = True
        self.write_own(refusal.status, refusal.body(), refusal.block(), None)
        self._linger()

    # The end

    def _linger(self) -> None:
        """End in a way that the client gets to read its answer: a reset would take that away from it."""
        self._lingers = True
        self._discarded = 0
        self._backlog.clear()
        self._unread()
        self._leftover = None
        self._since_s = self.listener.now_s
        self._set_reading()
        if self._transport is not None:
            end_sending(self._transport)

    def break_off(self, *, tells_end: bool) -> None:
        """End in a way that the client notices that its answer is not whole.

        Where the answer's framing does not tell its end, the connection is reset.
        """
        self._exchange = None
        transport = self._transport
        if transport is None:
            return
        if not tells_end:
            client_socket = transport.get_extra_info("socket")
            client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
        else:
            transport.close()

    def close(self) -> None:
        """End when all is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End now."""
        if self._transport is not None:
            self._transport.abort()

    def close_when_idle(self) -> None:
        """End now if nothing is under way, else with the answer."""
        if not self.is_busy and not self._reader.has_begun and not self._lingers:
            self.close()

    @property
    def is_busy(self) -> bool:
        """Whether a call or a tunnel is under way."""
        return self._exchange is not None or self._tunnel is not None

    def waits_since(self) -> float | None:
        """Return since when the client is waited for; None while a call or a tunnel is under way."""
        return None if self.is_busy else self._since_s

    def end_if_late(self, now_s: float) -> None:
        """End what takes too long, as far as it is the client who does."""
        transport, limits = self._transport, self.listener.limits
        if transport is None:
            return
        waited_s = now_s - self._since_s
        unsent = transport.get_write_buffer_size()
        if unsent and (self.writing_paused or self._lingers or transport.is_closing()):
            self._end_if_unread(unsent, now_s)
        elif self._tunnel is not None:
            return
        elif self._lingers:
            if waited_s > LINGER_S:
                self.abort()
        elif self._exchange is not None:
            if self._exchange.waits_for_body and waited_s * 1000 > limits.body_timeout_ms:
                self._exchange.client_failed(SLOW_BODY)
        elif self._reader.has_begun:
            if waited_s * 1000 > limits.head_timeout_ms:
                self._refuse(SLOW_HEAD)
        elif waited_s * 1000 > limits.idle_timeout_ms:
            self.close()

    def _end_if_unread(self, unsent: int, now_s: float) -> None:
        """Give up a client that takes nothing of its answer for too long."""
        if unsent != self._unsent:
            self._unsent, self._since_s = unsent, now_s
        elif (now_s - self._since_s) * 1000 > self.listener.limits.body_timeout_ms:
            self.abort()
