"""The live socket, put together."""

import asyncio
from functools import partial

from tailslide_tower.audit.feed import Feed
from tailslide_tower.database import Database
from tailslide_tower.flag_states.standing import Standing
from tailslide_tower.live.adapters import DatabaseFlagViews, DatabaseLogReader, following
from tailslide_tower.live.hub import Hub
from tailslide_tower.live.points import PointsPump
from tailslide_tower.live.sidecar_views import RegistryViews
from tailslide_tower.timeseries.service import GraphService


class Live:
    """The hub of all clients, and what runs for it."""

    def __init__(self, database: Database, feed: Feed, graphs: GraphService, standing: Standing) -> None:
        """`feed` tells of entries of the log, `standing` of circuits, of what is published, and of sidecars."""
        self.hub = Hub(
            follow=partial(following, feed),
            reader=DatabaseLogReader(database),
            flags=DatabaseFlagViews(database, standing.states.describe_all),
            flag_news=standing.news,
            sidecars=RegistryViews(standing.registry, standing.sidecars),
        )
        self._points = PointsPump(graphs, lambda: self.hub)

    async def run(self) -> None:
        """Serve clients until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.hub.run())
            group.create_task(self._points.run())
