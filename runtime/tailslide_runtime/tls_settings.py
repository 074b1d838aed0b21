"""The settings of Tower and Aerobat that name files for TLS to NATS and Redis; a sidecar reads the same by itself.

For PostgreSQL the URL names them, as libpq does.
"""

from collections.abc import Callable
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from tailslide_runtime.tls import TlsFiles


def variable_of(server: str) -> Callable[[str], str]:
    """Return what gives the variables of a server's files, out of `ca_file`, `cert_file` and `key_file`."""
    return lambda file: f"TAILSLIDE_{server}_{file}".upper()


class TlsFileSettings(BaseSettings):
    """Files for TLS to NATS and Redis; each is read again when it changes."""

    model_config = SettingsConfigDict(env_prefix="TAILSLIDE_", env_ignore_empty=True, frozen=True)

    nats_ca_file: Path | None = None
    """The authorities, as PEM, that the certificates of NATS are checked with, in place of the system's."""
    nats_cert_file: Path | None = None
    """With the next one: the certificate, as PEM, to show to a NATS that asks its clients for one."""
    nats_key_file: Path | None = None
    """Its private key, as PEM and without a passphrase."""
    redis_ca_file: Path | None = None
    """The authorities, as PEM, that the certificates of Redis are checked with, in place of the system's."""
    redis_cert_file: Path | None = None
    """With the next one: the certificate, as PEM, to show to a Redis that asks its clients for one."""
    redis_key_file: Path | None = None
    """Its private key, as PEM and without a passphrase."""

    @property
    def nats_files(self) -> TlsFiles:
        """Return the files for NATS; raise `ValueError` for a certificate without its key."""
        return TlsFiles.read(self.nats_ca_file, self.nats_cert_file, self.nats_key_file, variable_of("nats"))

    @property
    def redis_files(self) -> TlsFiles:
        """Return the files for Redis; raise `ValueError` for a certificate without its key."""
        return TlsFiles.read(self.redis_ca_file, self.redis_cert_file, self.redis_key_file, variable_of("redis"))
