"""Certificate authorities for tests, and certificates of theirs: good ones, and those that must be refused."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes
    serial: int

    def write(self, folder: Path, name: str) -> "Files":
        """Write both in the places of those that are there, each at once, as those do who renew certificates."""
        files = Files(folder / f"{name}.pem", folder / f"{name}.key")
        replace(files.certificate, self.certificate)
        replace(files.key, self.key)
        return files


@dataclass(frozen=True)
class Files:
    """Where a certificate and its key are."""

    certificate: Path
    key: Path


def replace(path: Path, content: bytes) -> None:
    """Put a file in the place of another one, at once."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


class Authority:
    """An authority that signs certificates by itself."""

    def __init__(self, name: str = "Test Authority", ends: datetime | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        public = self._key.public_key()
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now() - 30 * DAY)
            .not_valid_after(ends or now() + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def write(self, path: Path) -> Path:
        """Write the authority's certificate in the place of what is there."""
        replace(path, self.pem)
        return path

    def issue(
        self,
        names: Sequence[str] = ("localhost", "127.0.0.1"),
        *,
        begins: datetime | None = None,
        ends: datetime | None = None,
        password: str | None = None,
    ) -> Issued:
        """Issue a certificate for these hosts and addresses, for servers and for clients."""
        key = ec.generate_private_key(ec.SECP256R1())
        serial = x509.random_serial_number()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(begins or now() - 2 * DAY)
            .not_valid_after(ends or now() + 2 * DAY)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password.encode())
        return Issued(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption),
            serial,
        )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


WRONG = {
    "another authority": "unable to get local issuer certificate",
    "another name": "Hostname mismatch",
    "expired": "certificate has expired",
}
"""Certificates of a server that must be refused, and what OpenSSL says of each."""


def wrong(kind: str, authority: Authority) -> Issued:
    """Return a certificate that is wrong for localhost, to those who trust this authority."""
    if kind == "another authority":
        return Authority("Another Authority").issue()
    if kind == "another name":
        return authority.issue(["other.example"])
    assert kind == "expired"
    return authority.issue(ends=now() - DAY)
