"""SDK keys on a real NATS: records written as Tower writes them, and who answers the callout, in this process."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import nats
import nats.errors
import orjson
from nats.aio.client import Client
from pydantic import SecretStr

from tailslide_core.naming import KEYS_BUCKET, bucket_stream, bucket_subject
from tailslide_core.sdk_keys import SdkKey, encode_sdk_key_record
from tailslide_core.sidecar_access import SIDECARS_API, delivery_prefix, inbox_prefix
from tailslide_embedded.stack import Endpoints
from tailslide_runtime.auth_callout.service import AuthCallout, CalloutSettings
from tailslide_runtime.jetstream import Link, ensure_bucket
from tailslide_runtime.known_keys import KnownKeys
from tailslide_runtime.server_urls import NatsUrl


def new_key(app: str) -> SdkKey:
    return SdkKey(app, secrets.token_hex(4), secrets.token_urlsafe(32))


def callout_settings(servers: Endpoints) -> CalloutSettings:
    assert servers.nats_access is not None
    access = servers.nats_access
    settings = CalloutSettings.read(
        SecretStr(access.issuer_seed), NatsUrl.parse(access.callout_url), NatsUrl.parse(access.system_url)
    )
    assert settings is not None
    return settings


@asynccontextmanager
async def answering(servers: Endpoints, keys: KnownKeys | None = None) -> AsyncIterator[KnownKeys]:
    """Answer the callout until the end of the block; with `keys` given, nobody keeps them up to date."""
    known = KnownKeys() if keys is None else keys
    callout = AuthCallout(callout_settings(servers), known, "test")
    tasks = [asyncio.create_task(callout.run())]
    if keys is None:
        tasks.append(asyncio.create_task(Link(NatsUrl.parse(servers.nats_url), "test keys").run(known.follow)))
    try:
        yield known
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def administrator(servers: Endpoints) -> AsyncIterator[Client]:
    client = await nats.connect(servers.nats_url)
    try:
        yield client
    finally:
        await client.close()


async def publish_key(client: Client, key: SdkKey) -> None:
    await ensure_bucket(client, KEYS_BUCKET)
    subject = bucket_subject(KEYS_BUCKET, key.record.name)
    await client.jetstream().publish(subject, encode_sdk_key_record(key.record), stream=bucket_stream(KEYS_BUCKET))


async def revoke_key(client: Client, key: SdkKey) -> None:
    subject = bucket_subject(KEYS_BUCKET, key.record.name)
    await client.jetstream().publish(subject, headers={"KV-Operation": "DEL"})


@dataclass
class Intruder:
    """A plain client of NATS with an SDK key, which tries what it should not be able to do."""

    client: Client
    key: SdkKey
    errors: list[str] = field(default_factory=list)

    async def create_consumer(self, bucket: str, app: str, deliver: str | None = None, **config: object) -> object:
        """Ask for a consumer; return `created`, the server's refusal, or `no answer`."""
        name, stream = f"try_{secrets.token_hex(4)}", bucket_stream(bucket)
        keys = bucket_subject(bucket, f"{app}.>")
        wanted = {
            "name": name,
            "deliver_subject": deliver or f"{delivery_prefix(self.key.app, self.key.key_id)}.{name}",
            "deliver_policy": "last_per_subject",
            "ack_policy": "none",
            "filter_subject": keys,
            **config,
        }
        return await self.request(
            f"{SIDECARS_API}.CONSUMER.CREATE.{stream}.{name}.{keys}", {"stream_name": stream, "config": wanted}
        )

    async def request(self, subject: str, body: object) -> object:
        try:
            answer = await self.client.request(subject, orjson.dumps(body), timeout=0.25)
        except nats.errors.NoRespondersError:
            return "no responders"
        except nats.errors.TimeoutError:
            return "no answer"
        error = orjson.loads(answer.data).get("error")
        return error["description"] if error else "created"

    async def publish(
        self, subject: str, data: bytes = b"intruder", reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        await self.client.publish(subject, data, reply=reply, headers=headers)
        await self.client.flush()


@asynccontextmanager
async def intruding(servers: Endpoints, key: SdkKey, name: str = "i1") -> AsyncIterator[Intruder]:
    """Connect with a key, as whoever has it could."""
    assert servers.nats_access is not None
    errors: list[str] = []

    async def note(error: Exception) -> None:
        errors.append(str(error))

    client = Client()
    try:
        await client.connect(
            str(NatsUrl.parse(servers.nats_url)),
            token=str(key),
            name=name,
            inbox_prefix=inbox_prefix(key.app, key.key_id),
            allow_reconnect=False,
            error_cb=note,
        )
        yield Intruder(client, key, errors)
    finally:
        with suppress(nats.errors.ConnectionClosedError):
            await client.close()
