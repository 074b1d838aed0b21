"""When certificates are valid is read as `cryptography` reads it."""

import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from authorities import DAY, Authority, now
from hypothesis import given
from hypothesis import strategies as st

from tailslide_runtime.certificates import Validity, has_key, is_encrypted, validities

AUTHORITY = Authority()
BEGINS = datetime(1951, 1, 1, tzinfo=UTC)


@given(
    begins=st.datetimes(datetime(1951, 1, 1), datetime(2060, 1, 1)),  # noqa: DTZ001 # given a zone below
    lasts_s=st.integers(1, 10_000_000_000),
)
def test_validity_is_what_the_certificate_says(begins: datetime, lasts_s: int) -> None:
    begins = begins.replace(microsecond=0, tzinfo=UTC)
    ends = begins + timedelta(seconds=lasts_s)
    assert validities(AUTHORITY.issue(begins=begins, ends=ends).certificate) == [Validity(begins, ends)]


def test_all_certificates_of_a_file_are_read_in_order() -> None:
    one, other = AUTHORITY.issue(ends=now() + DAY), AUTHORITY.issue(ends=now() + 2 * DAY)
    pem = b"a comment\n" + one.certificate + b"\n" + one.key + other.certificate
    assert [each.ends - now() > DAY for each in validities(pem)] == [False, True]


def test_no_certificate_is_none() -> None:
    assert validities(AUTHORITY.issue().key) == []


@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_broken_certificate_is_a_value_error_or_has_dates(at: int, byte: int) -> None:
    der = bytearray(base64.b64decode(b"".join(AUTHORITY.pem.splitlines()[1:-1])))
    der[at % len(der)] = byte
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
    with suppress(ValueError):  # the only error there may be
        assert len(validities(pem)) == 1


def test_certificate_that_is_cut_off_is_told() -> None:
    lines = AUTHORITY.pem.splitlines(keepends=True)
    with pytest.raises(ValueError, match="ends too early"):
        validities(lines[0] + lines[1] + lines[-1])


def test_problem_names_the_day() -> None:
    validity = Validity(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    assert validity.problem(datetime(2026, 1, 15, tzinfo=UTC)) is None
    assert validity.problem(datetime(2026, 2, 1, tzinfo=UTC)) is None
    assert validity.problem(datetime(2026, 2, 2, tzinfo=UTC)) == "expired on 2026-02-01 at 00:00:00 UTC"
    assert validity.problem(datetime(2025, 12, 31, tzinfo=UTC)) == "is valid only from 2026-01-01, 00:00:00 UTC"


def test_key_is_seen_and_whether_it_is_encrypted() -> None:
    plain, encrypted = AUTHORITY.issue(), AUTHORITY.issue(password="secret")
    assert (has_key(plain.key), is_encrypted(plain.key)) == (True, False)
    assert (has_key(encrypted.key), is_encrypted(encrypted.key)) == (True, True)
    assert not has_key(plain.certificate)
