"""The live socket, put together."""

import asyncio
from functools import partial

from tailslide_tower.audit.feed import Feed
from tailslide_tower.database import Database
from tailslide_tower.live.adapters import DatabaseFlagViews, DatabaseLogReader, Describe, following
from tailslide_tower.live.hub import Hub
from tailslide_tower.live.points import PointsPump
from tailslide_tower.live.sources import FlagNews, NoNews, SidecarViews
from tailslide_tower.timeseries.service import GraphService


class Live:
    """The hub of all clients, and what runs for it."""

    def __init__(
        self,
        database: Database,
        feed: Feed,
        graphs: GraphService,
        *,
        describe: Describe | None = None,
        flag_news: FlagNews | None = None,
        sidecars: SidecarViews | None = None,
    ) -> None:
        """Without `describe` flags come without their states; without `flag_news` and `sidecars` only the log tells."""
        self.hub = Hub(
            follow=partial(following, feed),
            reader=DatabaseLogReader(database),
            flags=DatabaseFlagViews(database, describe),
            flag_news=flag_news or NoNews(),
            sidecars=sidecars or NoNews(),
        )
        self._points = PointsPump(graphs, lambda: self.hub)

    async def run(self) -> None:
        """Serve clients until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.hub.run())
            group.create_task(self._points.run())
