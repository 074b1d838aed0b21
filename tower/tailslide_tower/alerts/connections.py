"""Connections of webhooks, which lead to no address that the rules refuse.

The check is made on the very address that a socket is opened for, after names were resolved. A name that answers
differently the second time (DNS rebinding), an address in another spelling, a name with public and private addresses:
none of these leads elsewhere. Proxies of the environment are not used, since they would resolve names themselves.

Fails closed: a name that cannot be resolved and an address that cannot be read are not connected to.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tailslide_core.errors import ContractError
from tailslide_tower.alerts.addresses import AddressRules, WebhookUrl, special_kind

RESOLVE_TIMEOUT_S = 5.0
RESOLVERS = 4
"""Threads that wait for names: their own, so that a dead name server does not hold up what else uses threads."""


class RefusedAddressError(OSError):
    """The rules do not let webhooks lead to this address; the text says which and why."""


class Names(Protocol):
    """Who knows the addresses of a host."""

    async def resolve(self, host: str, family: socket.AddressFamily) -> Sequence[str]:
        """Return the addresses of a host; raise `OSError` where there are none."""


class SystemNames:
    """Names as the system resolves them, in threads of their own. Close it at the end."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVERS, "webhook-names")

    async def resolve(self, host: str, family: socket.AddressFamily) -> Sequence[str]:
        """Ask the system; raises `OSError`, of which `TimeoutError` is one."""

        def look_up() -> Sequence[Any]:
            return socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)

        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return list(dict.fromkeys(str(info[4][0]) for info in found))

    def close(self) -> None:
        """Resolve nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class CheckedAddresses(AbstractResolver):
    """A resolver that gives only the addresses that may be connected to, and a factory of sockets for only those."""

    def __init__(self, names: Names, rules: AddressRules) -> None:
        self._names = names
        self._rules = rules
        self.all_public = True
        """Whether each address that was connected to so far is a public one."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the allowed ones of a host's addresses; raise `RefusedAddressError` where all are refused."""
        addresses = await self._names.resolve(host, family)
        allowed = [address for address in addresses if self._rules.refusal(address) is None]
        if not allowed:
            raise self._refusal(host, addresses)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in allowed
        ]

    def _refusal(self, host: str, addresses: Sequence[str]) -> OSError:
        for address in addresses:
            if kind := self._rules.refusal(address):
                return RefusedAddressError(self._rules.sentence(f"{host} resolves to {address}, which", kind))
        return OSError(f"{host} has no address")

    async def close(self) -> None:
        """Nothing to close: the names are another's."""

    def socket_for(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Return a socket for an address that is connected to next; raise `RefusedAddressError`."""
        family, kind, protocol, _, target = address
        host = str(target[0])
        if refusal := self._rules.refusal(host):
            raise RefusedAddressError(self._rules.sentence(host, refusal))
        self.all_public = self.all_public and special_kind(host) is None
        return socket.socket(family=family, type=kind, proto=protocol)


async def check_name(url: WebhookUrl, names: Names, rules: AddressRules, field: str = "url") -> None:
    """Raise `ContractError` where the URL's host leads to refused addresses only, as far as can be known now.

    A name that cannot be resolved now may be so later; its deliveries will say.
    """
    try:
        await CheckedAddresses(names, rules).resolve(url.host)
    except RefusedAddressError as error:
        raise ContractError(field, str(error)) from error
    except OSError:
        return


def connector(addresses: CheckedAddresses) -> aiohttp.TCPConnector:
    """Return a connector for one request, which connects to checked addresses only."""
    return aiohttp.TCPConnector(
        resolver=addresses, socket_factory=addresses.socket_for, use_dns_cache=False, force_close=True
    )
