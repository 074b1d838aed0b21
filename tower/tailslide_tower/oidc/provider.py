"""An OpenID Connect provider, asked over HTTP: its description, its keys, and what a code is worth.

Fails closed: without the provider nobody logs in through it, and `ProviderUnavailableError` says so within seconds.
Passwords, sessions and API tokens go on. What it says of itself and its keys is kept for an hour.
"""

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import orjson
import structlog
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from tailslide_tower.oidc.identity import OidcSettings, RefusedError

log = structlog.get_logger()

TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 1 << 20
KEPT_S = 3600.0
KEYS_AGAIN_S = 30.0
"""How soon the keys are asked for again when a token names one that is not among them."""
FAILURE_KEPT_S = 5.0
"""For how long nobody asks again for its description after it could not be had: who comes meanwhile does not wait."""
LEEWAY_S = 60
"""How far the provider's clock may be off."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures by keys that the provider publishes; none that its clients share with it."""
SCOPES = "openid email profile"


class ProviderUnavailableError(Exception):
    """The provider cannot be reached, or does not answer as a provider does, now."""


class Provider:
    """One provider. `monotonic` gives seconds that never go back, `now_s` Unix time."""

    def __init__(
        self,
        settings: OidcSettings,
        redirect_uri: str,
        monotonic: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._redirect_uri = redirect_uri
        self._monotonic = monotonic
        self._now_s = now_s
        self._http: aiohttp.ClientSession | None = None
        self._description: tuple[float, Mapping[str, Any]] | None = None
        self._failure: tuple[float, str] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._asking = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Provider {self.settings.issuer}>"

    async def login_url(self, *, state: str, nonce: str, verifier: str) -> str:
        """Return where a browser logs in: the code flow with PKCE (RFC 7636)."""
        endpoint = _url(await self._described(), "authorization_endpoint")
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": SCOPES,
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def claims_of(self, code: str, *, nonce: str, verifier: str) -> Mapping[str, object]:
        """Return the claims that a code is worth, from an ID token that was verified (OpenID Connect Core, 3.1.3).

        Raises `RefusedError` where the provider does not take the code, or the token is not right.
        """
        described = await self._described()
        status, answer = await self._ask(
            "POST",
            _url(described, "token_endpoint"),
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect_uri,
                "code_verifier": verifier,
            },
            headers={"Authorization": self._credentials()},
        )
        if status >= 500:
            raise ProviderUnavailableError(f"the token endpoint answered {status}")
        token, access_token = answer.get("id_token"), answer.get("access_token")
        if status != 200 or not isinstance(token, str):
            raise RefusedError(f"the provider did not take the log-in: {str(answer.get('error', status))[:100]}")
        claims = await self._verified(token, nonce, access_token)
        if "email" not in claims and "userinfo_endpoint" in described and isinstance(access_token, str):
            claims = {**await self._user_info(described, access_token, claims), **claims}
        return claims

    def _credentials(self) -> str:
        """Return the client's own credentials (RFC 6749, section 2.3.1)."""
        pair = f"{quote(self.settings.client_id, safe='')}:{quote(self.settings.client_secret, safe='')}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    async def _verified(self, token: str, nonce: str, access_token: object) -> Mapping[str, object]:
        try:
            decoded = await self._decoded(token)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": self.settings.issuer},
                    "aud": {"essential": True, "value": self.settings.client_id},
                },
                params={"nonce": nonce, "client_id": self.settings.client_id, "access_token": access_token},
            )
            claims.validate(int(self._now_s()), LEEWAY_S)
        except (JoseError, ValueError, KeyError) as error:
            raise RefusedError(f"the provider's ID token is not right: {error}") from error
        return dict(claims)

    async def _decoded(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, await self._key_set(KEPT_S), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # It may be signed with a key that is newer than those we have.
            return jwt.decode(token, await self._key_set(KEYS_AGAIN_S), algorithms=ALGORITHMS)

    async def _user_info(
        self, described: Mapping[str, Any], access_token: str, claims: Mapping[str, object]
    ) -> Mapping[str, object]:
        headers = {"Authorization": f"Bearer {access_token}"}
        status, answer = await self._ask("GET", _url(described, "userinfo_endpoint"), headers=headers)
        # Of another person it would be an attack (section 5.3.2).
        if status != 200 or answer.get("sub") != claims.get("sub"):
            raise RefusedError(f"the provider did not say more of the user: {status}")
        return answer

    async def _described(self) -> Mapping[str, Any]:
        async with self._asking:
            if self._description is None or self._monotonic() - self._description[0] > KEPT_S:
                if self._failure is not None and self._monotonic() - self._failure[0] < FAILURE_KEPT_S:
                    raise ProviderUnavailableError(self._failure[1])
                try:
                    answer = await self._asked_for_description()
                except ProviderUnavailableError as error:
                    self._failure = self._monotonic(), str(error)
                    raise
                self._description, self._failure = (self._monotonic(), answer), None
            return self._description[1]

    async def _asked_for_description(self) -> Mapping[str, Any]:
        url = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, answer = await self._ask("GET", url)
        if status != 200 or answer.get("issuer") != self.settings.issuer:
            raise ProviderUnavailableError(
                f"{url} answered {status}; expected the description of {self.settings.issuer}"
            )
        return answer

    async def _key_set(self, max_age_s: float) -> KeySet:
        described = await self._described()
        async with self._asking:
            if self._keys is None or self._monotonic() - self._keys[0] > max_age_s:
                status, answer = await self._ask("GET", _url(described, "jwks_uri"))
                if status != 200:
                    raise ProviderUnavailableError(f"the keys cannot be had: {status}")
                self._keys = self._monotonic(), _keys_in(answer)
            return self._keys[1]

    async def _ask(self, method: str, url: str, **more: Any) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of an answer; redirects are not followed, since secrets are sent."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), cookie_jar=aiohttp.DummyCookieJar()
            )
        try:
            async with self._http.request(method, url, allow_redirects=False, **more) as answer:
                body = await _whole(answer)
                parsed = orjson.loads(body) if body else {}
                return answer.status, parsed if isinstance(parsed, dict) else {}
        except orjson.JSONDecodeError:
            return answer.status, {}
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderUnavailableError(f"{url}: {error or 'no answer in time'}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body of an answer, which may come in many pieces; of one that is too large only the beginning."""
    read = bytearray()
    while len(read) < MAX_ANSWER_BYTES and (piece := await answer.content.read(MAX_ANSWER_BYTES - len(read))):
        read += piece
    return bytes(read)


def _keys_in(answer: Mapping[str, Any]) -> KeySet:
    """Return the keys that a provider publishes, without those that are not understood (RFC 7517, section 5)."""
    published, keys = answer.get("keys"), []
    for each in published if isinstance(published, list) else ():
        if not isinstance(each, dict):
            continue
        try:
            keys.append(import_key(each))
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.debug("oidc_key_not_understood", error=f"{type(error).__name__}: {error}")
    if not keys:
        raise ProviderUnavailableError("it publishes no key that is understood")
    return KeySet(keys)


def _url(described: Mapping[str, Any], name: str) -> str:
    url = described.get(name)
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise ProviderUnavailableError(f"the provider's description has no {name}")
    return url
