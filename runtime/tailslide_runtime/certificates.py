"""PEM files of certificates and keys: what is in them, and from when to when a certificate is valid.

Read here, and not by a library for X.509, because the sidecar needs nothing else of one. Python's `ssl` loads such
files, but tells only after a handshake when they are valid. Whom a certificate is for, and who has signed it, is
checked by OpenSSL. Pure.
"""

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")
_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)

# The tags of DER that stand before and in the dates (X.690, section 8).
_SEQUENCE, _INTEGER, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x02, 0xA0, 0x17, 0x18


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a certificate is valid, both included."""

    begins: datetime
    ends: datetime

    def problem(self, now: datetime) -> str | None:
        """Return why it is not valid now, as the end of a sentence; None when it is."""
        if now > self.ends:
            return f"expired on {self.ends:%Y-%m-%d at %H:%M:%S} UTC"
        if now < self.begins:
            return f"is valid only from {self.begins:%Y-%m-%d, %H:%M:%S} UTC"
        return None


def validities(pem: bytes) -> list[Validity]:
    """Return when each certificate of a PEM file is valid, in their order; raise `ValueError` for a broken one."""
    found = []
    for block in _CERTIFICATE.findall(pem):
        der = ssl.PEM_cert_to_DER_cert(block.decode("ascii"))
        try:
            found.append(_validity(der))
        except IndexError:
            raise ValueError("a certificate ends too early") from None
    return found


def has_key(pem: bytes) -> bool:
    """Whether there is a private key in a PEM file."""
    return _KEY.search(pem) is not None or is_encrypted(pem)


def is_encrypted(pem: bytes) -> bool:
    """Whether the private key in a PEM file needs a passphrase."""
    return _ENCRYPTED.search(pem) is not None


def _validity(der: bytes) -> Validity:
    """Read the dates (RFC 5280, section 4.1): what stands before them is passed over."""
    at = _inside(der, _inside(der, 0, _SEQUENCE), _SEQUENCE)
    if der[at] == _VERSION:
        at = _behind(der, at)
    at = _behind(der, at, _INTEGER)  # the serial number
    at = _behind(der, at, _SEQUENCE)  # the algorithm of the signature
    at = _behind(der, at, _SEQUENCE)  # the issuer
    first = _inside(der, at, _SEQUENCE)
    return Validity(_time(der, first), _time(der, _behind(der, first)))


def _element(der: bytes, at: int, tag: int | None) -> tuple[int, int]:
    """Return where the content of an element begins and ends."""
    if tag is not None and der[at] != tag:
        raise ValueError("what stands there as a certificate is none")
    length, begins = der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, begins = int.from_bytes(der[begins : begins + size], "big"), begins + size
    if begins + length > len(der):
        raise ValueError("a certificate ends too early")
    return begins, begins + length


def _inside(der: bytes, at: int, tag: int) -> int:
    return _element(der, at, tag)[0]


def _behind(der: bytes, at: int, tag: int | None = None) -> int:
    return _element(der, at, tag)[1]


def _time(der: bytes, at: int) -> datetime:
    begins, ends = _element(der, at, None)
    text = der[begins:ends].decode("ascii")
    if der[at] == _UTC_TIME:  # two digits of the year, of 1950 to 2049
        text = f"{'19' if text[:2] >= '50' else '20'}{text}"
    elif der[at] != _GENERALIZED_TIME:
        raise ValueError("a certificate has no dates")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
