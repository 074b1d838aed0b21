"""Signatures of webhooks after the Standard Webhooks specification (1.0.0, "Verifying the authenticity of payloads").

Three headers let the receiver see that we have sent a request, and that it is not an old one sent again: the message's
id, which stays the same however often it is sent; the time of this attempt; and an HMAC-SHA256 over both and the body.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

from tailslide_core.errors import ContractError

SECRET_PREFIX = "whsec_"  # noqa: S105 # what each secret begins with
SECRET_BYTES = 32
"""The specification asks for 24 to 64."""


def new_secret() -> str:
    """Return a new secret: `whsec_` and the base64 of random bytes."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(message_id: str, at: datetime, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """Return the three headers for a body that is sent at this time, signed with each of the secrets.

    While a secret is being replaced there are two of them, and a receiver takes the message if one signature is right.
    Raises `ContractError` where a secret is none.
    """
    timestamp = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode() for secret in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ContractError("secret", f"expected {SECRET_PREFIX} and base64") from error
