"""The embedded PostgreSQL: one cluster, one user and one database named `tailslide`, reached by TCP on loopback only.

PostgreSQL refuses to run as root. Root therefore runs it as `nobody`, who must be able to enter the data folder and to
read the programs; where the programs are out of reach, a copy of them is kept in the data folder.
No migrations here: the schema is Tower's.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import asyncpg

from tailslide_embedded import wheels
from tailslide_embedded.addresses import LOOPBACK
from tailslide_embedded.data_dir import DataDir
from tailslide_embedded.processes import Command, NotReadyError, ProcessSpec, RunAs, run
from tailslide_embedded.servers import EmbeddedServer, reason
from tailslide_runtime.errors import StartError
from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_runtime.settings import ListenAddress

_NAME = "tailslide"
_ANSWER_TIMEOUT_S = 3.0
_INITDB_TIMEOUT_S = 120.0
_ENV = {"LC_ALL": "C", "PATH": os.defpath}
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    # Everything stays in the data folder; the default leaves files in /dev/shm when the server is killed.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def server(data: DataDir, port: int) -> EmbeddedServer:
    """Return the server; raises StartError when its wheel is missing or `nobody` cannot reach the data folder."""
    files = wheels.postgres()
    folder = data.folder("postgres")
    cluster = folder / "cluster"
    run_as = _run_as(cluster)
    install = files.install
    if run_as is not None:
        _open_way(data.path, run_as)
        os.chown(folder, run_as.uid, run_as.gid)
        if not all(_within_reach(path, run_as) for path in _needed(files)):
            install = data.path / f"postgres-programs-{files.version}" / "pgserver" / "pginstall"
    address = ListenAddress(LOOPBACK, port)
    password = data.secret("postgres_password")
    settings = (word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}"))

    async def prepare() -> None:
        if not install.exists():
            await asyncio.to_thread(_copy, files, install.parent.parent)
        if not cluster.exists():
            await _make_cluster(data, install, folder, password, run_as)
        # The lock of the data folder says that no server is left of the last run; after a restart of the machine the
        # process id in this file may belong to another program, which PostgreSQL would take for a running server.
        (cluster / "postmaster.pid").unlink(missing_ok=True)

    async def ready() -> None:
        await _ready(port, password, cluster)

    return EmbeddedServer(
        f"postgresql://{_NAME}:{quote(password, safe='')}@{address}/{_NAME}",
        ProcessSpec(
            name="PostgreSQL",
            argv=(str(install / "bin" / "postgres"), "-D", str(cluster), "-p", str(port), *settings),
            env=_ENV,
            cwd=folder,
            log=data.log("postgres"),
            run_as=run_as,
            keep_open=data.keep_open,
            # Killed outright, it would leave a segment of shared memory; this ends it at once, but orderly.
            orphan_signal=signal.SIGQUIT,
            address=str(address),
            prepare=prepare,
            ready=ready,
            start_timeout_s=60.0,
            stop_signal=signal.SIGINT,
            stop_timeout_s=20.0,
        ),
    )


async def check(url: str) -> None:
    """Return when the database lets us in, as Tower asks it to, else raise NotReadyError with the reason."""
    try:
        options = DatabaseUrl.parse(url).connect_options()
        await (await asyncpg.connect(**options, timeout=_ANSWER_TIMEOUT_S)).close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise NotReadyError(reason(error)) from error


async def _ready(port: int, password: str, cluster: Path) -> None:
    try:
        try:
            await (await _connect(port, password, _NAME)).close()
        except asyncpg.InvalidCatalogNameError:
            connection = await _connect(port, password, "postgres")
            try:
                await connection.execute(f"CREATE DATABASE {_NAME}")
            finally:
                await connection.close()
    except asyncpg.InvalidPasswordError as error:
        raise StartError(
            f"PostgreSQL's data in {cluster} was made with another password than the one in secrets.json: "
            f"put the old secrets.json back, or remove {cluster} to start with an empty database"
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise NotReadyError(reason(error)) from error


async def _connect(port: int, password: str, database: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=LOOPBACK,
        port=port,
        user=_NAME,
        password=password,
        database=database,
        ssl=False,
        timeout=_ANSWER_TIMEOUT_S,
    )


async def _make_cluster(data: DataDir, install: Path, folder: Path, password: str, run_as: RunAs | None) -> None:
    """Make the cluster beside its place and move it there when it is whole: a start may be killed at any time."""
    unfinished, password_file = folder / "cluster.unfinished", folder / "password"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    data.write_private(password_file, password)
    if run_as is not None:
        os.chown(password_file, run_as.uid, run_as.gid)
    try:
        await run(
            Command(
                name="initdb",
                argv=(
                    str(install / "bin" / "initdb"),
                    f"--pgdata={unfinished}",
                    f"--username={_NAME}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                ),
                env=_ENV,
                cwd=folder,
                log=data.log("initdb"),
                run_as=run_as,
                keep_open=data.keep_open,
            ),
            timeout_s=_INITDB_TIMEOUT_S,
        )
    finally:
        password_file.unlink(missing_ok=True)
    unfinished.rename(folder / "cluster")


def _run_as(cluster: Path) -> RunAs | None:
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(FileNotFoundError):
        owner = cluster.stat()
        if owner.st_uid != 0:
            return RunAs(owner.st_uid, owner.st_gid)
    nobody = pwd.getpwnam("nobody")
    return RunAs(nobody.pw_uid, nobody.pw_gid)


def _open_way(path: Path, user: RunAs) -> None:
    """Let `user` pass through our own folder, whose contents stay closed; raise StartError when a parent is closed."""
    path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o011)
    for parent in path.resolve().parents:
        if not _may(parent, user, 0o1):
            raise StartError(
                f"PostgreSQL does not run as root, and the user it is run as cannot enter {parent}: "
                f"choose a --data-dir elsewhere, run tailslide as another user, or set TAILSLIDE_DATABASE_URL"
            )


def _needed(files: wheels.PostgresFiles) -> Iterator[Path]:
    yield files.install / "bin" / "initdb"
    yield files.install / "bin" / "postgres"
    yield files.install / "share" / "postgresql" / "postgres.bki"
    if files.libraries.is_dir():
        yield from files.libraries.iterdir()


def _within_reach(path: Path, user: RunAs) -> bool:
    path = path.resolve()
    executable = path.stat().st_mode & 0o100
    return _may(path, user, 0o5 if executable else 0o4) and all(_may(one, user, 0o1) for one in path.parents)


def _may(path: Path, user: RunAs, wanted: int) -> bool:
    """Tell whether the mode of `path` grants the user all bits of `wanted` (4 read, 2 write, 1 execute or enter)."""
    status = path.stat()
    if status.st_uid == user.uid:
        granted = status.st_mode >> 6
    elif status.st_gid == user.gid:
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    return granted & wanted == wanted


def _copy(files: wheels.PostgresFiles, target: Path) -> None:
    """Copy the programs with the same places relative to each other, readable for everybody."""
    unfinished = target.with_name(f"{target.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    skip = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a")
    shutil.copytree(files.install, unfinished / "pgserver" / "pginstall", symlinks=True, ignore=skip)
    if files.libraries.is_dir():
        shutil.copytree(files.libraries, unfinished / files.libraries.name, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    unfinished.rename(target)
