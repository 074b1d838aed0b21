"""A straightforward reverse proxy with aiohttp's server and client on uvloop: what one writes in an afternoon.

Streams both ways, leaves hop-by-hop fields out, adds X-Forwarded-For. No timeouts, no retries, no upgrades.
As a script: `plain.py <port> <upstream's port> <port of the upstream for uploads>`.
"""

import sys

import aiohttp
import uvloop
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from proxy_bench.loads import Path

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
     "upgrade"}
)  # fmt: skip


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)


def application(upstream: str, uploads: str) -> web.Application:
    """Return the proxy for two upstreams, given as `http://host:port`."""
    session_key = web.AppKey("session", aiohttp.ClientSession)

    async def session(app: web.Application):  # type: ignore[no-untyped-def] # aiohttp's context of an application
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        ) as app[session_key]:
            yield

    async def forward(request: web.Request) -> web.StreamResponse:
        headers = _end_to_end(request.headers)
        headers.add("X-Forwarded-For", request.remote or "")
        async with request.app[session_key].request(
            request.method,
            (uploads if request.path == Path.UPLOAD else upstream) + request.raw_path,
            headers=headers,
            data=request.content if request.body_exists else None,
            allow_redirects=False,
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=_end_to_end(answer.headers))
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", forward)
    return app


def main(port: int, upstream: int, uploads: int) -> None:
    """Serve until SIGTERM."""
    app = application(f"http://127.0.0.1:{upstream}", f"http://127.0.0.1:{uploads}")
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
