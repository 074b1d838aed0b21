#!/usr/bin/env python3
"""Makes the passwords and keys of a compose project, each at random: `./make_secrets.py`, in this folder.

They are written to `secrets/`, which only you can enter, one file for each service that needs it. The files themselves
can be read by all, since the users in containers are not you. The SDK key is written to `.env` beside that folder,
which Compose reads at each of its commands and only you can read. Needs nothing but Python. Exits with status 1 where
there are secrets already: new ones would lock the servers' data.
"""

import base64
import binascii
import hashlib
import secrets
import sys
from pathlib import Path

_P = 2**255 - 19
_D = -121665 * pow(121666, _P - 2, _P) % _P
_BASE_Y = 4 * pow(5, _P - 2, _P) % _P
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_Point = tuple[int, int, int, int]
# How NATS writes keys: a byte for the kind (for a seed two kinds, five bits apart), the key, a check sum, in base 32.
_ACCOUNT, _SEED = 0, 18 << 3


def _added(p: _Point, q: _Point) -> _Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def public_key(seed: bytes) -> bytes:
    """Return the Ed25519 public key of 32 random bytes (RFC 8032, 5.1.5)."""
    digest = bytearray(hashlib.sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    scalar = int.from_bytes(digest, "little")
    point: _Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)
    total: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _added(total, point)
        point, scalar = _added(point, point), scalar >> 1
    inverse = pow(total[2], _P - 2, _P)
    x, y = total[0] * inverse % _P, total[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def issuer(seed: bytes) -> tuple[str, str]:
    """Return the seed and the public key of an account as NATS writes them."""
    return _written(bytes([_SEED | _ACCOUNT >> 5, (_ACCOUNT & 31) << 3]), seed), _written(
        bytes([_ACCOUNT]), public_key(seed)
    )


def _written(prefix: bytes, key: bytes) -> str:
    raw = prefix + key
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


def _password() -> str:
    # A letter first: what begins with a digit is a number to NATS.
    return f"p{secrets.token_urlsafe(24)}"


def contents() -> dict[str, str]:
    """Return the files by name."""
    tower, aerobat, callout, system, redis, postgres = (_password() for _ in range(6))
    seed, public = issuer(secrets.token_bytes(32))
    shared = (
        f"TAILSLIDE_REDIS_URL=redis://tailslide:{redis}@redis:6379\n"
        f"TAILSLIDE_NATS_CALLOUT_URL=nats://callout:{callout}@nats:4222\n"
        f"TAILSLIDE_NATS_SYSTEM_URL=nats://system:{system}@nats:4222\n"
        f"TAILSLIDE_NATS_ISSUER_SEED={seed}\n"
    )
    return {
        "nats.env": (
            f"TOWER_PASSWORD={tower}\nAEROBAT_PASSWORD={aerobat}\nCALLOUT_PASSWORD={callout}\n"
            f"SYSTEM_PASSWORD={system}\nISSUER_PUBLIC_KEY={public}\n"
        ),
        # Who checks the health may do nothing else.
        "redis.acl": (
            "user default off\n"
            f"user tailslide on >{redis} ~* &* +@all\n"
            "user health on nopass resetkeys resetchannels -@all +ping\n"
        ),
        "postgres_password": postgres,
        "tower.env": (
            f"TAILSLIDE_NATS_URL=nats://tower:{tower}@nats:4222\n"
            f"TAILSLIDE_DATABASE_URL=postgresql://tailslide:{postgres}@postgres:5432/tailslide\n"
            f"TAILSLIDE_API_TOKEN={secrets.token_urlsafe(32)}\n{shared}"
        ),
        "aerobat.env": f"TAILSLIDE_NATS_URL=nats://aerobat:{aerobat}@nats:4222\n{shared}",
    }


def main(folder: Path) -> None:
    """Write the files, and say what starts everything."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        sys.exit(f"{folder} is there already: delete it, and the volumes of the project, to start over")
    for name, content in contents().items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o644)
    key = f"tsk.shop.{secrets.token_hex(4)}.{secrets.token_urlsafe(32)}"
    env = folder.parent / ".env"
    _set_key(env, key)
    print(f"Made {folder}, and {env} with the SDK key of the app `shop`. Start everything:\n\ndocker compose up")  # noqa: T201


def _set_key(env: Path, key: str) -> None:
    # What else somebody has written there stays.
    env.touch(mode=0o600)
    env.chmod(0o600)
    others = [line for line in env.read_text().splitlines() if not line.startswith("SDK_KEY=")]
    env.write_text("\n".join([*others, f"SDK_KEY={key}", ""]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "secrets")
