"""The cookies of Tower: the one of a session, and the one that a log-in at a provider needs for some minutes."""

from datetime import timedelta

from aiohttp import web


class Cookie:
    """A cookie that only Tower itself reads.

    Over https it is `Secure` and has the prefix `__Host-` (RFC 6265bis, section 4.1.3.2), so that no other host of the
    domain can set it.
    """

    def __init__(self, name: str, public_url: str) -> None:
        self._secure = public_url.startswith("https:")
        self.name = f"__Host-{name}" if self._secure else name

    def of(self, request: web.Request) -> str | None:
        """Return what a request has in it."""
        return request.cookies.get(self.name) or None

    def set(self, response: web.StreamResponse, value: str, life: timedelta) -> None:
        """Give it to the browser."""
        response.set_cookie(
            self.name,
            value,
            max_age=int(life.total_seconds()),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )

    @property
    def clearing(self) -> str:
        """Return the value of Set-Cookie that takes it from the browser."""
        secure = "; Secure" if self._secure else ""
        return f'{self.name}=""; HttpOnly; Max-Age=0; Path=/; SameSite=Lax{secure}'
