"""The live socket, put together."""

import asyncio
from functools import partial

from tailslide_tower.audit.feed import Feed
from tailslide_tower.database import Database
from tailslide_tower.live.adapters import DatabaseFlagViews, DatabaseLogReader, Describe, following
from tailslide_tower.live.hub import Hub
from tailslide_tower.live.points import PointsPump
from tailslide_tower.live.sources import FlagNews, SidecarViews
from tailslide_tower.timeseries.service import GraphService


class Live:
    """The hub of all clients, and what runs for it."""

    def __init__(
        self,
        database: Database,
        feed: Feed,
        graphs: GraphService,
        *,
        describe: Describe,
        flag_news: FlagNews,
        sidecars: SidecarViews,
    ) -> None:
        """`describe` returns the states of flags, in their order; `flag_news` tells whose may differ."""
        self.hub = Hub(
            follow=partial(following, feed),
            reader=DatabaseLogReader(database),
            flags=DatabaseFlagViews(database, describe),
            flag_news=flag_news,
            sidecars=sidecars,
        )
        self._points = PointsPump(graphs, lambda: self.hub)

    async def run(self) -> None:
        """Serve clients until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.hub.run())
            group.create_task(self._points.run())
