"""Files for TLS: what is refused, in which words, and what becomes of those that are exchanged."""

import ssl
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from authorities import DAY, Authority, Files, now, replace
from permissions import change_permissions
from structlog.testing import capture_logs

from tailslide_runtime.tls import KeyPair, NamedFile, ServerTls, TlsClient, TlsFileError, TlsFiles, TlsOptions

AUTHORITY = Authority()


def named(path: Path, setting: str = "CA_FILE") -> NamedFile:
    return NamedFile(setting, path)


def pair(files: Files) -> KeyPair:
    return KeyPair(named(files.certificate, "CERT_FILE"), named(files.key, "KEY_FILE"))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return AUTHORITY.issue().write(tmp_path, "own")


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return AUTHORITY.write(tmp_path / "ca.pem")


def refusal(options: TlsOptions) -> str:
    with pytest.raises(TlsFileError) as error:
        TlsClient(options)
    return str(error.value)


def test_client_verifies_certificate_and_name(ca: Path, files: Files) -> None:
    context = TlsClient(TlsOptions(named(ca), pair(files))).context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.cert_store_stats()["x509_ca"] == 1


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.pem"
    assert refusal(TlsOptions(named(path))) == f"CA_FILE: {path} cannot be read (No such file or directory)"


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"text"])
def test_file_without_certificates_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    assert refusal(TlsOptions(named(path))) == f"CA_FILE: expected certificates as PEM in {path}, found none"


def test_broken_certificate_is_named(ca: Path) -> None:
    lines = AUTHORITY.pem.splitlines(keepends=True)
    replace(ca, lines[0] + lines[1] + lines[-1])
    assert refusal(TlsOptions(named(ca))) == (
        f"CA_FILE: expected certificates as PEM in {ca}, but a certificate ends too early"
    )


def test_key_of_another_certificate_is_named(files: Files) -> None:
    replace(files.key, AUTHORITY.issue().key)
    assert refusal(TlsOptions(own=pair(files))) == (
        f"KEY_FILE: the key in {files.key} does not belong to the certificate in {files.certificate}"
    )


def test_certificate_in_the_place_of_the_key_is_named(files: Files) -> None:
    replace(files.key, files.certificate.read_bytes())
    assert refusal(TlsOptions(own=pair(files))) == f"KEY_FILE: expected a private key as PEM in {files.key}, found none"


def test_encrypted_key_is_named_and_nobody_is_asked(files: Files, tmp_path: Path) -> None:
    files = AUTHORITY.issue(password="secret").write(tmp_path, "own")
    assert refusal(TlsOptions(own=pair(files))) == (
        f"KEY_FILE: the key in {files.key} is encrypted, expected one without a passphrase"
    )


def test_certificate_that_has_expired_is_told_and_used(tmp_path: Path) -> None:
    files = AUTHORITY.issue(ends=now() - DAY).write(tmp_path, "own")
    with capture_logs() as logs:
        TlsClient(TlsOptions(own=pair(files)))
    assert [(log["event"], log["setting"], log["path"]) for log in logs] == [
        ("certificate_not_valid", "CERT_FILE", str(files.certificate))
    ]
    assert logs[0]["problem"].startswith("expired on ")


def test_of_several_authorities_one_is_enough(ca: Path) -> None:
    replace(ca, Authority("Old", ends=now() - DAY).pem + AUTHORITY.pem)
    with capture_logs() as logs:
        TlsClient(TlsOptions(named(ca)))
    assert logs == []


def test_same_files_are_read_once(ca: Path) -> None:
    client = TlsClient(TlsOptions(named(ca)))
    assert client.context() is client.context()


def test_exchanged_file_is_read(ca: Path) -> None:
    client = TlsClient(TlsOptions(named(ca)))
    before = client.context()
    replace(ca, AUTHORITY.pem + Authority("New").pem)
    assert client.context() is not before
    assert client.context().cert_store_stats()["x509_ca"] == 2


def test_broken_file_leaves_the_last_one_in_use_and_is_told_once(ca: Path) -> None:
    client = TlsClient(TlsOptions(named(ca)))
    before = client.context()
    replace(ca, b"text")
    with capture_logs() as logs:
        assert client.context() is before
        assert client.context() is before
    assert [log["event"] for log in logs] == ["tls_files_refused"]
    assert logs[0]["error"] == f"CA_FILE: expected certificates as PEM in {ca}, found none"
    ca.unlink()
    with capture_logs() as logs:
        assert client.context() is before
    assert "No such file" in logs[0]["error"]
    AUTHORITY.write(ca)
    assert client.context() is not before


def test_new_certificate_that_has_expired_leaves_the_last_one_in_use(files: Files, tmp_path: Path) -> None:
    server = ServerTls(pair(files))
    ends = server.validity.ends
    AUTHORITY.issue(ends=now() - DAY).write(tmp_path, "own")
    with capture_logs() as logs:
        server.look()
        server.look()
    assert [log["event"] for log in logs] == ["tls_files_refused"]
    assert f"the certificate in {files.certificate} expired on" in logs[0]["error"]
    assert server.validity.ends == ends
    AUTHORITY.issue(ends=ends + timedelta(days=5)).write(tmp_path, "own")
    server.look()
    assert server.validity.ends == ends + timedelta(days=5)


def test_pair_that_is_exchanged_one_by_one_is_taken_when_whole(files: Files) -> None:
    server, new = ServerTls(pair(files)), AUTHORITY.issue(ends=now() + 9 * DAY)
    ends = server.validity.ends
    replace(files.certificate, new.certificate)
    with capture_logs():
        server.look()
    assert server.validity.ends == ends
    replace(files.key, new.key)
    server.look()
    assert server.validity.ends > ends


def test_new_certificate_is_taken_once_it_is_valid(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = ServerTls(pair(files)), TlsClient(TlsOptions(own=pair(files)))
    before, ends = client.context(), now() + 9 * DAY
    AUTHORITY.issue(begins=now() + timedelta(hours=1), ends=ends).write(tmp_path, "own")
    with capture_logs() as logs:
        for _ in range(3):
            server.look()
            assert client.context() is before
    assert [log["event"] for log in logs] == ["tls_files_refused"] * 2  # one of each
    assert server.validity.ends < ends

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Later":
            return super().now(tz) + timedelta(hours=2)

    monkeypatch.setattr("tailslide_runtime.tls.datetime", Later)
    server.look()
    assert server.validity.ends == ends
    assert client.context() is not before
    assert client.context() is client.context()


def test_key_that_could_not_be_read_for_a_moment_is_taken(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, ends = ServerTls(pair(files)), now() + 9 * DAY
    AUTHORITY.issue(ends=ends).write(tmp_path, "own")
    read_bytes = Path.read_bytes

    def refuse_key(path: Path) -> bytes:
        if path == files.key:
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(Path, "read_bytes", refuse_key)
        server.look()
        server.look()
    assert [log["error"] for log in logs] == [f"KEY_FILE: {files.key} cannot be read (Permission denied)"]
    assert server.validity.ends < ends
    server.look()
    assert server.validity.ends == ends


def test_refusal_is_told_again_after_the_files_were_good(ca: Path) -> None:
    client = TlsClient(TlsOptions(named(ca)))
    with capture_logs() as logs:
        for content in (b"text", b"other text", AUTHORITY.pem, b"text"):
            replace(ca, content)
            client.context()
            client.context()
    assert [log["event"] for log in logs] == ["tls_files_refused", "tls_files_read", "tls_files_refused"]


def test_stamp_tells_of_a_change_of_permissions(ca: Path) -> None:
    before = named(ca).stamp()
    change_permissions(ca, 0o600)
    assert named(ca).stamp() != before


def test_certificate_without_key_is_refused() -> None:
    with pytest.raises(ValueError, match="cert_file and key_file belong together, and key_file has no value"):
        TlsFiles.read(None, Path("c"), None, str)
    with pytest.raises(ValueError, match="and cert_file has no value"):
        TlsFiles.read(None, None, Path("k"), str)
    assert TlsFiles.read(Path("a"), Path("c"), Path("k"), str).settings == ("ca_file", "cert_file", "key_file")
