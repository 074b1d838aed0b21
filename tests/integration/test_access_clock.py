"""What ends by itself, on a real PostgreSQL and by a clock that the test moves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from access_clients import ADMIN, PASSWORD, secret_of
from argon2 import PasswordHasher
from tower_bench import TowerBench

from tailslide_runtime.http import ApiError
from tailslide_tower.admission import Admission
from tailslide_tower.auth.housekeeping import delete_expired
from tailslide_tower.auth.passwords import PARAMETERS, normalised
from tailslide_tower.auth.principal import ENVIRONMENT, Author
from tailslide_tower.database import Database
from tailslide_tower.invitations.models import InvitationAccept, InvitationCreate
from tailslide_tower.invitations.store import invitations
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.sessions.session import Client
from tailslide_tower.sessions.store import sessions
from tailslide_tower.setup_links.models import SetUp
from tailslide_tower.setup_links.service import ADMIN_LINK_LIFE, make_admin_link
from tailslide_tower.setup_links.store import setup_links
from tailslide_tower.tokens.models import TokenCreate, TokenRotate
from tailslide_tower.users.store import KNOWN_FOR, known_addresses
from tailslide_tower.viewer_links.models import LinkCreate

AUTHOR = Author(ENVIRONMENT)
CLIENT = Client("192.0.2.1", "a browser")
TICK = timedelta(milliseconds=1)


@dataclass
class Scene:
    """The services of access, and their clock."""

    admission: Admission
    database: Database
    now: datetime = datetime(2026, 11, 28, 12, tzinfo=UTC)

    def clock(self) -> datetime:
        return self.now

    async def log_in(self) -> str:
        return (await self.admission.sessions.log_in(ADMIN, PASSWORD, CLIENT)).secret

    async def lives(self, cookie: str) -> bool:
        return await self.admission.entrance.authentication.by_cookie(cookie) is not None

    async def is_known(self, token: str) -> bool:
        return await self.admission.entrance.authentication.by_token(token, CLIENT) is not None

    async def count(self, table: sa.Table) -> int:
        async with self.database.begin() as connection:
            return int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


@pytest.fixture(autouse=True)
def _quick_passwords() -> None:
    """Leave Tower its own parameters, unlike the other tests."""


@pytest.fixture
async def scene(bench: TowerBench) -> AsyncIterator[Scene]:
    settings = bench.settings(admin_email=ADMIN, admin_password=PASSWORD)
    database = Database(settings.database_url)
    try:
        await database.prepare()
        made = Scene(Admission.of(settings, database, TowerMetrics()), database)
        made.admission = Admission.of(settings, database, TowerMetrics(), made.clock)
        await made.admission.prepare(bench.announced.append)
        yield made
        await made.admission.close()
    finally:
        await database.close()


async def test_session_ends_a_day_after_its_last_use(scene: Scene) -> None:
    cookie = await scene.log_in()
    idle = scene.admission.sessions.lifetimes.idle
    scene.now += idle - TICK
    assert await scene.lives(cookie)
    scene.now += idle - TICK
    assert await scene.lives(cookie)
    scene.now += idle
    assert not await scene.lives(cookie)


async def test_session_that_is_used_ends_after_its_whole_life(scene: Scene) -> None:
    cookie = await scene.log_in()
    lifetimes, begun = scene.admission.sessions.lifetimes, scene.now
    while scene.now - begun < lifetimes.total - lifetimes.idle:
        scene.now += lifetimes.idle / 2
        assert await scene.lives(cookie)
    scene.now = begun + lifetimes.total - TICK
    assert await scene.lives(cookie)
    scene.now += TICK
    assert not await scene.lives(cookie)


async def test_last_use_is_written_once_a_minute(scene: Scene) -> None:
    cookie = await scene.log_in()

    async def last_used() -> datetime:
        async with scene.database.begin() as connection:
            moment = await connection.scalar(sa.select(sessions.c.last_used_at))
        assert isinstance(moment, datetime)
        return moment

    begun = await last_used()
    scene.now += timedelta(seconds=59)
    await scene.lives(cookie)
    assert await last_used() == begun
    scene.now += timedelta(seconds=1)
    await scene.lives(cookie)
    assert await last_used() == scene.now


async def test_token_ends_with_its_life_and_its_old_secret_with_the_grace(scene: Scene) -> None:
    service = scene.admission.tokens
    token, first = await service.create(TokenCreate(name="ci", role="viewer", expires_in_s=7200), AUTHOR)
    _, second = await service.rotate(token.id, TokenRotate(grace_s=3600), AUTHOR)
    scene.now += timedelta(hours=1) - TICK
    assert await scene.is_known(first)
    scene.now += TICK
    assert not await scene.is_known(first)
    assert await scene.is_known(second)
    scene.now += timedelta(hours=1)
    assert not await scene.is_known(second)


async def test_links_open_nothing_after_their_lives(scene: Scene) -> None:
    admission = scene.admission
    _, invited = await admission.invitations.invite(InvitationCreate(email="eve@example.org", role="viewer"), AUTHOR)
    _, view = await admission.viewer_links.create(LinkCreate(name="demo"), AUTHOR)
    url, expires_at = await make_admin_link(scene.database, "http://t", scene.clock)
    assert expires_at == scene.now + ADMIN_LINK_LIFE
    scene.now += timedelta(days=7)
    with pytest.raises(ApiError, match="has expired"):
        await admission.invitations.accept(InvitationAccept(secret=invited, password=PASSWORD), CLIENT)
    with pytest.raises(ApiError, match="has expired"):
        await admission.viewer_links.use(view, CLIENT)
    with pytest.raises(ApiError, match="has expired"):
        await admission.setup.use(SetUp(secret=secret_of(url), email=ADMIN, password=PASSWORD), CLIENT)


async def test_what_has_expired_is_deleted_and_the_rest_stays(scene: Scene) -> None:
    await scene.log_in()
    await scene.admission.invitations.invite(InvitationCreate(email="eve@example.org", apps={}), AUTHOR)
    await make_admin_link(scene.database, "http://t", scene.clock)
    lifetimes = scene.admission.sessions.lifetimes
    tables = (sessions, invitations, setup_links, known_addresses)
    await delete_expired(scene.database, lifetimes, scene.now)
    assert [await scene.count(table) for table in tables] == [1, 1, 1, 1]
    await delete_expired(scene.database, lifetimes, scene.now + KNOWN_FOR + TICK)
    assert [await scene.count(table) for table in tables] == [0, 0, 0, 0]


async def test_hash_with_parameters_of_before_is_replaced_at_the_log_in(bench: TowerBench, scene: Scene) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(normalised(PASSWORD))
    await bench.sql(f"UPDATE users SET password_hash = '{weak}'")
    await scene.log_in()
    async with bench.connection() as connection:
        stored = await connection.fetchval("SELECT password_hash FROM users")
    assert stored != weak
    assert not PARAMETERS.check_needs_rehash(stored)
    await scene.log_in()
