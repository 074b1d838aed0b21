"""`/enter`: the page that one-time links open, for people. It asks for what the link needs, and calls the API with it.

The secret of the link stands behind the `#` and is read by the page's script alone: what looks links up without running
scripts, as chats do for their previews, uses nothing up. The page needs no dashboard, and leads to it afterwards.
"""

from functools import cache
from importlib.resources import files

from aiohttp import web

from tailslide_tower.auth.entry_links import ENTRY_PATH

_FOLDER = files("tailslide_tower.entry") / "page"
_FILES = {"enter.js": "text/javascript", "page_path.js": "text/javascript", "enter.css": "text/css"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

routes = web.RouteTableDef()


@routes.get(ENTRY_PATH)
async def show_page(request: web.Request) -> web.Response:
    """Return the page, which is the same for every link."""
    return _answer("enter.html", "text/html")


@routes.get(f"{ENTRY_PATH}/{{file}}")
async def show_file(request: web.Request) -> web.Response:
    """Return a file of the page."""
    name = request.match_info["file"]
    if name not in _FILES:
        raise web.HTTPNotFound
    return _answer(name, _FILES[name])


def _answer(name: str, content_type: str) -> web.Response:
    return web.Response(body=_read(name), content_type=content_type, charset="utf-8", headers=_HEADERS)


@cache
def _read(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()
