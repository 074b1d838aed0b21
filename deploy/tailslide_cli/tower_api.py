"""Asking Tower, as any client does: JSON over HTTP, a token, and errors that are sentences."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import click
import orjson

from tailslide_cli.credentials import CA_FILE, Credentials
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId

TIMEOUT_S = 30.0
_Result = TypeVar("_Result")


class RefusedError(click.ClickException):
    """Tower has refused, or cannot be reached; the message says why and what to do. Exit status 1."""

    def __init__(self, message: str, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer."""

    body: Any
    etag: str | None


class TowerApi:
    """One Tower, asked with one token."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def get(self, path: str, **query: str | None) -> Any:
        """Return the body of what is at a path under `/api/v1`."""
        return (await self.call("GET", path, query=query)).body

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: dict[str, str | None] | None = None,
        etag: str | None = None,
        reason: str | None = None,
        csrf: str | None = None,
    ) -> Reply:
        """Ask; raise `RefusedError` for an answer that is an error.

        `etag` goes into `If-Match`; `csrf` is the token that changes need in a session of cookies.
        """
        headers = {}
        if csrf is not None:
            headers["X-CSRF-Token"] = csrf
        if etag is not None:
            headers["If-Match"] = etag
        if reason:
            headers["Tailslide-Reason"] = quote(reason)
        if body is not None:
            headers["Content-Type"] = "application/json"
        given = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            async with self._session.request(
                method,
                f"{self.url}/api/v1{path}",
                data=None if body is None else orjson.dumps(body),
                headers=headers,
                params=given,
                allow_redirects=False,  # passwords and changes go where the user has said, or nowhere
            ) as answer:
                raw = await answer.read()
                if 300 <= answer.status < 400:
                    raise _redirected(self.url, answer.headers.get("Location", ""))
                if answer.status >= 400:
                    raise _refused(answer.status, raw)
                return Reply(orjson.loads(raw) if raw else None, answer.headers.get("ETag"))
        except TimeoutError as error:
            raise RefusedError(f"Tower at {self.url} did not answer within {TIMEOUT_S:g} s") from error
        except aiohttp.ClientError as error:
            raise _unreachable(self.url, error) from error

    async def every(self, path: str, name: str, **query: str | None) -> list[Any]:
        """Return all items of a list, page by page; `name` is their member in each page."""
        items: list[Any] = []
        after: str | None = None
        while True:
            page = await self.get(path, **query, limit="500", after=after)
            items += page[name]
            after = page["next"]
            if after is None:
                return items

    @asynccontextmanager
    async def live(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open the live socket."""
        try:
            async with self._session.ws_connect(f"{self.url}/api/v1/live", heartbeat=20) as socket:
                yield socket
        except aiohttp.WSServerHandshakeError as error:
            refused = f"Tower at {self.url} refused the live connection ({error.status} {error.message})"
            raise RefusedError(refused, error.status) from error
        except aiohttp.ClientError as error:
            raise _unreachable(self.url, error) from error


def _unreachable(url: str, error: aiohttp.ClientError) -> RefusedError:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        why = getattr(cause, "verify_message", None) or cause
        return RefusedError(
            f"the certificate of Tower at {url} is not accepted: {why}; if it is of an authority of your own, set "
            f"{CA_FILE} to the file of that authority's certificate"
        )
    return RefusedError(f"Tower at {url} cannot be reached: {error}")


def _redirected(url: str, location: str) -> RefusedError:
    other = location.partition("/api/v1")[0]
    where = other if other.startswith(("http://", "https://")) and other.isprintable() else "another address"
    return RefusedError(f"{url} leads to {where}: give Tower's own address, as in `tailslide login URL`")


def _refused(status: int, raw: bytes) -> RefusedError:
    try:
        problem = orjson.loads(raw)
        detail, code, field = problem["detail"], problem["code"], problem.get("field")
    except (ValueError, KeyError, TypeError):
        return RefusedError(
            f"expected an answer of Tower, got HTTP status {status}: is this the address of a Tower?", status
        )
    if status == 412:
        detail = "somebody else has changed it in the meantime; look again (`tailslide flags show`), then retry"
    elif code == "UNAUTHORIZED":
        detail = f"{detail}; run `tailslide login`"
    # The field helps where the request was wrong. Elsewhere the sentence says what it is about.
    return RefusedError(f"{field}: {detail}" if field and status == 400 else detail, status, code)


def ask(credentials: Credentials, tls: ssl.SSLContext, question: Callable[[TowerApi], Awaitable[_Result]]) -> _Result:
    """Run a question against Tower."""

    async def run() -> _Result:
        async with session(credentials.url, credentials.token, tls) as tower:
            return await question(tower)

    return asyncio.run(run())


@asynccontextmanager
async def session(url: str, token: str | None, tls: ssl.SSLContext) -> AsyncIterator[TowerApi]:
    """Yield a way to ask Tower; without a token cookies are kept, as a browser does. `tls` is for https."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    jar = aiohttp.CookieJar(unsafe=True) if token is None else aiohttp.DummyCookieJar()
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, cookie_jar=jar, connector=connector) as client:
        yield TowerApi(client, url)


class FlagName(click.ParamType[FlagId]):
    """An argument that names a flag: `<app>.<flag>`, as logs and alerts do."""

    name = "app.flag"

    def convert(self, value: str | FlagId, param: click.Parameter | None, ctx: click.Context | None) -> FlagId:
        """Return the flag."""
        if isinstance(value, FlagId):
            return value
        try:
            return FlagId.parse(value.replace("/", ".", 1))
        except ContractError as error:
            self.fail(f"expected APP.FLAG, like checkout.new-checkout: {error.problem}", param, ctx)


def flag_path(flag_id: FlagId) -> str:
    """Return the path of a flag."""
    return f"/apps/{flag_id.app}/flags/{quote(flag_id.flag, safe='')}"
