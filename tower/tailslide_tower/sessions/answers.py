"""Answers that carry a session: its cookie, and who has it."""

from dataclasses import dataclass

from aiohttp import web

from tailslide_tower.api.routes import PRINCIPAL, Ask, BodyT, QueryT
from tailslide_tower.auth.cookies import Cookie
from tailslide_tower.auth.csrf import csrf_token
from tailslide_tower.auth.middleware import SESSION, SESSION_SECRET
from tailslide_tower.auth.principal import Principal
from tailslide_tower.sessions.service import SessionService, cookie_life
from tailslide_tower.sessions.session import OpenedSession, Session


@dataclass(frozen=True, slots=True)
class SessionDesk:
    """What routes need that open, show and end sessions."""

    service: SessionService
    cookie: Cookie
    oidc_name: str | None
    """What people call the provider that they may log in at."""


DESK = web.AppKey("session_desk", SessionDesk)
OIDC_PATH = "/session/oidc"


def answer_opened(ask: Ask[BodyT, QueryT], opened: OpenedSession) -> web.Response:
    """Return the answer that gives the browser its new session."""
    desk = ask.request.app[DESK]
    answer = ask.answer(_shown(desk, opened.principal, opened.session, opened.secret))
    desk.cookie.set(answer, opened.secret, cookie_life(opened.session))
    return answer


def shown(request: web.Request) -> dict[str, object]:
    """Return who asks, as `GET /session` shows it."""
    return _shown(request.app[DESK], request.get(PRINCIPAL), request.get(SESSION), request.get(SESSION_SECRET))


def _shown(
    desk: SessionDesk, principal: Principal | None, session: Session | None, secret: str | None
) -> dict[str, object]:
    oidc = None if desk.oidc_name is None else {"name": desk.oidc_name, "url": f"/api/v1{OIDC_PATH}"}
    return {
        "principal": None if principal is None else _principal_json(principal),
        "session": None if session is None else session.json(desk.service.lifetimes, session.id),
        "csrf_token": None if secret is None else csrf_token(secret),
        "log_in": {"password": True, "oidc": oidc},
    }


def _principal_json(principal: Principal) -> dict[str, object]:
    return {
        "kind": principal.kind,
        "id": principal.principal_id,
        "name": principal.name,
        "role": principal.role,
        "apps": dict(principal.roles),
    }
