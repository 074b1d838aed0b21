"""The parts that know what is true now, put together: what is watched, what is said of it, and for how long it runs."""

import asyncio

from nats.aio.client import Client

from tailslide_core.naming import FlagId
from tailslide_tower.companions import beside
from tailslide_tower.database import Database
from tailslide_tower.flag_states.counting import SeriesCounts
from tailslide_tower.flag_states.news import News
from tailslide_tower.flag_states.service import FlagStates
from tailslide_tower.publisher.service import Publisher
from tailslide_tower.sidecars.bucket import SidecarWatch
from tailslide_tower.sidecars.registry import SidecarRegistry
from tailslide_tower.sidecars.service import SidecarService
from tailslide_tower.timeseries.series import GraphSeries, NoSeries


class Standing:
    """How flags and sidecars stand, for the API, the live socket and alerts.

    `news.subscribe` tells of flags, `registry.subscribe` of sidecars.
    """

    def __init__(self, database: Database, publisher: Publisher, series: GraphSeries) -> None:
        self.news = News()
        self.registry = SidecarRegistry()
        self._watch = SidecarWatch(self.registry)
        self._publisher = publisher
        self.states = FlagStates(
            database,
            self.news,
            self.registry,
            why_left_alone=self._why_left_alone,
            # Where no Redis is named, nobody expects to read of calls.
            count_calls=None if isinstance(series, NoSeries) else SeriesCounts(series).of,
        )
        self.sidecars = SidecarService(self.registry, self.news.published.latest, now_ms=self.states.now_ms)

    async def serve(self, client: Client) -> None:
        """Watch over a connection until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(beside(client, "flag states", self.news.serve))
            group.create_task(beside(client, "sidecars", self._watch.serve))

    async def run(self) -> None:
        """Do what is to be done whether there is a connection or not, until cancelled."""
        await self._watch.run()

    def _why_left_alone(self, flag_id: FlagId) -> str | None:
        if self._publisher.refusal is not None:
            return "the bucket is not this database's to fill"
        if self._publisher.is_left_alone(flag_id):
            return "the bucket has a newer version of this flag"
        return None
