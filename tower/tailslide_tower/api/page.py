"""`/api/docs`: a page to read the API's description and to try it. All of it is served from here."""

import gzip
from functools import cache
from importlib.resources import files

from aiohttp import web

_FOLDER = files("tailslide_tower.api") / "swagger_ui"
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_PACKED = frozenset({"swagger-ui-bundle.js", "swagger-ui.css"})
_SERVED = _PACKED | {"start.js"}
_HEADERS = {
    # Swagger UI sets styles on elements; scripts are those of this page alone.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

routes = web.RouteTableDef()


@routes.get("/api/docs")
async def show_page(request: web.Request) -> web.Response:
    """Return the page. No token is needed: it shows what `openapi.json` does."""
    return _answer(request, "index.html")


@routes.get("/api/docs/{file}")
async def show_file(request: web.Request) -> web.Response:
    """Return a file of the page."""
    name = request.match_info["file"]
    if name not in _SERVED:
        raise web.HTTPNotFound
    return _answer(request, name)


def _answer(request: web.Request, name: str) -> web.Response:
    headers = dict(_HEADERS)
    if name in _PACKED and "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        headers["Vary"] = "Accept-Encoding"
        body = _read(f"{name}.gz")
    else:
        body = gzip.decompress(_read(f"{name}.gz")) if name in _PACKED else _read(name)
    return web.Response(body=body, content_type=_TYPES[name.rpartition(".")[2]], charset="utf-8", headers=headers)


@cache
def _read(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()
