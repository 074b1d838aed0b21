"""Trying flags out over HTTP."""

from aiohttp import web

from tailslide_core.naming import FlagId
from tailslide_tower.api.routes import Access, Ask, Routes
from tailslide_tower.evaluation.models import EvaluateFlag, EvaluationOut
from tailslide_tower.evaluation.service import EvaluationService
from tailslide_tower.requests import NoQuery

EVALUATIONS = web.AppKey("evaluations", EvaluationService)

routes = Routes("flags")


@routes.post("/apps/{app}/flags/{flag}/evaluate", access=Access.VIEW, answer=EvaluationOut, summary="Try a flag out")
async def evaluate_flag(ask: Ask[EvaluateFlag, NoQuery]) -> web.Response:
    """Say who would get what, and why, line by line: of the flag as it is, or as a change would make it.

    Nothing is saved or counted. It is what sidecars answer once they have the flag as it is here.
    """
    flag_id = FlagId(ask.app, ask.key("flag"))
    return ask.answer(await ask.request.app[EVALUATIONS].evaluate(flag_id, ask.body))
