"""One supervised child process: started until it answers, watched, stopped with its own signal, never left behind.

Children get a session of their own, so that a terminal's Ctrl-C reaches only the supervisor, which stops them in
order; on Linux the kernel ends them when the supervisor is killed. What the programs are is not known here.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tailslide_embedded import launch
from tailslide_embedded.users import RunAs
from tailslide_runtime.errors import StartError

_POLL_S = 0.05
_LEFTOVERS_TIMEOUT_S = 15.0
_TAIL_BYTES = 4096
_TAIL_LINES = 10


class NotReadyError(Exception):
    """A server does not answer as it should, yet; the text is the reason, to be read after a colon."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program to run.

    `env` is its whole environment. `log` receives both of its outputs; the log of the run before is kept as
    `<stem>.previous.log`. `keep_open` are file descriptors that it inherits. `orphan_signal` is what the kernel sends
    when the thread that started it is gone (Linux only).
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    log: Path
    run_as: RunAs | None = None
    keep_open: tuple[int, ...] = ()
    orphan_signal: signal.Signals = signal.SIGKILL


@dataclass(frozen=True, kw_only=True)
class ProcessSpec(Command):
    """A program that goes on running and answers at `address`.

    `prepare` runs before each start. `lock` is a file that the process and all that it starts hold locked: a start
    waits until nothing is left of the one before. `ready` returns once the process answers as it should, and raises
    NotReadyError as long as it does not; StartError from either ends the start at once. Times are in seconds.
    """

    address: str
    ready: Callable[[], Awaitable[None]]
    prepare: Callable[[], Awaitable[None]] | None = None
    lock: Path | None = None
    start_timeout_s: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0


@dataclass(frozen=True)
class Exit:
    """The end of a child. `status` is as in asyncio: the exit status, or minus the signal that killed it."""

    name: str
    status: int
    log_tail: str

    def __str__(self) -> str:
        return f"{self.name} ended unexpectedly: {_describe(self.status)}{_below(self.log_tail)}"


class Child:
    """One process at a time after `spec`: it can be started again once it has ended."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises StartError when it ends before that or does not answer in time; nothing is left running then, nor
        after a cancellation.
        """
        if self.pid is not None:
            return
        with contextlib.ExitStack() as own:
            spec = self.spec
            try:
                if spec.lock is not None:
                    lock = await _lock(spec.lock, spec.name)
                    own.callback(os.close, lock)  # the child has it by then
                    spec = replace(spec, keep_open=(*spec.keep_open, lock))
                if spec.prepare is not None:
                    await spec.prepare()
            except OSError as error:
                raise StartError(f"{spec.name} cannot be set up: {error}") from error
            self._process = await _spawn(spec)
        try:
            await self._until_ready(self._process)
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> Exit:
        """Return when the process has ended, whoever ended it. Only for a child that was started."""
        if self._process is None:
            raise RuntimeError(f"{self.spec.name} was not started")
        status = await self._process.wait()
        return Exit(self.spec.name, status, log_tail(self.spec.log))

    async def stop(self) -> None:
        """Send its own terminate signal, and SIGKILL when it takes too long. Does nothing when it has ended."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        # Not process.send_signal: it reaps a child that has just ended, and asyncio's watcher then misses its status.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, self.spec.stop_signal)
        try:
            async with asyncio.timeout(self.spec.stop_timeout_s):
                await process.wait()
        except TimeoutError:
            pass
        finally:  # also when the wait is cancelled
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        spec = self.spec
        loop = asyncio.get_running_loop()
        deadline = loop.time() + spec.start_timeout_s
        reason = "no answer"
        while True:
            answered = False
            try:
                async with asyncio.timeout_at(deadline):
                    await spec.ready()
                answered = True
            except NotReadyError as error:
                reason = str(error)
            except TimeoutError:
                pass
            # Looked at after the answer too: another process may have answered at this address.
            if process.returncode is not None:
                raise StartError(
                    f"{spec.name} ended before it was ready at {spec.address}: {_describe(process.returncode)}"
                    f"{_below(log_tail(spec.log))}"
                )
            if answered:
                return
            if loop.time() >= deadline:
                raise StartError(
                    f"{spec.name} was not ready at {spec.address} within {spec.start_timeout_s:g} s: {reason}"
                    f"{_below(log_tail(spec.log))}"
                )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await process.wait()


async def run(command: Command, *, timeout_s: float) -> None:
    """Run a program to its end. Raises StartError when it fails or takes longer than `timeout_s`."""
    process = await _spawn(command)
    try:
        async with asyncio.timeout(timeout_s):
            status = await process.wait()
    except TimeoutError:
        raise StartError(f"{command.name} did not end within {timeout_s:g} s{_below(log_tail(command.log))}") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if status != 0:
        raise StartError(f"{command.name} failed: {_describe(status)}{_below(log_tail(command.log))}")


def log_tail(log: Path) -> str:
    """Return the last lines of a log, at most ten; empty when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(line.rstrip() for line in text.splitlines()[-_TAIL_LINES:]).strip()


async def _lock(path: Path, name: str) -> int:
    """Return a descriptor that holds the lock; raise StartError when processes of an earlier run keep it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        async with asyncio.timeout(_LEFTOVERS_TIMEOUT_S):
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    await asyncio.sleep(_POLL_S)
                else:
                    return descriptor
    except TimeoutError:
        os.close(descriptor)
        raise StartError(
            f"{name}: processes of its last run have not ended within {_LEFTOVERS_TIMEOUT_S:g} s; "
            f"end those that have {path} open, then start again"
        ) from None
    except BaseException:
        os.close(descriptor)
        raise


async def _spawn(command: Command) -> asyncio.subprocess.Process:
    user = ("-", "-") if command.run_as is None else (str(command.run_as.uid), str(command.run_as.gid))
    launcher = (sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(int(command.orphan_signal)))
    output: int | None = None
    try:
        output = _open_log(command.log)
        return await asyncio.create_subprocess_exec(
            *launcher,
            *user,
            *command.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=command.cwd,
            env=command.env,
            pass_fds=command.keep_open,
            start_new_session=True,
        )
    except OSError as error:
        raise StartError(f"{command.name} cannot be started: {error}") from error
    finally:
        if output is not None:
            os.close(output)


def _open_log(log: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        log.replace(log.with_name(f"{log.stem}.previous{log.suffix}"))
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _describe(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


def _below(tail: str) -> str:
    lines = "".join(f"\n    {line}" for line in tail.splitlines())
    return f"; its log ends with{lines}" if lines else ""
