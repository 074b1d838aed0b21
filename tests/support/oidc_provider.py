"""An OpenID Connect provider in this process, on a real port: codes, PKCE, signed ID tokens, keys that are replaced."""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT_ID, CLIENT_SECRET = "tower", "a-secret-of-the-client"


@dataclass
class OidcProvider:
    """A provider that knows one person, who always agrees."""

    issuer: str = ""
    claims: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "17",
            "email": "ada@example.org",
            "email_verified": True,
            "name": "Ada",
            "groups": ["dev"],
        }
    )
    """What the ID token says besides what it always says; whoever tests may change it."""
    user_info: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: new_key("first"))
    keys: Any = None
    """What is said to be the keys; None for the key itself."""
    in_pieces: bool = False
    """Whether answers come piece by piece."""
    requests: list[str] = field(default_factory=list)
    """The paths that were asked for."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def agree(self, login_url: str) -> dict[str, str]:
        """Log the person in, as the login page does; return the parameters that the browser comes back with."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(login_url).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "session_state": "of the provider's own"}

    async def _description(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        return await self._answer(
            request,
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
            },
        )

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        keys: Any = KeySet([self.key]).as_dict(private=False) if self.keys is None else self.keys
        return await self._answer(request, keys)

    async def _answer(self, request: web.Request, body: Any) -> web.StreamResponse:
        """Answer, if it is asked for in pieces that come one after another."""
        if not self.in_pieces:
            return web.json_response(body)
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        text = json.dumps(body).encode()
        for first in range(0, len(text), 100):
            await answer.write(text[first : first + 100])
            await asyncio.sleep(0.01)  # so that each is read by itself
        await answer.write_eof()
        return answer

    async def _token(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        form = await request.post()
        credentials = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        asked = self.codes.pop(str(form["code"]), None)
        if (
            asked is None
            or request.headers["Authorization"] != f"Basic {credentials}"
            or form["redirect_uri"] != asked["redirect_uri"]
            or create_s256_code_challenge(str(form["code_verifier"])) != asked["code_challenge"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        always = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": self.key.kid}, {**always, **self.claims}, self.key)
        return web.json_response({"id_token": token, "access_token": "an-access-token", "token_type": "Bearer"})

    async def _user_info(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        assert request.headers["Authorization"] == "Bearer an-access-token"
        return web.json_response(self.user_info)


def new_key(key_id: str) -> RSAKey:
    """Return a new key to sign with."""
    return RSAKey.generate_key(2048, {"kid": key_id, "use": "sig", "alg": "RS256"})


@asynccontextmanager
async def oidc_provider() -> AsyncIterator[OidcProvider]:
    """Run a provider on a free port of loopback."""
    provider = OidcProvider()
    application = web.Application()
    application.router.add_get("/.well-known/openid-configuration", provider._description)
    application.router.add_get("/keys", provider._keys)
    application.router.add_post("/token", provider._token)
    application.router.add_get("/userinfo", provider._user_info)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield provider
    finally:
        await runner.cleanup()
