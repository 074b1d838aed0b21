"""What a request is refused for before anything is sent, and whom it counts as if it names nobody. Pure but for chance.

The refusals of invalid requests are in `requests`.
"""

import secrets

from tailslide_runtime.http1.refusals import Refusal, too_large
from tailslide_runtime.http1.requests import ALLOWED, RequestHead
from tailslide_sidecar.proxy.active_route import ActiveRoute
from tailslide_sidecar.proxy.refusals import no_capacity
from tailslide_sidecar.proxy.routes import NoRoute, Switch
from tailslide_sidecar.proxy.sources import context_of

_NO_ROUTES = {
    NoRoute.NO_ROUTE: (404, "NO_ROUTE", "no route takes {method} {path} of {host}"),
    NoRoute.UNKNOWN_HOST: (421, "UNKNOWN_HOST", "no route takes the host {host}"),
    NoRoute.NOT_ALLOWED: (
        403,
        "HOST_NOT_ALLOWED",
        "no route names the host {host}, and forward_allow does not list it",
    ),
}
_A_YEAR_S = 31_536_000


def without_route(found: NoRoute, head: RequestHead) -> Refusal:
    """Refuse what no route takes."""
    status, code, message = _NO_ROUTES[found]
    return Refusal(status, code, message.format(method=head.method, path=head.path, host=head.host or "(none)"))


def beyond_limits(route: ActiveRoute, head: RequestHead, received: int) -> Refusal | None:
    """Refuse what is more than the route takes, of whose body `received` bytes are there already.

    OPTIONS that may go no further is answered here too (RFC 9110 §7.6.2).
    """
    if route.max_body_bytes is not None and max(head.length, received) > route.max_body_bytes:
        return too_large(route.max_body_bytes)
    if route.max_calls is not None and route.account.running > route.max_calls:
        return no_capacity(route.label, route.max_calls)
    if head.max_forwards == 0 and head.method == "OPTIONS":
        return Refusal(204, "", "", headers=((b"Allow", ALLOWED),))
    return None


def key_for_anonymous(switch: Switch, head: RequestHead) -> str | None:
    """Return a new targeting key for a user who has none, where the route gives them one."""
    if switch.anonymous_cookie is None or context_of(switch, head)[0]:
        return None
    return secrets.token_urlsafe(16)


def cookie_line(switch: Switch, key: str) -> bytes:
    """Return the field that gives a key to its user, beginning with CR LF."""
    cookie = f"{switch.anonymous_cookie}={key}; Path=/; Max-Age={_A_YEAR_S}; HttpOnly; SameSite=Lax"
    return b"\r\nSet-Cookie: " + cookie.encode("latin-1")
