"""People at a Tower: browsers that keep cookies, with what a page of Tower's own would send."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tower_bench import Answer, Tower

COOKIE = "tailslide_session"
PASSWORD = "correct horse battery"
ADMIN = "admin@example.org"


@dataclass
class Browser:
    """A browser at one Tower or several: it sends its cookie, and, where it has logged in, the session's token."""

    tower: Tower
    cookie: str | None = None
    csrf_token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with each request; names are written with `_`."""

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Ask the API as a page does. A header that is given empty is left out."""
        sent: dict[str, Any] = {"Authorization": "", "Cookie": "" if self.cookie is None else f"{COOKIE}={self.cookie}"}
        if method != "GET" and self.csrf_token is not None:
            sent["X_CSRF_Token"] = self.csrf_token
        answer = await self.tower.call(method, path, body, **(sent | self.headers | headers))
        self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        given = answer.headers.get("Set-Cookie", "")
        name, _, rest = given.partition("=")
        if name.endswith(COOKIE):
            value = rest.partition(";")[0].strip('"')
            self.cookie = value or None
            if isinstance(answer.body, dict):
                self.csrf_token = answer.body.get("csrf_token")

    async def ok(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Ask the API and return the body of an answer that is a success."""
        answer = await self.call(method, path, body, **headers)
        assert answer.status < 300, answer
        return answer.body

    async def log_in(self, email: str = ADMIN, password: str = PASSWORD, **headers: str) -> Answer:
        """Log in with a password."""
        return await self.call("POST", "/session", {"email": email, "password": password}, **headers)

    def at(self, tower: Tower) -> "Browser":
        """Return the same browser, asking another Tower."""
        return Browser(tower, self.cookie, self.csrf_token, self.headers)


async def invite(tower: Tower, email: str, **rights: object) -> Browser:
    """Make a user with these rights, and return a browser in which it has logged in."""
    invitation = await tower.ok("POST", "/invitations", {"email": email, **rights})
    browser = Browser(tower)
    body = {"secret": secret_of(invitation["url"]), "password": PASSWORD}
    await browser.ok("POST", "/session/invitation", body)
    return browser


def secret_of(url: str) -> str:
    """Return the secret of a link."""
    return url.partition("#")[2]


@asynccontextmanager
async def actions(bench: Any) -> AsyncIterator[list[str]]:
    """Yield the actions in the log so far."""
    async with bench.connection() as connection:
        rows = await connection.fetch("SELECT action FROM log ORDER BY id")
        yield [row["action"] for row in rows]
