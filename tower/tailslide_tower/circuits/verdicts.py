"""Verdicts on flags, as Aerobat has written them to the bucket `circuits`. Tower never writes there.

Fails open: without NATS, or when it is slow, there is no verdict to be read, and people's changes go on without.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client

from tailslide_core.contracts import decode_circuit
from tailslide_core.errors import ContractError
from tailslide_core.naming import CIRCUITS_BUCKET, FlagId, bucket_stream, bucket_subject
from tailslide_runtime.bucket_watch import is_deletion

log = structlog.get_logger()

TIMEOUT_S = 1.0
"""A person waits for it, and a row is locked meanwhile."""


class Verdicts:
    """The verdicts behind the present connection, if there is one."""

    def __init__(self) -> None:
        self._client: Client | None = None

    @contextmanager
    def connected(self, client: Client) -> Iterator[None]:
        """Read through this connection inside the block."""
        self._client = client
        try:
            yield
        finally:
            self._client = None

    async def reset_generation(self, flag_id: FlagId) -> int | None:
        """Return the `reset_generation` of the verdict on a flag; None when there is none that can be read."""
        client = self._client
        if client is None:
            return None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                message = await client.jetstream().get_last_msg(
                    bucket_stream(CIRCUITS_BUCKET), bucket_subject(CIRCUITS_BUCKET, str(flag_id))
                )
            if is_deletion(message.headers):
                return None
            return decode_circuit(message.data or b"").reset_generation
        except nats.js.errors.NotFoundError:
            return None
        except ContractError as error:
            log.warning("verdict_unreadable", flag=str(flag_id), error=str(error))
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError) as error:
            log.warning("verdict_unknown", flag=str(flag_id), error=str(error) or type(error).__name__)
        return None
