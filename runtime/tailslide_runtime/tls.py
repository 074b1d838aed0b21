"""TLS to servers, and of listeners of our own: from files that may be exchanged while a process runs.

Certificates are renewed by exchanging files. A client looks at its files at each new connection, a listener every two
seconds, and reads those that have changed. Files that cannot be used leave the last good ones in use, and the log
says so once; they are tried again at each look, since a certificate may become valid, or a key readable, while both
stay as they are. At a start there are no last good ones, and the start ends with a sentence that names the setting,
the file and what was expected. A certificate that is not valid by this machine's clock is logged and used: the other
side decides, by its own clock, and a process that did not start would help nobody.

Who a server is gets verified always, name included, unless a URL says otherwise in so many words; that is a warning in
the log of each start. Reading files blocks, for about a millisecond.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import structlog
from pydantic import SecretStr

from tailslide_runtime.certificates import Validity, has_key, is_encrypted, validities
from tailslide_runtime.errors import StartError

log = structlog.get_logger()

LOOK_EVERY_S = 2.0
"""How often a listener looks whether its files have changed."""
HANDSHAKE_TIMEOUT_S = 10.0
"""How long a client of a listener may take for the handshake."""
SHUTDOWN_TIMEOUT_S = 2.0
"""How long the end of a connection may take, when the other side does not confirm it."""

Stamp = tuple[int, int, int, int] | None
"""What tells one state of a file from another: when it was written, its size, its inode, and when its inode changed, as
chmod and chown do. None: it is not there."""


class TlsFileError(StartError):
    """A file for TLS cannot be used; the text names the setting, the file and what was expected."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file, and the setting that names it."""

    setting: str
    path: Path

    def stamp(self) -> Stamp:
        """Return what the file is like now."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns

    def read(self) -> bytes:
        """Return what is in the file."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise TlsFileError(f"{self.setting}: {self.path} cannot be read ({error.strerror or error})") from None

    def certificates(self) -> list[Validity]:
        """Return when the certificates in the file are valid, of which there is at least one."""
        try:
            found = validities(self.read())
        except ValueError as problem:
            raise TlsFileError(f"{self.setting}: expected certificates as PEM in {self.path}, but {problem}") from None
        if not found:
            raise TlsFileError(f"{self.setting}: expected certificates as PEM in {self.path}, found none")
        return found


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate, with those between it and its authority behind it, and its private key."""

    certificate: NamedFile
    key: NamedFile
    password: SecretStr | None = field(default=None, repr=False)
    """What an encrypted key is opened with."""

    @property
    def files(self) -> tuple[NamedFile, ...]:
        """Return both files."""
        return self.certificate, self.key

    def load_into(self, context: ssl.SSLContext) -> Validity:
        """Let a context present the certificate; return when it is valid. Raises `TlsFileError`."""
        validity = self.certificate.certificates()[0]
        pem = self.key.read()
        if not has_key(pem):
            raise TlsFileError(f"{self.key.setting}: expected a private key as PEM in {self.key.path}, found none")
        if is_encrypted(pem) and self.password is None:
            raise TlsFileError(
                f"{self.key.setting}: the key in {self.key.path} is encrypted, expected one without a passphrase"
            )
        password = "" if self.password is None else self.password.get_secret_value()
        try:
            # With a password, even an empty one, since OpenSSL would ask for it at the terminal.
            context.load_cert_chain(self.certificate.path, self.key.path, password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                problem = f"the key in {self.key.path} does not belong to the certificate in {self.certificate.path}"
            else:
                problem = f"{self.certificate.path} and {self.key.path} cannot be used together ({_reason(error)})"
            raise TlsFileError(f"{self.key.setting}: {problem}") from None
        except OSError as error:  # one of them has gone meanwhile
            raise TlsFileError(f"{self.key.setting}: {self.key.path} cannot be read ({error.strerror})") from None
        return validity


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How a client speaks TLS to a server."""

    ca: NamedFile | None = None
    """The authorities that are trusted; None leaves it to the system's."""
    own: KeyPair | None = None
    """What the client presents of itself; None presents nothing."""
    ca_folder: Path | None = None
    """A folder of authorities, as `openssl rehash` makes them."""
    verify_mode: ssl.VerifyMode = ssl.CERT_REQUIRED
    check_hostname: bool = True

    @property
    def unverified(self) -> str | None:
        """Return what is not verified of the server; None when all is."""
        if self.verify_mode is not ssl.CERT_REQUIRED:
            return "certificate"
        return None if self.check_hostname else "name"

    @property
    def files(self) -> tuple[NamedFile, ...]:
        """Return the files that it is read from."""
        ca = () if self.ca is None else (self.ca,)
        return ca if self.own is None else (*ca, *self.own.files)

    def problems(self) -> list[str]:
        """Return what is wrong with the files now, a sentence each."""
        try:
            _, valid = self.make()
        except TlsFileError as problem:
            return [str(problem)]
        return [sentence for each in valid if (sentence := _invalid(*each)) is not None]

    def make(self) -> "tuple[ssl.SSLContext, list[tuple[NamedFile, Validity]]]":
        """Read all files; return a context, and when what decides in each file is valid. Raises `TlsFileError`."""
        valid = []
        authorities = None
        if self.ca is not None:
            # Of several authorities one is enough.
            valid.append((self.ca, max(self.ca.certificates(), key=lambda each: each.ends)))
            authorities = str(self.ca.path)
        folder = None if self.ca_folder is None else str(self.ca_folder)
        try:
            context = ssl.create_default_context(cafile=authorities, capath=folder)
        except (ssl.SSLError, OSError) as error:
            where = "TLS" if self.ca is None else f"{self.ca.setting}: {self.ca.path}"
            raise TlsFileError(f"{where} cannot be used ({_reason(error)})") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = self.check_hostname and self.verify_mode is not ssl.CERT_NONE
        context.verify_mode = self.verify_mode
        if self.own is not None:
            valid.append((self.own.certificate, self.own.load_into(context)))
        return context, valid


def key_pair(
    certificate: Path | None, key: Path | None, *, certificate_setting: str, key_setting: str
) -> KeyPair | None:
    """Return the pair that two settings name, None for none; raise `ValueError` when one of them is missing."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = key_setting if key is None else certificate_setting
        raise ValueError(f"{certificate_setting} and {key_setting} belong together, and {missing} has no value")
    return KeyPair(NamedFile(certificate_setting, certificate), NamedFile(key_setting, key))


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files that settings beside the URL of a server name for TLS."""

    ca: NamedFile | None = None
    own: KeyPair | None = None

    @classmethod
    def read(cls, ca: Path | None, certificate: Path | None, key: Path | None, setting: Callable[[str], str]) -> Self:
        """Return what three settings name; `setting` gives what `ca_file`, `cert_file` and `key_file` are called.

        Raises `ValueError` for a certificate without its key.
        """
        named = {name: setting(name) for name in ("ca_file", "cert_file", "key_file")}
        own = key_pair(certificate, key, certificate_setting=named["cert_file"], key_setting=named["key_file"])
        return cls(None if ca is None else NamedFile(named["ca_file"], ca), own)

    @property
    def settings(self) -> tuple[str, ...]:
        """Return the names of the settings that have a value."""
        ca = () if self.ca is None else (self.ca.setting,)
        return ca if self.own is None else (*ca, *(file.setting for file in self.own.files))


NO_FILES = TlsFiles()


class _Watched:
    """Files, and what came of them when they were last read."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._stamps: list[Stamp] = []
        self._refused: str | None = None
        """Why they were refused when they were last read; None when they are in use."""

    def worth_reading(self) -> bool:
        """Whether they have changed since the last call, of which each of a pair counts, or were refused last time."""
        stamps = [NamedFile("", path).stamp() for path in self._files]
        changed = stamps != self._stamps
        self._stamps = stamps
        return changed or self._refused is not None

    def taken(self) -> None:
        """Note that they are in use, and say so."""
        self._refused = None
        log.info("tls_files_read", files=[str(path) for path in self._files])

    def refused(self, problem: TlsFileError) -> None:
        """Note that they cannot be used, and say so unless it was said already."""
        sentence = str(problem)
        if sentence != self._refused:
            log.error("tls_files_refused", error=sentence, consequence="what was read before stays in use")
        self._refused = sentence


def _first_look(valid: Sequence[tuple[NamedFile, Validity]]) -> None:
    for file, validity in valid:
        if problem := validity.problem(datetime.now(UTC)):
            log.error("certificate_not_valid", setting=file.setting, path=str(file.path), problem=problem)


def _refuse_invalid(valid: Sequence[tuple[NamedFile, Validity]]) -> None:
    for file, validity in valid:
        if sentence := _invalid(file, validity):
            raise TlsFileError(sentence)


def _invalid(file: NamedFile, validity: Validity) -> str | None:
    problem = validity.problem(datetime.now(UTC))
    return None if problem is None else f"{file.setting}: the certificate in {file.path} {problem}"


class TlsClient:
    """Makes contexts for new connections, from files as they are then."""

    def __init__(self, options: TlsOptions) -> None:
        """Read the files; raise `TlsFileError`."""
        paths = [file.path for file in options.files]
        if options.ca is None and (system := ssl.get_default_verify_paths().cafile) is not None:
            paths.append(Path(system))
        self._options = options
        self._watched = _Watched(paths)
        self._watched.worth_reading()
        self._context, valid = options.make()
        _first_look(valid)

    def context(self) -> ssl.SSLContext:
        """Return what to make a connection with now."""
        if self._watched.worth_reading():
            try:
                context, valid = self._options.make()
                _refuse_invalid(valid)
            except TlsFileError as problem:
                self._watched.refused(problem)
            else:
                self._context = context
                self._watched.taken()
        return self._context


@lru_cache(maxsize=64)
def tls_client(options: TlsOptions) -> TlsClient:
    """Return the client for these options: one for all connections, so that what is wrong is said once."""
    return TlsClient(options)


class ServerTls:
    """What a listener speaks TLS with: its certificate, read again when the files change."""

    def __init__(self, pair: KeyPair) -> None:
        """Read the files; raise `TlsFileError`."""
        self._pair = pair
        self._watched = _Watched([file.path for file in pair.files])
        self._watched.worth_reading()
        self._current, self.validity = self._make()
        _first_look([(pair.certificate, self.validity)])
        # The context that listens presents nothing of its own. Another one is put in its place at each handshake,
        # which, unlike loading files into a context in use, exchanges certificate and key in one piece.
        self._context = _server_context()
        self._context.sni_callback = self._choose

    def __repr__(self) -> str:
        return f"<ServerTls {self._pair.certificate.path} until {self.validity.ends:%Y-%m-%d}>"

    def _make(self) -> tuple[ssl.SSLContext, Validity]:
        context = _server_context()
        return context, self._pair.load_into(context)

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self._current

    def listening_options(self) -> dict[str, Any]:
        """Return the arguments of asyncio's `create_server` that make a listener speak TLS."""
        return {
            "ssl": self._context,
            "ssl_handshake_timeout": HANDSHAKE_TIMEOUT_S,
            "ssl_shutdown_timeout": SHUTDOWN_TIMEOUT_S,
        }

    def look(self) -> None:
        """Read the files if they have changed, or were refused when they were last read."""
        if not self._watched.worth_reading():
            return
        try:
            context, validity = self._make()
            _refuse_invalid([(self._pair.certificate, validity)])
        except TlsFileError as problem:
            self._watched.refused(problem)
            return
        self._current, self.validity = context, validity
        self._watched.taken()

    async def run(self) -> None:
        """Look at the files again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or error)
