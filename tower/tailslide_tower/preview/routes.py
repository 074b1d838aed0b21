"""Previews over HTTP."""

from aiohttp import web

from tailslide_core.naming import FlagId
from tailslide_tower.api.routes import Access, Ask, Routes
from tailslide_tower.flags.routes import FLAGS
from tailslide_tower.preview.models import PreviewAsked, PreviewOut
from tailslide_tower.preview.service import PreviewService
from tailslide_tower.requests import NoQuery
from tailslide_tower.timeseries.series import SeriesUnavailableError
from tailslide_tower.timeseries.service import unavailable

PREVIEWS = web.AppKey("previews", PreviewService)

routes = Routes("graphs")


@routes.post(
    "/apps/{app}/flags/{flag}/circuit/preview",
    access=Access.VIEW,
    answer=PreviewOut,
    summary="Say what settings of a circuit would have done",
)
async def preview_circuit(ask: Ask[PreviewAsked, NoQuery]) -> web.Response:
    """On the counts that are kept: of the last hour, as finely as circuits are judged, or of a day, in sums of 10 s.

    `circuit` is read as in a change of the flag, and nothing is changed. `limits` says what this cannot know.
    """
    shown = await ask.request.config_dict[FLAGS].get(FlagId(ask.app, ask.key("flag")))
    try:
        return ask.answer(await ask.request.app[PREVIEWS].preview(shown.flag, ask.body))
    except SeriesUnavailableError as error:
        raise unavailable(error) from error
