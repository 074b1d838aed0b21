"""Which Tower is asked, and with which token: from the environment, else from what `tailslide login` has kept.

The authorities that an https Tower is verified with come from the environment alone.

The file is the user's alone (mode 0600), in the user's configuration folder. A token that is kept there can be seen and
revoked in Tower, where it has a name.
"""

import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import platformdirs

from tailslide_runtime.errors import StartError
from tailslide_runtime.private_files import UntrustedFileError, make_folder, open_folder
from tailslide_runtime.tls import NamedFile, TlsClient, TlsOptions

URL = "TAILSLIDE_TOWER_URL"
"""Tower's address, for `login` and with a token; else the address that you are logged in at."""
CA_FILE = "TAILSLIDE_TOWER_CA_FILE"
"""The authorities, as PEM, that the certificate of Tower is checked with, in place of the system's."""
TOKEN = "TAILSLIDE_API_TOKEN"  # noqa: S105 # the name of a variable
"""An API token to use in place of that of `tailslide login`."""
_FILE = "tower.json"
_LIMIT = 16_384
DEFAULT_URL = "http://127.0.0.1:4142"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A Tower's address, and a token for it."""

    url: str
    token: str = field(repr=False)


def folder() -> Path:
    """Return where credentials are kept."""
    return platformdirs.user_config_path("tailslide")


def find(environ: Mapping[str, str]) -> Credentials:
    """Return the credentials to use; raise `StartError` that says how to get some."""
    kept = read()
    url, token = environ.get(URL), environ.get(TOKEN)
    if token:
        return Credentials((url or (kept.url if kept else DEFAULT_URL)).rstrip("/"), token)
    if kept is None:
        raise StartError(
            f"not logged in: run `tailslide login`, or set {URL} and {TOKEN} "
            '(for what `tailslide up` runs: eval "$(tailslide env --admin)")'
        )
    if url and url.rstrip("/") != kept.url:
        raise StartError(f"{URL} is {url}, but you are logged in at {kept.url}: run `tailslide login {url}`")
    return kept


def trusted(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return whom to believe that it is Tower: who has a certificate of the given authorities, else of the system's.

    Raises `StartError` for a file that cannot be used.
    """
    path = environ.get(CA_FILE)
    return TlsClient(TlsOptions(NamedFile(CA_FILE, Path(path)) if path else None)).context()


def read() -> Credentials | None:
    """Return what is kept; None when nothing is. Raises `StartError` for a file that cannot be used."""
    path = folder() / _FILE
    try:
        with open_folder(path.parent) as private:
            kept = orjson.loads(private.read(_FILE, _LIMIT))
        return Credentials(kept["url"], kept["token"])
    except FileNotFoundError:
        return None
    except (UntrustedFileError, OSError, ValueError, KeyError, TypeError) as error:
        raise StartError(f"{path} cannot be used ({error}): run `tailslide login` again") from error


def keep(credentials: Credentials) -> Path:
    """Keep credentials in the place of those that are there; return the file."""
    path = folder() / _FILE
    make_folder(path.parent)
    with open_folder(path.parent) as private:
        private.replace(_FILE, orjson.dumps({"url": credentials.url, "token": credentials.token}))
    return path


def forget() -> None:
    """Forget what is kept."""
    with contextlib.suppress(FileNotFoundError):
        (folder() / _FILE).unlink()
