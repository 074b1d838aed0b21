"""The dashboard behind the listener that Tower has, at a unix socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import pytest
from aiohttp import web

from tailslide_runtime.listener import HttpListener
from tailslide_runtime.settings import ListenAddress
from tailslide_tower.api.problems import errors_as_problems
from tailslide_tower.dashboard import routes as dashboard
from tailslide_tower.dashboard.built import BuiltDashboard, read_built

INDEX = b"<!doctype html><title>Tailslide</title>"
SCRIPT = b"console.log('here')"
PAGES = ("/", "/apps/demo", "/apps/demo/flags/new.checkout", "/log?who=x", "/apiary", "/entering", "/settings/a%2Fb")
NOT_PAGES = (
    "/api",
    "/api/",
    "/api/v2/x",
    "/api/v1/nothing",
    "/enter/x.js",
    "/healthz/x",
    "/metrics/",
    "/assets",
    "/assets/",
)


@pytest.fixture
def built(tmp_path: Path) -> BuiltDashboard:
    site = tmp_path / "built" / "site"
    (site / "assets").mkdir(parents=True)
    (tmp_path / "built" / "build.json").write_text("{}")
    (site / "index.html").write_bytes(INDEX)
    (site / "favicon.svg").write_bytes(b"<svg/>")
    (site / "assets" / "index-1.js").write_bytes(SCRIPT)
    (site / "assets" / "index-1.js.br").write_bytes(b"as br")
    (site / "assets" / "index-1.js.gz").write_bytes(b"as gzip")
    return read_built(tmp_path / "built")


class Served:
    """An application with the dashboard, where it listens."""

    def __init__(self, socket: Path, session: aiohttp.ClientSession) -> None:
        self.socket = socket
        self.session = session

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, f"http://tower{path}", headers=sent, allow_redirects=False) as answer:
            return answer, await answer.read()

    async def raw(self, target: str) -> bytes:
        """Ask for a target as it is, which clients would tidy up."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def serving(built: BuiltDashboard, folder: Path) -> AsyncIterator[Served]:
    async def known(request: web.Request) -> web.Response:
        return web.Response(text="known")

    api = web.Application()
    api.router.add_get("/known", known)
    app = web.Application(middlewares=[errors_as_problems])
    app.router.add_get("/healthz", known)
    app.add_subapp("/api/v1", api)
    dashboard.provide(app, built)
    listener = HttpListener(app, ListenAddress(path=folder / "s"), "X", allowed_hosts=["tower"])
    await listener.listen()
    running = asyncio.create_task(listener.run())
    connector = aiohttp.UnixConnector(str(folder / "s"))
    try:
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            yield Served(folder / "s", session)
    finally:
        running.cancel()
        await listener.close(1.0)


@pytest.fixture
async def served(built: BuiltDashboard, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(built, tmp_path) as it:
        yield it


@pytest.mark.parametrize("path", PAGES)
async def test_page_is_index_html(served: Served, path: str) -> None:
    answer, body = await served.ask(path)
    assert (answer.status, body) == (200, INDEX)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    for name in ("X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy", "Cross-Origin-Opener-Policy"):
        assert answer.headers[name]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", NOT_PAGES)
async def test_path_of_something_else_is_no_page(served: Served, path: str, method: str) -> None:
    answer, body = await served.ask(path, method)
    assert answer.status == 404
    assert orjson.loads(body)["code"] == "NOT_FOUND"


async def test_other_routes_come_first(served: Served) -> None:
    for path in ("/healthz", "/api/v1/known"):
        assert (await served.ask(path))[1] == b"known"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_page_can_only_be_read(served: Served, method: str) -> None:
    answer, body = await served.ask("/apps/demo", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
    assert orjson.loads(body)["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("accepted", "coding", "expected"),
    [("gzip, br", "br", b"as br"), ("gzip", "gzip", b"as gzip"), ("br;q=0", None, SCRIPT), ("identity", None, SCRIPT)],
)
async def test_asset_is_kept_for_good_in_the_coding_that_suits(
    served: Served, accepted: str, coding: str | None, expected: bytes
) -> None:
    answer, body = await served.ask("/assets/index-1.js", Accept_Encoding=accepted)
    assert (answer.status, body) == (200, expected)
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Vary"] == "Accept-Encoding"


async def test_codings_have_etags_of_their_own(served: Served) -> None:
    etags = set()
    for accepted in ("br", "gzip", "identity"):
        answer, _ = await served.ask("/assets/index-1.js", Accept_Encoding=accepted)
        etags.add(answer.headers["ETag"])
        again, body = await served.ask(
            "/assets/index-1.js", Accept_Encoding=accepted, If_None_Match=f'"x", {answer.headers["ETag"]}'
        )
        assert (again.status, body) == (304, b"")
        assert again.headers["ETag"] == answer.headers["ETag"]
    assert len(etags) == 3


async def test_index_html_is_304_for_who_has_it(served: Served) -> None:
    etag = (await served.ask("/"))[0].headers["ETag"]
    for known in (etag, f"W/{etag}", "*"):
        assert (await served.ask("/apps/demo", If_None_Match=known))[0].status == 304, known
    assert (await served.ask("/", If_None_Match='"other"'))[0].status == 200


async def test_head_has_the_headers_alone(served: Served) -> None:
    answer, body = await served.ask("/assets/index-1.js", "HEAD", Accept_Encoding="br")
    assert (answer.status, body) == (200, b"")
    assert (answer.headers["Content-Length"], answer.headers["Content-Encoding"]) == ("5", "br")


async def test_file_beside_index_html_is_served_and_none_is_made_up(served: Served) -> None:
    answer, body = await served.ask("/favicon.svg")
    assert (answer.headers["Content-Type"], body) == ("image/svg+xml", b"<svg/>")
    for path in (
        "/favicon.ico",
        "/robots.txt",
        "/build.json",
        "/index.html.br",
        "/assets/index-2.js",
        "/assets/index-1.js.br",
    ):
        assert (await served.ask(path))[0].status == 404, path


@pytest.mark.parametrize(
    "target",
    [
        "/assets/../index.html",
        "/assets/../../build.json",
        "/assets/%2e%2e/%2e%2e/build.json",
        "/assets/..%2f..%2fbuild.json",
        "/assets/..%5c..%5cbuild.json",
        "/assets//etc/passwd",
        "//etc/passwd",
        "/assets/index-1.js%00.png",
        "/../../build.json",
        "/%2e%2e%2fbuild.json",
    ],
)
async def test_target_never_leaves_the_site(served: Served, target: str) -> None:
    answer = await served.raw(target)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] in {b"200", b"400", b"404"}
    assert body == INDEX or b'"status":4' in body or b'"code"' in body, answer


async def test_missing_dashboard_is_said_on_every_page(tmp_path: Path) -> None:
    async with serving(BuiltDashboard({}, "the npm registry could not be reached"), tmp_path) as served:
        for path in ("/", "/apps/demo", "/favicon.ico"):
            answer, body = await served.ask(path)
            assert (answer.status, answer.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
            assert answer.headers["Cache-Control"] == "no-store"
            assert b"because the npm registry could not be reached" in body
            assert b'href="/api/docs"' in body
        assert (await served.ask("/assets/index-1.js"))[0].status == 404
        assert (await served.ask("/api/v1/nothing"))[0].status == 404
