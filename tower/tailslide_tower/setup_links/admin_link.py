"""`tailslide admin-link`: a link for whoever is locked out, made by whoever may use the database."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogLevel, configure
from tailslide_runtime.settings import load
from tailslide_tower.database import Database, DatabaseUnavailableError
from tailslide_tower.settings import TowerSettings
from tailslide_tower.setup_links.service import make_admin_link
from tailslide_tower.times import timestamp


def run(tell: Callable[[str], None]) -> int:
    """Make a link, configured as Tower is; return the exit status. Raises `StartError`."""
    settings = load(TowerSettings)
    configure("admin-link", LogLevel.WARNING, settings.log_format)
    url, expires_at = asyncio.run(_made(settings))
    tell(f"Open this link to log in as an admin; it works once, until {timestamp(expires_at)}:")
    tell(f"  {url}")
    return 0


async def _made(settings: TowerSettings) -> tuple[str, datetime]:
    database = Database(settings.database_url)
    try:
        await database.prepare()
        return await make_admin_link(database, settings.public_url)
    except DatabaseUnavailableError as error:
        raise StartError(f"TAILSLIDE_DATABASE_URL: the database at {database.address} went away: {error}") from error
    finally:
        await database.close()
