"""Secrets that Tower hands out: links, cookies, API tokens. Each says by its prefix what it is, and is kept as a hash.

A prefix lets a person, and programs that look for leaked secrets, tell what a text opens. None of them begins as an
SDK key does (`tsk.`).
"""

import hashlib
import secrets
from enum import StrEnum

SECRET_BYTES = 32


class SecretKind(StrEnum):
    """The prefix of a secret."""

    API_TOKEN = "tsp_"  # noqa: S105 # a prefix
    SESSION = "tss_"
    INVITATION = "tsi_"
    VIEWER_LINK = "tsl_"
    SETUP_LINK = "tsu_"


def new_secret(kind: SecretKind) -> str:
    """Return a new secret of 256 random bits."""
    return f"{kind}{secrets.token_urlsafe(SECRET_BYTES)}"


def new_id(prefix: str) -> str:
    """Return a new id, which is no secret: `<prefix>_` and 16 characters of 0-9 and a-f."""
    return f"{prefix}_{secrets.token_hex(8)}"


def hash_of(secret: str) -> str:
    """Return the SHA-256 of a secret, in hexadecimal.

    A secret is long and random, so it needs no salt and no slow hash; and looking a hash up tells nothing of the
    secret by the time it takes.
    """
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
