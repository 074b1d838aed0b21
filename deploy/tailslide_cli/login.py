"""`tailslide login` and `logout`: a token of one's own, kept where only the user can read it."""

import asyncio
import getpass
import os
import socket
import sys

import click

from tailslide_cli import credentials
from tailslide_cli.credentials import DEFAULT_URL, Credentials
from tailslide_cli.options import console
from tailslide_cli.tower_api import RefusedError, TowerApi, session
from tailslide_runtime.errors import StartError

LASTS_S = 90 * 86_400


@click.command()
@click.argument("url", required=False, metavar="[URL]")
@click.option("--email", metavar="ADDRESS", help="The e-mail address of your account. Without it you are asked.")
@click.option(
    "--token",
    "with_token",
    is_flag=True,
    help="Read an API token from standard input, instead of asking for a password.",
)
def login(url: str | None, email: str | None, *, with_token: bool) -> None:
    """Log in to a Tower, by default the one on this machine.

    Your password is used to make an API token, which lasts 90 days, is named after this machine, and can be revoked in
    Tower. If you log in with OpenID Connect, make a token in Tower and use --token.
    """
    url = (url or os.environ.get(credentials.URL) or DEFAULT_URL).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise StartError(f"expected Tower's address, like https://tower.example.org, got {url}")
    if with_token:
        token = sys.stdin.readline().strip() if not sys.stdin.isatty() else getpass.getpass("API token: ").strip()
        if not token:
            raise StartError("expected a token on standard input, got nothing")
    else:
        if not sys.stdin.isatty():
            raise StartError("no terminal to ask for a password; pass an API token on standard input with --token")
        email = email or click.prompt("E-mail")
        token = asyncio.run(_token_for(url, email, getpass.getpass("Password: ")))
    name = asyncio.run(_who(url, token))
    path = credentials.keep(Credentials(url, token))
    console().print(f"Logged in at {url} as {name}. The token is in {path}.")
    if os.environ.get(credentials.TOKEN):
        console().print(f"{credentials.TOKEN} is set in this shell and is used instead; unset it to be {name}.")


async def _token_for(url: str, email: str, password: str) -> str:
    async with session(url, None, credentials.trusted(os.environ)) as tower:
        begun = (await tower.call("POST", "/session", {"email": email, "password": password})).body
        mine, csrf = begun["principal"], begun["csrf_token"]
        wanted = {
            "name": f"tailslide on {socket.gethostname()}"[:100],
            "role": mine["role"],
            "apps": mine["apps"],
            "expires_in_s": LASTS_S,
        }
        made = await tower.call("POST", "/tokens", wanted, csrf=csrf)
        await tower.call("DELETE", "/session", csrf=csrf)
        token: str = made.body["token"]
        return token


async def _who(url: str, token: str) -> str:
    async def ask(tower: TowerApi) -> str:
        principal = (await tower.get("/session"))["principal"]
        if principal is None:
            raise StartError(f"{url} does not know this token")
        name: str = principal["name"]
        return name

    async with session(url, token, credentials.trusted(os.environ)) as tower:
        return await ask(tower)


@click.command()
def logout() -> None:
    """Revoke the token that `tailslide login` made, and delete it from this machine."""
    kept = credentials.read()
    if kept is None:
        console().print("Not logged in.")
        return
    try:
        asyncio.run(_revoke(kept))
    except RefusedError as error:
        console().print(f"The token could not be revoked ({error.message}); revoke it in Tower.")
    credentials.forget()
    console().print(f"Logged out at {kept.url}.")


async def _revoke(kept: Credentials) -> None:
    async with session(kept.url, kept.token, credentials.trusted(os.environ)) as tower:
        principal = (await tower.get("/session"))["principal"]
        if principal is not None and principal["kind"] == "token":
            await tower.call("DELETE", f"/tokens/{principal['id']}", etag="*")
