"""The dashboard over HTTP: `/` and its other pages, which are all `index.html`, and the files that this one names.

It is the last subject in the router: what is neither of the API nor of operators is a page of the dashboard.
"""

from http import HTTPStatus

import structlog
from aiohttp import web

from tailslide_tower.dashboard.built import INDEX, BuiltDashboard, BuiltFile
from tailslide_tower.dashboard.encodings import choose_coding
from tailslide_tower.dashboard.missing import missing_page

log = structlog.get_logger()

DASHBOARD = web.AppKey("dashboard", BuiltDashboard)

CONTENT_SECURITY_POLICY = (
    # Mantine sets styles on elements, which is `unsafe-inline`; scripts are those of the build alone.
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_ASKED_EACH_TIME = "no-cache"
_FOREVER = "public, max-age=31536000, immutable"
"""For files whose names have a hash of their content."""
_NOT_PAGES = "api|assets|enter|healthz|metrics|readyz"

routes = web.RouteTableDef()


def provide(app: web.Application, dashboard: BuiltDashboard) -> None:
    """Serve a dashboard with an application, whose other routes are all there; say in the log if it is missing."""
    if dashboard.missing is not None:
        log.warning("dashboard_missing", reason=dashboard.missing)
    app[DASHBOARD] = dashboard
    app.add_routes(routes)


@routes.get("/assets/{file:.+}")
async def show_asset(request: web.Request) -> web.Response:
    """Return a file that `index.html` names."""
    file = request.app[DASHBOARD].files.get(f"assets/{request.match_info['file']}")
    if file is None:
        raise web.HTTPNotFound
    return _answer(request, file, _FOREVER)


@routes.get(rf"/{{page:(?!(?:{_NOT_PAGES})(?:/|$)).*}}")
async def show_page(request: web.Request) -> web.Response:
    """Return `index.html`, whose script shows the page of this path, or a file beside it, such as an icon."""
    dashboard, name = request.app[DASHBOARD], request.match_info["page"]
    if dashboard.missing is not None:
        # An error that may pass, so that no browser and no proxy keeps it, and that a check of the page's status sees.
        return web.Response(
            text=missing_page(dashboard.missing),
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            content_type="text/html",
            headers=_HEADERS | {"Cache-Control": "no-store"},
        )
    if "/" not in name and "." in name:  # a file: no page of the dashboard is called so
        file = dashboard.files.get(name)
        if file is None:
            raise web.HTTPNotFound
        return _answer(request, file, _ASKED_EACH_TIME)
    return _answer(request, dashboard.files[INDEX], _ASKED_EACH_TIME)


def _answer(request: web.Request, file: BuiltFile, cache_control: str) -> web.Response:
    coding = choose_coding(request.headers.getall("Accept-Encoding", ()), file.coded)
    etag = file.digest if coding is None else f"{file.digest}-{coding}"
    headers = _HEADERS | {"Cache-Control": cache_control, "ETag": f'"{etag}"', "Vary": "Accept-Encoding"}
    known = request.if_none_match or ()
    if any(tag.value in {etag, "*"} for tag in known):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers["Content-Type"] = file.content_type
    if coding is not None:
        headers["Content-Encoding"] = coding
    return web.Response(body=file.plain if coding is None else file.coded[coding], headers=headers)
