"""Changes that would arrive nowhere are refused.

While the bucket is not this database's to fill, nobody is to believe that a change was made. Reading is as ever. A
request that says that it knows is carried out, and told again in its response.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from tailslide_runtime.http import ApiError, Handler
from tailslide_runtime.jetstream import LinkStatus
from tailslide_tower.api.routes import check_access, operation_of
from tailslide_tower.publisher.claims import REMEDY
from tailslide_tower.publisher.service import Publisher

HEADER = "Tailslide-Unpublished"
"""In a request, `accept`: change the database all the same. In the response to it: why nothing was published."""
JUDGED_WITHIN_S = 2.0
"""How long a change waits, right after the connection was made, for it to be known whose the bucket is."""


@dataclass(frozen=True, slots=True)
class Publication:
    """Who knows whether changes arrive."""

    publisher: Publisher
    nats: LinkStatus


PUBLICATION = web.AppKey("publication", Publication)


@web.middleware
async def refuse_unpublishable(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 409 to a change while nothing may be published; while NATS is away changes are taken, and arrive later."""
    operation = operation_of(request)
    if operation is None or not operation.published:
        return await handler(request)
    check_access(request, operation)  # whoever may not change it has no business with why nothing is published
    publication = request.app[PUBLICATION]
    publisher = publication.publisher
    if publication.nats.connected:
        with suppress(TimeoutError):
            async with asyncio.timeout(JUDGED_WITHIN_S):
                await publisher.judged.wait()
    refusal = publisher.refusal
    if refusal is None:
        return await handler(request)
    if request.headers.get(HEADER, "").lower() != "accept":
        raise ApiError(
            409, "NOT_PUBLISHING", f"nothing was changed, because no sidecar would see it: {refusal.problem}; {REMEDY}"
        )
    answer = await handler(request)
    answer.headers[HEADER] = refusal.cause
    return answer
