"""The embedded NATS server with JetStream, and the proof that a NATS server serves JetStream.

Its accounts: `TS` has the buckets, for Tower, Aerobat and an administrator; `SC` is the sidecars', who are let in by
their SDK keys through the auth callout; the callout is answered in `AUTH`; `SYS` is the server's own. `docs/nats.md`
has the same for servers of one's own. Not a cluster, no monitoring port.
"""

import asyncio
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from tailslide_core.naming import (
    CIRCUITS_BUCKET,
    EVENTS_STREAM,
    EVENTS_SUBJECTS,
    KEYS_BUCKET,
    LEASES_BUCKET,
    RULESETS_BUCKET,
    SIDECARS_BUCKET,
    bucket_stream,
    bucket_subject,
)
from tailslide_core.sidecar_access import FLOW_CONTROL, SIDECARS_ACCOUNT, exports, imports
from tailslide_embedded import programs
from tailslide_embedded.addresses import LOOPBACK
from tailslide_embedded.data_dir import DataDir
from tailslide_embedded.processes import NotReadyError, ProcessSpec
from tailslide_embedded.servers import EmbeddedServer, reason
from tailslide_runtime.auth_callout.answering import SUBJECT as CALLOUT_REQUESTS
from tailslide_runtime.auth_callout.claims import Issuer, new_seed
from tailslide_runtime.auth_callout.evictions import CONNECTED
from tailslide_runtime.auth_callout.service import CALLOUT_URL, ISSUER_SEED, SYSTEM_URL
from tailslide_runtime.errors import StartError
from tailslide_runtime.jetstream import SturdyClient, close
from tailslide_runtime.server_urls import NatsUrl
from tailslide_runtime.settings import ListenAddress
from tailslide_runtime.tls import tls_client

_ANSWER_TIMEOUT_S = 3.0
_NAME = "tailslide-up:"
_BUCKETS_ACCOUNT = "TS"
_GLOBAL_ACCOUNT = "$G"
"""Where a server without accounts keeps its streams."""
# Paths are relative to the working directory, so that a data folder may have any name. What JetStream acknowledges is
# with the kernel, so only a crash of the whole machine can lose the writes since the last sync. The server's name tells
# a second `tailslide up` whose server it was about to use.
# Limits: who has not shown credentials within two seconds is disconnected, and who leaves more than 32 MB unread.
_CONFIG = """\
listen: "{address}"
server_name: "{name}"
max_connections: 1024
max_payload: 1MB
max_pending: 32MB
max_control_line: 4KB
max_subscriptions: 10000
write_deadline: "5s"
jetstream {{
  store_dir: "."
  sync_interval: "10s"
  max_memory_store: 256MB
  max_file_store: 8GB
}}
accounts: {accounts}
system_account: "SYS"
authorization {{
  timeout: 2
  auth_callout: {callout}
}}
"""
# What every client of JetStream asks for, none of which changes a stream.
_READING = (
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.MSG.GET.*",
    "$JS.API.DIRECT.GET.>",
    "$JS.API.CONSUMER.>",
    FLOW_CONTROL,
)


@dataclass(frozen=True)
class NatsAccess:
    """Who is let in to the embedded server, as URLs with credentials, and the seed that the auth callout signs with."""

    tower_url: str = field(repr=False)
    aerobat_url: str = field(repr=False)
    callout_url: str = field(repr=False)
    system_url: str = field(repr=False)
    issuer_seed: str = field(repr=False)

    def settings_of(self, part: str) -> dict[str, str]:
        """Return the settings with which Tower (`tower`) or Aerobat (`aerobat`) connects and answers the callout."""
        return {
            NatsUrl.variable: {"tower": self.tower_url, "aerobat": self.aerobat_url}[part],
            ISSUER_SEED: self.issuer_seed,
            CALLOUT_URL: self.callout_url,
            SYSTEM_URL: self.system_url,
        }


def server(data: DataDir, port: int) -> EmbeddedServer:
    """Write the configuration and return the server; raises StartError when its wheel is missing.

    Its URL is that of an administrator of the buckets.
    """
    address = ListenAddress(LOOPBACK, port)
    run_as = data.user("nats")
    folder = data.folder("nats", run_as)
    program = programs.nats_server(data, run_as)
    _keep_streams(folder / "jetstream")
    text = _CONFIG.format(
        address=address,
        name=f"{_NAME}{quote(str(data.path))}",
        accounts=json.dumps(_accounts(data)),
        callout=json.dumps(
            {
                "issuer": Issuer.from_seed(_issuer_seed(data)).public_key,
                "account": "AUTH",
                "auth_users": ["admin", "tower", "aerobat", "callout", "system"],
            }
        ),
    )
    data.write_private(folder / "nats.conf", text, run_as)
    url = _url(data, "admin", port)

    async def ready() -> None:
        await check(NatsUrl.parse(url))

    return EmbeddedServer(
        url,
        ProcessSpec(
            name="NATS",
            argv=(str(program), "--config", "nats.conf"),
            env={},
            cwd=folder,
            log=data.log("nats"),
            run_as=run_as,
            keep_open=data.keep_open,
            address=str(address),
            ready=ready,
        ),
    )


def access(data: DataDir, port: int) -> NatsAccess:
    """Return who is let in to the server on a data folder that listens on this port."""
    tower, aerobat, callout, system = (_url(data, user, port) for user in ("tower", "aerobat", "callout", "system"))
    return NatsAccess(tower, aerobat, callout, system, _issuer_seed(data))


def _issuer_seed(data: DataDir) -> str:
    return data.secret("nats_issuer_seed", lambda: new_seed(secrets.token_bytes(32)))


def _password(data: DataDir, user: str) -> str:
    return data.secret(f"nats_{user}_password")


def _url(data: DataDir, user: str, port: int) -> str:
    return f"nats://{user}:{quote(_password(data, user), safe='')}@{ListenAddress(LOOPBACK, port)}"


def _accounts(data: DataDir) -> dict[str, object]:
    def user(name: str, **permissions: object) -> dict[str, object]:
        return {
            "user": name,
            "password": _password(data, name),
            **({"permissions": permissions} if permissions else {}),
        }

    return {
        "AUTH": {"users": [user("callout", subscribe=[CALLOUT_REQUESTS], allow_responses=True)]},
        "SYS": {"users": [user("system", publish=SYSTEM_PUBLISHES, subscribe=[CONNECTED, "_INBOX.>"])]},
        _BUCKETS_ACCOUNT: {
            "jetstream": "enabled",
            "users": [
                user("admin"),
                user("tower", publish=TOWER_PUBLISHES),
                user("aerobat", publish=AEROBAT_PUBLISHES),
            ],
            "exports": exports(),
        },
        SIDECARS_ACCOUNT: {"imports": imports(_BUCKETS_ACCOUNT)},
    }


def _makes(*streams: str) -> tuple[str, ...]:
    return tuple(f"$JS.API.STREAM.{action}.{stream}" for stream in streams for action in ("CREATE", "UPDATE"))


TOWER_PUBLISHES = (
    *_READING,
    *_makes(*(bucket_stream(bucket) for bucket in (RULESETS_BUCKET, KEYS_BUCKET, SIDECARS_BUCKET))),
    bucket_subject(RULESETS_BUCKET, ">"),
    bucket_subject(KEYS_BUCKET, ">"),
    f"$JS.ACK.{EVENTS_STREAM}.>",
)
SYSTEM_PUBLISHES = ("$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.*.CONNZ", "$SYS.REQ.SERVER.*.KICK")
AEROBAT_PUBLISHES = (
    *_READING,
    *_makes(bucket_stream(CIRCUITS_BUCKET), bucket_stream(LEASES_BUCKET), EVENTS_STREAM),
    bucket_subject(CIRCUITS_BUCKET, ">"),
    bucket_subject(LEASES_BUCKET, ">"),
    EVENTS_SUBJECTS,
)


def _keep_streams(jetstream: Path) -> None:
    """Give the streams of an earlier version, whose server had no accounts, to the account that has them now."""
    try:
        folder = os.open(jetstream, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        names = set(os.listdir(folder))  # noqa: PTH208 # a Path cannot stand for a descriptor
        if _GLOBAL_ACCOUNT in names and _BUCKETS_ACCOUNT not in names:
            os.rename(_GLOBAL_ACCOUNT, _BUCKETS_ACCOUNT, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        raise StartError(f"{jetstream}: the streams of an earlier version cannot be kept: {error.strerror}") from error
    finally:
        os.close(folder)


async def check(url: NatsUrl) -> None:
    """Return when a NATS server lets us in there and serves JetStream, else raise NotReadyError with the reason."""
    await _name(url)


async def data_dir_of(url: NatsUrl) -> Path | None:
    """Return the data folder of the `tailslide up` whose server answers there, None when it is another's server.

    Raises NotReadyError as `check` does, unless it is one of ours that does not let us in: it says its name before.
    """
    name = await _name(url, told=_NAME)
    return Path(unquote(name.removeprefix(_NAME))) if name.startswith(_NAME) else None


async def _name(url: NatsUrl, told: str | None = None) -> str:
    """Return a server's name. With `told`, one that begins with it is returned even if we are not let in."""
    last: list[Exception] = []

    async def note(error: Exception) -> None:
        last.append(error)

    client = SturdyClient()
    client.has_certificate = url.files.own is not None
    tls = None if url.tls is None else tls_client(url.tls).context()
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            await client.connect(
                **url.connect_options(),
                tls=tls,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=2,
                error_cb=note,
            )
            await client.jetstream().account_info()
            return _name_in(client)
    except (nats.js.errors.ServiceUnavailableError, nats.js.errors.NoStreamResponseError) as error:
        raise NotReadyError("JetStream is not enabled there") from error
    except (nats.errors.Error, nats.js.errors.Error, OSError, ValueError) as error:
        if told is not None and _name_in(client).startswith(told):
            return _name_in(client)
        raise NotReadyError(reason(last[-1] if last else error)) from error
    finally:
        await close(client)  # also after a refused connect, which leaves its socket open


def _name_in(client: Client) -> str:
    return str(client._server_info.get("server_name", ""))  # noqa: SLF001  the client has no other word for it
