"""`tailslide healthcheck`: the health check of containers, whose images have no curl.

It uses the standard library alone, since it is started every few seconds.
"""

import http.client
import ipaddress
import socket
import ssl
from pathlib import Path

import click

from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress

_TIMEOUT_S = 4.0
_TLS = "https://"
_MAX_ANSWER_BYTES = 65536


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@click.command()
@click.argument("address")
@click.option("--path", default="/readyz", show_default=True, help="What to ask for.")
def healthcheck(address: str, path: str) -> None:
    """Ask the process that listens on ADDRESS whether it is ready; exit with status 1 if it is not.

    ADDRESS is written as in the settings: host:port or unix:/path, with https:// before it for a listener that speaks
    TLS. Its certificate is not checked, since it is for the names that others use.
    """
    try:
        connection = _connection(address)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="ADDRESS") from error
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        said = response.read(_MAX_ANSWER_BYTES).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise StartError(f"{address} does not answer: {error}") from error
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise StartError(f"{address} answers {response.status}: {said}")
    click.echo(said)


def _connection(address: str) -> http.client.HTTPConnection:
    listen = ListenAddress.parse(address.removeprefix(_TLS))
    if listen.path is not None:
        return _UnixConnection(listen.path)
    host = _reachable(listen.host)
    if not address.startswith(_TLS):
        return http.client.HTTPConnection(host, listen.port, timeout=_TIMEOUT_S)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, listen.port, timeout=_TIMEOUT_S, context=context)


def _reachable(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"
