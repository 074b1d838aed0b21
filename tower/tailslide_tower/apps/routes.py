"""Apps over HTTP."""

from aiohttp import web

from tailslide_runtime.http import json_response
from tailslide_tower.apps.models import AppChange, AppCreate
from tailslide_tower.apps.service import AppService
from tailslide_tower.auth.middleware import TOKEN_NAME
from tailslide_tower.requests import NoFields, path_app, read_body, read_no_query, read_page

APPS = web.AppKey("apps", AppService)

routes = web.RouteTableDef()


@routes.get("/apps")
async def list_apps(request: web.Request) -> web.Response:
    """`{"apps": […], "next": key to continue after, or null}`."""
    page = read_page(request)
    found = await request.app[APPS].page(page)
    shown = found[: page.limit]
    more = len(found) > page.limit
    return json_response({"apps": [app.json() for app in shown], "next": shown[-1].key if more else None})


@routes.post("/apps")
async def create_app(request: web.Request) -> web.Response:
    """201 with the app."""
    read_no_query(request)
    app = await request.app[APPS].create(await read_body(request, AppCreate), request[TOKEN_NAME])
    answer = json_response(app.json(), 201)
    answer.headers["Location"] = f"{request.path}/{app.key}"
    return answer


@routes.get("/apps/{app}")
async def get_app(request: web.Request) -> web.Response:
    """Return one app."""
    read_no_query(request)
    return json_response((await request.app[APPS].get(path_app(request))).json())


@routes.patch("/apps/{app}")
async def change_app(request: web.Request) -> web.Response:
    """Return the app as it is then."""
    read_no_query(request)
    key = path_app(request)
    return json_response(
        (await request.app[APPS].change(key, await read_body(request, AppChange), request[TOKEN_NAME])).json()
    )


@routes.delete("/apps/{app}")
async def delete_app(request: web.Request) -> web.Response:
    """204, or 409 while it has flags or segments."""
    read_no_query(request)
    await read_body(request, NoFields)
    await request.app[APPS].delete(path_app(request), request[TOKEN_NAME])
    return web.Response(status=204)
