"""The claims of NATS's auth callout: reading a request, and writing and signing its response (NATS ADR-26). No I/O.

Who may connect is decided elsewhere. Claims are JSON Web Tokens with the algorithm `ed25519-nkey`.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self

import nkeys
import orjson

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.sidecar_access import SubjectPermissions

SEED_RULE = "expected the seed of an account, SA and 56 characters more, as `nsc generate nkey --account` prints it"
MAX_SUBSCRIPTIONS = 100
"""Of one sidecar: it needs an inbox and a delivery subject for each bucket."""
_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """Somebody wants to connect."""

    server_id: str
    user_nkey: str
    """The public key under which the server knows the connection until it is let in."""
    token: str = field(repr=False)
    name: str
    """What the connection calls itself; empty when it does not."""
    host: str
    """Where it comes from, for logs."""


class Issuer:
    """Signs responses with the key that the server's configuration names as the issuer."""

    def __init__(self, pair: nkeys.KeyPair) -> None:
        self._pair = pair
        self.public_key: str = pair.public_key.decode()
        """What stands for `issuer` in the server's configuration."""

    def __repr__(self) -> str:
        return f"<Issuer {self.public_key}>"

    @classmethod
    def from_seed(cls, seed: str) -> Self:
        """Return the issuer of a seed; raise `ValueError`, which never repeats it."""
        if not seed.startswith("SA"):
            raise ValueError(SEED_RULE)
        try:
            return cls(nkeys.from_seed(seed.encode()))
        except (nkeys.NkeysError, binascii.Error, ValueError, IndexError):
            raise ValueError(SEED_RULE) from None

    def let_in(
        self, request: ConnectRequest, name: str, permissions: SubjectPermissions, *, at_s: int, account: str
    ) -> bytes:
        """Return the response that puts a connection into an account as the user `name`. `at_s` is Unix time."""
        user = {
            "type": "user",
            "version": 2,
            "subs": MAX_SUBSCRIPTIONS,
            "data": -1,
            "payload": -1,
            "pub": {"allow": list(permissions.publish)},
            "sub": {"allow": list(permissions.subscribe)},
        }
        # Without an operator, the audience of a user's claims is the account.
        claims = self._claims(request, at_s) | {"aud": account, "name": name, "nats": user}
        return self._response(request, at_s, {"jwt": self._signed(claims).decode()})

    def refuse(self, request: ConnectRequest, reason: str, *, at_s: int) -> bytes:
        """Return the response that turns a connection away; the server logs the reason, and does not pass it on."""
        return self._response(request, at_s, {"error": reason})

    def _response(self, request: ConnectRequest, at_s: int, answer: Mapping[str, str]) -> bytes:
        response = {"type": "authorization_response", "version": 2, **answer}
        return self._signed(self._claims(request, at_s) | {"aud": request.server_id, "nats": response})

    def _claims(self, request: ConnectRequest, at_s: int) -> dict[str, Any]:
        return {"iss": self.public_key, "sub": request.user_nkey, "iat": at_s}

    def _signed(self, claims: Mapping[str, Any]) -> bytes:
        identity = base64.b32encode(sha256(orjson.dumps(claims, option=orjson.OPT_SORT_KEYS)).digest())
        whole = {**claims, "jti": identity.decode().rstrip("=")}
        signed = b".".join(_encoded(orjson.dumps(part)) for part in (_HEADER, whole))
        return signed + b"." + _encoded(self._pair.sign(signed))


def decode_request(data: bytes) -> ConnectRequest:
    """Read a request; raise `ContractError`, which never repeats a token of it.

    Its signature is not checked: only a server, and who answers it, can publish in the account of the callout, and the
    response serves nobody but the connection that the request names.
    """
    parts = data.split(b".")
    if len(parts) != 3:
        raise ContractError("request", "expected a JSON Web Token")
    nats = _object(_claims_in(parts[1]), "nats")
    if nats.get("type") != "authorization_request":
        raise ContractError("nats.type", f"expected authorization_request, got {shown(nats.get('type'), 40)}")
    options, client = _object(nats, "connect_opts"), _object(nats, "client_info")
    return ConnectRequest(
        server_id=_text(_object(nats, "server_id"), "id"),
        user_nkey=_text(nats, "user_nkey"),
        token=_text(options, "auth_token", ""),
        name=_text(options, "name", ""),
        host=_text(client, "host", ""),
    )


def _claims_in(part: bytes) -> Mapping[str, Any]:
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        raise ContractError("request", "expected claims in JSON") from None
    if not isinstance(claims, dict):
        raise ContractError("request", "expected an object")
    return claims


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise ContractError(name, "expected an object")
    return value


def _text(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise ContractError(name, "expected a string")
    return value


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def new_seed(random: bytes) -> str:
    """Return the seed of a new issuer, out of 32 random bytes."""
    seed: bytes = nkeys.encode_seed(random, nkeys.PREFIX_BYTE_ACCOUNT)
    return seed.decode()
