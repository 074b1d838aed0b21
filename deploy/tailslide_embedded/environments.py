"""Who is told what: the environment of each process that `up` starts, and what `tailslide env` prints for whom.

A process gets the settings that its own `settings.py` reads and no others, so that no secret lies in the environment of
a process that has no use for it.
"""

import importlib
from collections.abc import Mapping

from tailslide_embedded.stack import Endpoints
from tailslide_runtime.server_urls import DatabaseUrl, NatsUrl, RedisUrl

_PREFIX = "TAILSLIDE_"
_SETTINGS = {
    "tower": ("tailslide_tower.settings", "TowerSettings"),
    "aerobat": ("tailslide_aerobat.settings", "AerobatSettings"),
    "sidecar": ("tailslide_sidecar.settings", "Environment"),
}
# Of what is not ours: where programs and certificates are, language and time zone, how Python itself behaves, how the
# collector of traces is reached.
_PASSED_ON = ("PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PASSED_ON_PREFIXES = ("LC_", "PYTHON", "OTEL_")
# What libpq's users know, for a database of one's own.
_PASSED_ON_TO_TOWER = ("PGSSL", "PGSERVICE")


def environment_of(
    part: str, settings: Mapping[str, str], environ: Mapping[str, str], *, own_user: bool = False
) -> dict[str, str]:
    """Return the whole environment of a part (`tower`, `aerobat`, `sidecar`).

    `settings` are those that this run has decided on, all of them; they win over `environ`, which is our own
    environment. A part with a user of its own gets no HOME: that is somebody else's.
    """
    reads = _read_by(part)
    names = _PASSED_ON if own_user else (*_PASSED_ON, "HOME")
    prefixes = (*_PASSED_ON_PREFIXES, *(_PASSED_ON_TO_TOWER if part == "tower" else ()))
    passed_on = {name: value for name, value in environ.items() if name in names or name.startswith(prefixes)}
    return passed_on | {name: value for name, value in {**environ, **settings}.items() if name in reads}


def published(endpoints: Endpoints, tower_url: str, api_token: str) -> dict[str, dict[str, str]]:
    """Return what `tailslide env` prints: for a sidecar, and with `--admin` for those who manage flags or run a Tower.

    A sidecar is told where NATS and Redis are; by its SDK key it gets in, or where there are none, by what the URLs
    have. The API token may change every flag, the database URL reads and writes all that Tower keeps, and the other
    URLs are those of Tower and of an administrator; a sidecar has no use for any of them. `keys` is what `--app` needs
    to make a key.
    """
    tower = {"TAILSLIDE_API_TOKEN": api_token, "TAILSLIDE_TOWER_URL": tower_url}
    sidecar = endpoints.environment_of("sidecar")
    return {
        "sidecar": {name: sidecar[name] for name in (NatsUrl.variable, RedisUrl.variable)},
        "admin": tower
        | {
            name: value
            for name, value in endpoints.environment_of("tower").items()
            if name in {NatsUrl.variable, RedisUrl.variable, DatabaseUrl.variable}
        },
        "keys": tower | {"sdk_keys": str(endpoints.sdk_keys)},
    }


def _read_by(part: str) -> frozenset[str]:
    module, name = _SETTINGS[part]
    fields = getattr(importlib.import_module(module), name).model_fields
    return frozenset(f"{_PREFIX}{field.upper()}" for field in fields)
