"""SDK keys: what a sidecar presents to NATS and to Redis, and the record by which it is recognised.

A key reads `tsk.<app>.<id>.<secret>`. It names its app, so that a sidecar that was given another app's key can say so
before it connects. Making keys, which takes randomness, is Tower's business.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

import orjson

from tailslide_core.contracts import versioned
from tailslide_core.errors import ContractError
from tailslide_core.naming import check_app_key, is_app_key

SDK_KEY_SCHEMA = 1

_PREFIX = "tsk"
_ID = re.compile(r"[a-z0-9]{6,20}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{32,100}")
_HASH = re.compile(r"[0-9a-f]{64}")
SDK_KEY_RULE = "tsk.<app>.<id>.<secret>, as Tower shows it once when the key is made"


@dataclass(frozen=True, slots=True)
class SdkKey:
    """A key as its holder has it."""

    app: str
    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"<SdkKey {self.key_id} of {self.app}>"

    def __str__(self) -> str:
        return f"{_PREFIX}.{self.app}.{self.key_id}.{self.secret}"

    @property
    def record(self) -> "SdkKeyRecord":
        """Return what may be kept of it."""
        return SdkKeyRecord(self.app, self.key_id, hash_of_sdk_key(str(self)))


@dataclass(frozen=True, slots=True)
class SdkKeyRecord:
    """A key as it is kept in the bucket `keys`, under `<app>.<id>`: by its hash. A revoked key has no record.

    `hash` is the SHA-256 of the whole key in hexadecimal. A key is long and random, so it needs neither salt nor a slow
    hash; and Redis takes this very form as a password (`ACL SETUSER … #<hash>`).
    """

    app: str
    key_id: str
    hash: str

    @property
    def name(self) -> str:
        """Return its key in the bucket."""
        return f"{self.app}.{self.key_id}"


def hash_of_sdk_key(text: str) -> str:
    """Return the SHA-256 of a key in hexadecimal."""
    return sha256(text.encode(errors="surrogateescape")).hexdigest()


def is_sdk_key(text: str) -> bool:
    """Whether a text has the form of a key that Tower makes; any other one is a token of the server's own."""
    return text.startswith(f"{_PREFIX}.")


def parse_sdk_key(text: str) -> SdkKey:
    """Read a key; raise `ContractError`, which never repeats the text."""
    parts = text.split(".")
    if len(parts) != 4 or parts[0] != _PREFIX or not is_app_key(parts[1]):
        raise ContractError("sdk_key", f"expected {SDK_KEY_RULE}")
    _, app, key_id, secret = parts
    if _ID.fullmatch(key_id) is None or _SECRET.fullmatch(secret) is None:
        raise ContractError("sdk_key", f"expected {SDK_KEY_RULE}")
    return SdkKey(app, key_id, secret)


def encode_sdk_key_record(record: SdkKeyRecord) -> bytes:
    """Write a record."""
    return orjson.dumps({"schema": SDK_KEY_SCHEMA, "app": record.app, "id": record.key_id, "hash": record.hash})


def decode_sdk_key_record(data: bytes) -> SdkKeyRecord:
    """Read a record; raise `ContractError` that names the field."""
    fields = versioned(data, SDK_KEY_SCHEMA)
    app, key_id, hashed = check_app_key("app", fields.string("app")), fields.string("id"), fields.string("hash")
    if _ID.fullmatch(key_id) is None:
        raise ContractError("id", "expected 6 to 20 characters of a-z and 0-9")
    if _HASH.fullmatch(hashed) is None:
        raise ContractError("hash", "expected a SHA-256 in hexadecimal")
    return SdkKeyRecord(app, key_id, hashed)
