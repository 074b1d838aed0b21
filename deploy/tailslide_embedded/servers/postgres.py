"""The embedded PostgreSQL: one cluster, reached by TCP on loopback only, with one database, which Tower's role owns.

What that role may do, and how it came to own what an earlier version made, is in `tower_role`. The superuser is called
`tailslide`, as in every data folder so far; its password stays in `secrets.json`. PostgreSQL refuses to run as root.
No migrations here: the schema is Tower's.
"""

import contextlib
import os
import pwd
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

import asyncpg

from tailslide_embedded import programs, wheels
from tailslide_embedded.addresses import LOOPBACK
from tailslide_embedded.data_dir import DataDir
from tailslide_embedded.processes import Command, NotReadyError, ProcessSpec, run
from tailslide_embedded.servers import EmbeddedServer, reason
from tailslide_embedded.servers.tower_role import DATABASE, ROLE, ensure_role, hand_over_tables
from tailslide_embedded.users import RunAs, hand_over, has_account
from tailslide_runtime.errors import StartError
from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_runtime.settings import ListenAddress

_SUPERUSER = "tailslide"
_ANSWER_TIMEOUT_S = 3.0
_INITDB_TIMEOUT_S = 120.0
_ENV = {"LC_ALL": "C", "PATH": os.defpath}
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "60",
    "authentication_timeout": "10s",
    "tcp_keepalives_idle": "60s",
    # Everything stays in the data folder; the default leaves files in /dev/shm when the server is killed.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# A setting of our own, which every role may read: it tells a second `tailslide up` whose server it was about to use.
_DATA_DIR = "tailslide.data_dir"


def server(data: DataDir, port: int) -> EmbeddedServer:
    """Return the server; raises StartError when its wheel is missing or its user cannot reach the data folder."""
    files = wheels.postgres()
    run_as = data.user("postgres")
    folder = data.folder("postgres", run_as)
    cluster = folder / "cluster"
    install = programs.postgres_install(data, files, run_as)
    address = ListenAddress(LOOPBACK, port)
    superuser = _Superuser(port, data.secret("postgres_password"), cluster)
    password = data.secret("database_password")
    settings_of_run = _SETTINGS | {_DATA_DIR: quote(str(data.path))}
    settings = (word for key, value in settings_of_run.items() for word in ("-c", f"{key}={value}"))

    async def prepare() -> None:
        if not cluster.exists():
            await _make_cluster(data, install, folder, superuser.password, run_as)
        # The lock says that no process is left of the last run; after a restart of the machine the process id in this
        # file may belong to another program, which PostgreSQL would take for a running server.
        _remove_from(cluster, "postmaster.pid")

    async def ready() -> None:
        await superuser.set_up(password)

    return EmbeddedServer(
        f"postgresql://{ROLE}:{quote(password, safe='')}@{address}/{DATABASE}",
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
            lock=data.path / "postgres.lock",
            prepare=prepare,
            ready=ready,
            start_timeout_s=60.0,
            stop_signal=signal.SIGINT,
            stop_timeout_s=20.0,
        ),
    )


async def check(url: DatabaseUrl) -> None:
    """Return when the database lets us in, as Tower asks it to, else raise NotReadyError with the reason."""
    try:
        await (await asyncpg.connect(**url.connect_options(), timeout=_ANSWER_TIMEOUT_S)).close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise NotReadyError(reason(error)) from error


async def data_dir_of(url: DatabaseUrl) -> Path | None:
    """Return the data folder of the `tailslide up` whose server answers there, None when it is another's server.

    Raises NotReadyError as `check` does, and when the server answers no question, as some poolers do.
    """
    try:
        connection = await asyncpg.connect(**url.connect_options(), timeout=_ANSWER_TIMEOUT_S)
        try:
            path = await connection.fetchval("SELECT current_setting($1, true)", _DATA_DIR, timeout=_ANSWER_TIMEOUT_S)
        finally:
            await connection.close(timeout=_ANSWER_TIMEOUT_S)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise NotReadyError(reason(error)) from error
    return Path(unquote(path)) if path else None


@dataclass(frozen=True)
class _Superuser:
    port: int
    password: str = field(repr=False)
    cluster: Path

    async def set_up(self, password: str) -> None:
        """Give Tower's role its password and all that is its own; raise NotReadyError as long as that fails."""
        try:
            async with self._connection("postgres") as connection:
                await ensure_role(connection, password)
            async with self._connection(DATABASE) as connection:
                await hand_over_tables(connection)
        except asyncpg.InvalidPasswordError as error:
            raise StartError(
                f"PostgreSQL's data in {self.cluster} was made with another password than the one in secrets.json: "
                f"put the old secrets.json back, or remove {self.cluster} to start with an empty database"
            ) from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise NotReadyError(reason(error)) from error

    @asynccontextmanager
    async def _connection(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(
            host=LOOPBACK,
            port=self.port,
            user=_SUPERUSER,
            password=self.password,
            database=database,
            ssl=False,
            timeout=_ANSWER_TIMEOUT_S,
        )
        try:
            yield connection
        finally:
            await connection.close()


async def _make_cluster(data: DataDir, install: Path, folder: Path, password: str, run_as: RunAs | None) -> None:
    """Make the cluster beside its place and move it there when it is whole: a start may be killed at any time.

    initdb asks for the name of its user, which ours has not. It is run as `nobody`, but in the group of our user, and
    its files are handed over: other processes of `nobody` are not in that group, so that they can neither pass through
    the folder nor look into the process.
    """
    if run_as is None and not has_account(os.geteuid()):
        raise StartError(
            f"PostgreSQL's initdb asks for the name of its user, and user id {os.geteuid()} has no account here: "
            f"add one to /etc/passwd, or set TAILSLIDE_DATABASE_URL"
        )
    unfinished, password_file = folder / "cluster.unfinished", folder / "password"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    data.write_private(password_file, password, run_as)
    try:
        with _passable_for_group(folder) if run_as is not None else contextlib.nullcontext():
            await run(
                Command(
                    name="initdb",
                    argv=(
                        str(install / "bin" / "initdb"),
                        f"--pgdata={unfinished}",
                        f"--username={_SUPERUSER}",
                        f"--pwfile={password_file}",
                        "--auth=scram-sha-256",
                        "--encoding=UTF8",
                        "--locale=C",
                    ),
                    env=_ENV,
                    cwd=folder,
                    log=data.log("initdb"),
                    run_as=None if run_as is None else RunAs(pwd.getpwnam("nobody").pw_uid, run_as.gid),
                    keep_open=data.keep_open,
                ),
                timeout_s=_INITDB_TIMEOUT_S,
            )
            if run_as is not None:
                hand_over(unfinished, run_as)
    finally:
        password_file.unlink(missing_ok=True)
    unfinished.rename(folder / "cluster")


@contextmanager
def _passable_for_group(folder: Path) -> Iterator[None]:
    folder.chmod(0o770)
    try:
        yield
    finally:
        folder.chmod(0o700)


def _remove_from(folder: Path, name: str) -> None:
    """Remove a file of a folder that is its user's to change, without following a link in the folder's place."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)
