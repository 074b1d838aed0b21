"""`/api/v1/openapi.json`: the description of the API, for tools and for the page to try it."""

from aiohttp import web

from tailslide_tower.api.openapi import description_of
from tailslide_tower.api.routes import OPERATIONS, Access, Plain, Routes

routes = Routes("description")


@routes.get(
    "/openapi.json", access=Access.PUBLIC, answer=dict[str, object], summary="The description of the API in OpenAPI 3.1"
)
async def show_description(ask: Plain) -> web.Response:
    """Generated from the routes of this very Tower."""
    return ask.answer(description_of(ask.request.config_dict[OPERATIONS].values()))
