"""Messages that no client library sends: any bytes as a subject, any bytes as headers. NATS takes and keeps them."""

import asyncio
from urllib.parse import unquote

import orjson
from nats.aio.client import Client

TIMEOUT_S = 5.0


async def publish_raw(client: Client, subject: bytes, payload: bytes = b"", headers: bytes | None = None) -> None:
    """Publish on a connection of its own to the server of `client`; return once the server has read it."""
    url = client.connected_url
    assert url is not None
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        try:
            await reader.readline()  # INFO
            credentials = {"user": url.username, "pass": unquote(url.password or "")}
            options = {"verbose": False, "pedantic": False, "headers": True, **credentials}
            writer.write(b"CONNECT " + orjson.dumps(options) + b"\r\n")
            if headers is None:
                writer.write(b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload))
            else:
                sizes = len(headers), len(headers) + len(payload)
                writer.write(b"HPUB %b %d %d\r\n%b%b\r\n" % (subject, *sizes, headers, payload))
            writer.write(b"PING\r\n")
            await writer.drain()
            assert await reader.readline() == b"PONG\r\n"
        finally:
            writer.close()
            await writer.wait_closed()
