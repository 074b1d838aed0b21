"""Who may connect to the proxy, on transports of paper. Through sockets: `tests/integration/test_proxy_limits.py`."""

from typing import Any, cast

import pytest
from wire import Wire

from tailslide_sidecar.calls import Calls
from tailslide_sidecar.proxy import listener as listener_module
from tailslide_sidecar.proxy.accounts import Accounts
from tailslide_sidecar.proxy.limits import ProxyLimits, ProxyOptions
from tailslide_sidecar.proxy.listener import ProxyListener
from tailslide_sidecar.proxy.routes import RouteTable


class FromPeer(Wire):
    """A client with an address."""

    def __init__(self, listener: ProxyListener, peer: str) -> None:
        self._peer = peer
        super().__init__(listener.protocol())

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._peer, 50_000) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Paper has room."""


async def test_a_peer_beyond_its_limit_takes_nobody_s_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "PATIENCE_S", 0.0)
    limits = ProxyLimits(max_connections=3, max_connections_per_peer=2)
    calls = cast(Calls, None)  # none is made
    listener = ProxyListener(RouteTable(()), calls, Accounts(), ProxyOptions(limits), descriptors=1_000)
    wires = [FromPeer(listener, peer) for peer in ("192.0.2.1", "192.0.2.2", "192.0.2.2")]
    refused = FromPeer(listener, "192.0.2.2")
    assert b'"TOO_MANY_CONNECTIONS"' in refused.unsent
    assert [wire.end for wire in wires] == ["", "", ""]
    assert FromPeer(listener, "192.0.2.3").end == ""
    assert "aborted" in [wire.end for wire in wires]
    assert (listener.accounts.turned_away, listener.accounts.evicted) == (1, 4)
