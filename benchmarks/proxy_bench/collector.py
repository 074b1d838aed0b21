"""A collector of OpenTelemetry that takes what it is sent and keeps nothing: `collector.py PORT`."""

import sys

from aiohttp import web


async def take(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


def main() -> None:
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/traces", take)
    app.router.add_get("/{path:.*}", take)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
