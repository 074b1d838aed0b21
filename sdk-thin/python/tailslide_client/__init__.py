"""Tailslide's thin client: asks the sidecar about feature flags and tells it how calls have ended.

    flags = Client()
    if flags.is_active("new-checkout", "user-42", {"country": "DE"}):
        with flags.guard("new-checkout"):
            new_checkout()

Nothing raises, whatever the sidecar does, and no question takes longer than `timeout_ms`: the caller gets its default.
Only a setting that cannot be right raises `ValueError`, when the client is made. `AsyncClient` is the same for asyncio.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import functools
import inspect
import json
import logging
import math
import os
import re
import socket
import threading
import time
import urllib.request
import weakref
from collections import Counter, deque
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Callable, NamedTuple, Optional, TypeVar, Union, cast
from urllib.parse import quote, urlsplit

__all__ = ["AsyncClient", "Client", "Evaluation", "Guard"]

MAX_ANSWER_BYTES = 1_048_576
MAX_IDLE = 16
"""Connections that are kept while nobody asks."""
PAUSE_AFTER, PAUSE_S = 5, 0.25
"""After so many troubles in a row, one question in this time asks; the others get their default at once."""
MAX_BATCH = 1_000
MAX_AGE_S = 10.0
"""The sidecar counts an outcome as of when it arrives, so an older one would say something untrue."""
SEND_S = 1.0
LOG_EVERY_S = 60.0
MAX_MS = 86_400_000
TROUBLES = frozenset({"REFUSED", "TIMEOUT", "BROKEN", "INVALID_RESPONSE"})
SIDECAR_ERRORS = frozenset({"FLAG_NOT_FOUND", "TARGETING_KEY_MISSING", "PARSE_ERROR", "INVALID_CONTEXT"})

log = logging.getLogger("tailslide_client")
Attributes = Optional[Mapping[str, object]]
T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Evaluation:
    """What a flag is for a user.

    `value` is the variant's, or else the caller's default; then `reason` is `ERROR`, `error` says in a word why
    (`TIMEOUT`, `FLAG_NOT_FOUND` …), `error_details` for people, and `variant` is empty. `active` is whether the variant
    is another than the flag's off variant. `metadata` is the flag's own, with entries of Tailslide beside it.
    """

    flag: str
    value: Any
    variant: str
    active: bool
    reason: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    error_details: str = ""


class _Failed(Exception):
    """There is no answer: the error's code, and what people are told."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(details)
        self.code = code


class _Stale(ConnectionError):
    """A connection has ended before the first byte of an answer."""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# The sidecar's address


class _Endpoint(NamedTuple):
    """Where the flags listener is, `host` and `port` or a socket's `path`; `head` goes into every request."""

    host: str
    port: int
    path: str
    head: str

    def request(self, route: str, body: bytes) -> bytes:
        return f"POST {route} HTTP/1.1\r\n{self.head}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body


def _setting(given: str | None, variable: str, default: str) -> str:
    return given if given is not None else os.environ.get(variable) or default


def _split_url(name: str, url: str) -> tuple[str, int, str]:
    """Return host, port and `host:port` of `http://host:port`; raise `ValueError`."""
    parts = urlsplit(url)
    port = 80 if parts.port is None else parts.port
    plain = parts.scheme == "http" and parts.path in {"", "/"} and not (parts.query or parts.fragment)
    if not plain or not parts.hostname or "@" in parts.netloc or port == 0 or not re.fullmatch(r"[!-~]+", url):
        raise ValueError(f"{name}: expected http://HOST:PORT, got {url!r}")
    return parts.hostname, port, parts.netloc


def _endpoint(url: str, token: str) -> _Endpoint:
    if token and not re.fullmatch(r"[!-~]+", token):
        raise ValueError("token: expected printable ASCII characters without spaces")
    head = "Content-Type: application/json\r\n" + (f"Authorization: Bearer {token}\r\n" if token else "")
    if url.startswith("unix:"):
        path = url[len("unix:") :]
        if not path or "\0" in path:
            raise ValueError(f"url: expected unix:/path, got {url!r}")
        return _Endpoint("", 0, path, f"Host: localhost\r\n{head}")
    host, port, netloc = _split_url("url", url)
    return _Endpoint(host, port, "", f"Host: {netloc}\r\n{head}")


def _encoded(flag: str) -> str:
    return quote(flag, safe="", errors="replace")


# HTTP (RFC 9112), as much of it as answers need


class _Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    keeps: bool
    """Whether the connection can take another request."""


_STATUS = re.compile(r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: .*)?")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,7})[ \t]*(?:;[^\r\n]*)?\r\n")


def _invalid(what: str) -> _Failed:
    return _Failed("INVALID_RESPONSE", f"the answer {what}")


def _response(received: bytearray, ended: bool) -> _Response | None:
    """Return what has been received as a response, None while it is not whole; raise `_Failed` if it cannot be one.

    `ended` says that nothing more comes.
    """
    if not received.startswith(b"HTTP/1."[: len(received)]):
        raise _invalid("is not HTTP")
    if len(received) > MAX_ANSWER_BYTES:
        raise _invalid(f"is larger than {MAX_ANSWER_BYTES} bytes")
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = received[:end].decode("latin-1").split("\r\n")
    status_line = _STATUS.fullmatch(first)
    if status_line is None:
        raise _invalid("has no status line")
    rest, status = received[end + 4 :], int(status_line[2])
    if status < 200:  # an interim response, before the one that counts
        return _response(rest, ended)
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    body: bytes | None
    if "transfer-encoding" in headers:
        body, size = _unchunked(rest)
    elif "content-length" in headers:
        length = headers["content-length"]
        size = int(length) if re.fullmatch("[0-9]{1,7}", length) else -1
        if not 0 <= size <= MAX_ANSWER_BYTES:
            raise _invalid("is too large, or its Content-Length not a number")
        body = bytes(rest[:size]) if len(rest) >= size else None
    else:  # up to the end of the connection
        size, body = len(rest), bytes(rest) if ended else None
    if body is None:
        return None
    closes = ended or status_line[1] == "0" or "close" in headers.get("connection", "").lower()
    return _Response(status, headers, body, not closes and len(rest) == size)


def _unchunked(rest: bytearray) -> tuple[bytes | None, int]:
    """Return a chunked body and how many bytes of `rest` it takes, None while it is not whole."""
    if not rest.endswith(b"\r\n\r\n"):
        return None, 0
    body, at = bytearray(), 0
    while at < len(rest):
        chunk = _CHUNK.match(rest, at)
        if chunk is None:
            raise _invalid("has a chunk without a size")
        size = int(chunk[1], 16)
        if size == 0:
            end = rest.find(b"\r\n\r\n", chunk.end() - 2)  # the empty line, perhaps after trailers
            return bytes(body), end + 4
        body += rest[chunk.end() : chunk.end() + size]
        at = chunk.end() + size + 2
    return None, 0


# Connections. `_Connections.exchange` is written once: in a thread it waits by `_Blocking`, in a task by `_Asyncio`.

_Addresses = concurrent.futures.Future[list[tuple[int, Any]]]
_TIMEOUTS = (TimeoutError, socket.timeout, asyncio.TimeoutError, concurrent.futures.TimeoutError)


class _Blocking:
    """Waits in this thread, until `deadline`, a time of the monotonic clock. Its coroutines are never suspended."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    async def look_up(self, found: _Addresses) -> list[tuple[int, Any]]:
        return found.result(self._left())

    async def connect(self, connection: socket.socket, address: Any) -> None:
        connection.settimeout(self._left())
        connection.connect(address)

    async def send(self, connection: socket.socket, request: bytes) -> None:
        connection.settimeout(self._left())
        connection.sendall(request)

    async def receive(self, connection: socket.socket) -> bytes:
        connection.settimeout(self._left())
        return connection.recv(65_536)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Asyncio:
    """Waits in this task, for as long as it is let."""

    async def look_up(self, found: _Addresses) -> list[tuple[int, Any]]:
        return await asyncio.wrap_future(found)

    async def connect(self, connection: socket.socket, address: Any) -> None:
        connection.setblocking(False)
        if connection.family == socket.AF_UNIX:  # connects at once, or not at all
            connection.connect(address)
        else:
            await asyncio.get_running_loop().sock_connect(connection, address)

    async def send(self, connection: socket.socket, request: bytes) -> None:
        connection.setblocking(False)  # it may have been a thread's
        await asyncio.get_running_loop().sock_sendall(connection, request)

    async def receive(self, connection: socket.socket) -> bytes:
        return await asyncio.get_running_loop().sock_recv(connection, 65_536)


_Waiter = Union[_Blocking, _Asyncio]


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that waits by `_Blocking`."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    raise RuntimeError("the coroutine was suspended")


class _Connections:
    """Kept connections to the sidecar. Threads and event loops share them: they are plain sockets."""

    def __init__(self, endpoint: _Endpoint) -> None:
        self._endpoint = endpoint
        self._idle: list[socket.socket] = []
        self._looking_up: _Addresses | None = None
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    async def exchange(self, wait: _Waiter, request: bytes) -> _Response:
        """Send a request and return the response; raise `_Failed`."""
        try:
            with contextlib.suppress(IndexError, _Stale):
                return await self._talk(wait, self._idle.pop(), request)
            return await self._talk(wait, await self._connect(wait), request)
        except _TIMEOUTS:
            raise _Failed("TIMEOUT", "no whole answer in time") from None
        except OSError as error:
            raise _Failed("BROKEN", f"the connection ended before a whole answer: {error}") from None

    async def _connect(self, wait: _Waiter) -> socket.socket:
        trouble = OSError("the host has no address")
        try:
            addresses = await wait.look_up(self._look_up())
        except OSError as error:
            addresses, trouble = [], error
        for family, address in addresses:
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                await wait.connect(connection, address)
                if family != socket.AF_UNIX:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            except OSError as error:
                connection.close()
                trouble = error
            except BaseException:  # cancelled
                connection.close()
                raise
        if isinstance(trouble, _TIMEOUTS):
            raise trouble
        raise _Failed("REFUSED", f"could not connect: {trouble}")

    async def _talk(self, wait: _Waiter, connection: socket.socket, request: bytes) -> _Response:
        received, response = bytearray(), None
        try:
            with contextlib.suppress(ConnectionError):  # it may have answered before it had everything
                await wait.send(connection, request)
            while response is None:
                more = await wait.receive(connection)
                received += more
                response = _response(received, ended=not more)
                if not more and response is None:
                    raise ConnectionResetError("closed before it or in the middle of it")
        except BaseException as error:
            connection.close()
            if isinstance(error, ConnectionError) and not received:
                raise _Stale(str(error)) from None
            raise
        if response.keeps and len(self._idle) < MAX_IDLE and not self._closed:
            self._idle.append(connection)
        else:
            connection.close()
        return response

    def _look_up(self) -> _Addresses:
        """Return the addresses to come. The resolver has no timeout, so a thread asks it, one at a time."""
        found: _Addresses = concurrent.futures.Future()
        if self._endpoint.path:
            found.set_result([(socket.AF_UNIX, self._endpoint.path)])
            return found
        with contextlib.suppress(OSError, UnicodeError):  # a numeric address is known at once
            found.set_result(self._resolve(socket.AI_NUMERICHOST))
            return found
        with self._lock:
            if self._looking_up is not None and not self._looking_up.done():
                return self._looking_up
            self._looking_up = found
            found.set_running_or_notify_cancel()  # no task that gives up takes it from the others

        def work() -> None:
            try:
                found.set_result(self._resolve(0))
            except Exception as error:
                found.set_exception(error if isinstance(error, OSError) else OSError(str(error)))

        try:
            threading.Thread(target=work, name="tailslide-look-up", daemon=True).start()
        except RuntimeError as error:  # the program ends, or has too many threads
            found.set_exception(OSError(str(error)))
        return found

    def _resolve(self, flags: int) -> list[tuple[int, Any]]:
        found = socket.getaddrinfo(self._endpoint.host, self._endpoint.port, type=socket.SOCK_STREAM, flags=flags)
        return [(family, address) for family, _, _, _, address in found]


# Outcomes


class _Outcome(NamedTuple):
    flag: str
    said: Mapping[str, object]
    """What the sidecar is told."""
    at: float
    """When it was reported, by the monotonic clock."""


class _Outcomes:
    """Outcomes that wait, and the thread that sends them; it starts with the first one."""

    def __init__(self, endpoint: _Endpoint, interval_s: float, most: int, warn: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._interval_s = interval_s
        self._most = most
        self._warn = warn
        self._closed = False
        self._connections = _Connections(endpoint)
        self.start_over()

    def start_over(self) -> None:
        """Forget all, also in the child of a fork, where the thread is not."""
        self._connections.close()
        self._connections = _Connections(self._endpoint)
        # Its lock may be taken twice by a thread: a signal's handler may report while the thread holds it.
        self._changed = threading.Condition(threading.RLock())
        self._sending = threading.RLock()
        self._waiting: deque[_Outcome] = deque()
        self._taken: deque[_Outcome] = deque()
        self._not_before: dict[str, float] = {}
        self._thread: threading.Thread | None = None
        self._soon = False
        self.sent = self.dropped = self.refused = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting) + len(self._taken)

    def add(self, flag: str, outcome: str, latency_ms: float | None) -> None:
        said: dict[str, object] = {"outcome": outcome}
        took_ms = 0.0
        if latency_ms is not None and _is_number(latency_ms) and 0 <= latency_ms <= MAX_MS:
            took_ms = said["latency_ms"] = round(float(latency_ms), 3)
        said["began_ms"] = round(time.time() * 1000 - took_ms)
        with self._changed:
            if not isinstance(flag, str) or not flag:
                self.refused += 1
                return
            if self._closed or self.waiting >= self._most:
                self.dropped += 1
                if self._closed or not self._waiting:  # all that may wait is being sent
                    return
                self._waiting.popleft()
            self._waiting.append(_Outcome(flag, said, time.monotonic()))
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="tailslide-outcomes", daemon=True)
                with contextlib.suppress(RuntimeError):  # too many threads; the next outcome tries again
                    thread.start()
                    self._thread = thread
            self._soon = self._soon or len(self._waiting) == MAX_BATCH
            if self._soon or len(self._waiting) == 1:
                self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                self._changed.wait_for(lambda: self._soon or self._closed, self._interval_s)
                if self._closed:
                    return
                self._soon = False
            self.flush(math.inf)

    def flush(self, deadline: float) -> bool:
        """Send what waits until `deadline`, a time of the monotonic clock; return whether all of it was sent."""
        if not self._sending.acquire(timeout=min(max(deadline - time.monotonic(), 0), threading.TIMEOUT_MAX)):
            return False
        try:
            with self._changed:
                taken, self._taken, self._waiting = self._waiting, self._waiting, deque()
            sent, kept, refused = self._send(taken, deadline)
            with self._changed:
                self._taken = deque()
                self._waiting.extendleft(reversed(kept))
                self._changed.notify_all()
                too_many = max(0, len(self._waiting) - self._most)
                for _ in range(too_many):
                    self._waiting.popleft()
                self.sent += sent
                self.refused += refused
                self.dropped += len(taken) - sent - len(kept) - refused + too_many
            return sent == len(taken)
        finally:
            self._sending.release()

    def _send(self, taken: deque[_Outcome], deadline: float) -> tuple[int, list[_Outcome], int]:
        """Return how many were sent, which to send again, and how many the sidecar has refused; the rest is too old."""
        by_flag: dict[str, list[_Outcome]] = {}
        for outcome in taken:
            by_flag.setdefault(outcome.flag, []).append(outcome)
        batches = [
            all_of[at : at + MAX_BATCH] for all_of in by_flag.values() for at in range(0, len(all_of), MAX_BATCH)
        ]
        sent, kept, refused, away = 0, [], 0, False
        for batch in batches:
            now = time.monotonic()
            fresh = [outcome for outcome in batch if now - outcome.at <= MAX_AGE_S]
            if not fresh:
                continue
            held = away or now < self._not_before.get(fresh[0].flag, now)
            status = None if held else self._post(fresh, min(deadline, now + SEND_S))
            away = away or (status is None and not held)
            if status is None or status == 429 or status >= 500:
                kept += fresh
            elif status >= 400:
                refused += len(fresh)
            else:
                sent += len(fresh)
        return sent, sorted(kept, key=lambda outcome: outcome.at), refused

    def _post(self, batch: list[_Outcome], deadline: float) -> int | None:
        """Return the status, None without an answer."""
        body = json.dumps([outcome.said for outcome in batch], separators=(",", ":")).encode("ascii")
        request = self._endpoint.request(f"/v1/flags/{_encoded(batch[0].flag)}/outcomes", body)
        try:
            response = _run(self._connections.exchange(_Blocking(deadline), request))
        except _Failed as failed:
            self._warn(f"{failed.code}: {failed}")
            return None
        if response.status >= 400:
            self._warn(f"status {response.status} for {batch[0].flag!r}")
        if response.status == 429:
            wait = response.headers.get("retry-after", "")
            self._not_before[batch[0].flag] = time.monotonic() + (int(wait) if re.fullmatch("[0-9]{1,6}", wait) else 0)
        return response.status

    def close(self) -> None:
        """Send for a second at most what waits, and end the thread."""
        if self.waiting:
            self.flush(time.monotonic() + SEND_S)
        with self._changed:
            self._closed = True
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        self._connections.close()


class Guard:
    """Reports how a block ends, and how long it took: `with`, `async with`, or a decorator of either kind of function.

    It is a success if the block returns, and a failure if it raises an `Exception`. What ends a block otherwise
    (cancellation, the program's end) says nothing of the feature and is not reported.
    """

    def __init__(
        self,
        report: Callable[[str, float], None],
        result_fails: Callable[[Any], bool] | None,
        exception_fails: Callable[[Exception], bool] | None,
    ) -> None:
        self._report = report
        self._result_fails = result_fails
        self._exception_fails = exception_fails
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended(self._began, error)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, at: object) -> None:
        self._ended(self._began, error)

    def __call__(self, function: Function) -> Function:
        """Guard every call of a function; `result_fails` is asked about what it returns."""

        @functools.wraps(function)
        def guarded(*args: Any, **named: Any) -> Any:
            with self._watch() as results:
                results.append(function(*args, **named))
                return results[0]

        @functools.wraps(function)
        async def guarded_coroutine(*args: Any, **named: Any) -> Any:
            with self._watch() as results:
                results.append(await function(*args, **named))
                return results[0]

        return cast(Function, guarded_coroutine if inspect.iscoroutinefunction(function) else guarded)

    @contextlib.contextmanager
    def _watch(self) -> Iterator[list[Any]]:
        """Yield where the result goes."""
        results: list[Any] = []
        began = time.monotonic()
        try:
            yield results
        except BaseException as error:
            self._ended(began, error)
            raise
        self._ended(began, None, *results)

    def _ended(self, began: float, error: BaseException | None, *result: object) -> None:
        took_ms = (time.monotonic() - began) * 1000
        if error is not None and not isinstance(error, Exception):
            return
        failed = error is not None
        says: Callable[[Any], bool] | None = self._exception_fails if failed else self._result_fails
        if says is not None and (failed or result):
            try:
                failed = bool(says(error if failed else result[0]))
            except Exception:
                failed = False  # it has not said that this is a failure
        self._report("failure" if failed else "success", took_ms)


# The clients


class _Question(NamedTuple):
    flag: str
    default: Any
    typed: bool
    """Whether the value is to have the default's type."""


class _Base:
    """What both clients have in common: everything but waiting for an answer."""

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        proxy_url: str | None = None,
        timeout_ms: float = 50,
        flush_interval_ms: float = 200,
        max_outcomes: int = 10_000,
    ) -> None:
        """Take settings; nothing is connected yet. Raise `ValueError` for one that cannot be right.

        `url` is the sidecar's flags listener, `http://HOST:PORT` or `unix:/path` (`TAILSLIDE_FLAGS_URL`); `token` its
        `flags_token` (`TAILSLIDE_FLAGS_TOKEN`); `proxy_url` the sidecar's proxy (`TAILSLIDE_PROXY_URL`). `timeout_ms`
        is what one question may take, `flush_interval_ms` how long outcomes wait to be sent together, and
        `max_outcomes` how many may wait.
        """
        for name, value in (("timeout_ms", timeout_ms), ("flush_interval_ms", flush_interval_ms)):
            if not _is_number(value) or not 0 < value <= MAX_MS:
                raise ValueError(f"{name}: expected a positive number of milliseconds, got {value!r}")
        if not isinstance(max_outcomes, int) or isinstance(max_outcomes, bool) or max_outcomes < 1:
            raise ValueError(f"max_outcomes: expected a positive whole number, got {max_outcomes!r}")
        self._endpoint = _endpoint(
            _setting(url, "TAILSLIDE_FLAGS_URL", "http://127.0.0.1:4141"), _setting(token, "TAILSLIDE_FLAGS_TOKEN", "")
        )
        self._proxy = _setting(proxy_url, "TAILSLIDE_PROXY_URL", "http://127.0.0.1:4140").rstrip("/")
        self._proxy_host = _split_url("proxy_url", self._proxy)[2]
        self._timeout_s = timeout_ms / 1000
        self._closed = False
        self._connections = _Connections(self._endpoint)
        warn = functools.partial(self._warn, "attempts to send outcomes have failed")
        self._outcomes = _Outcomes(self._endpoint, flush_interval_ms / 1000, max_outcomes, warn)
        self._start_over()
        _clients.add(self)

    def _start_over(self) -> None:
        """Forget all, also in the child of a fork. Closing its connections there does not end the parent's."""
        self._connections.close()
        self._connections = _Connections(self._endpoint)
        self._outcomes.start_over()
        self._lock = threading.RLock()
        self._questions = 0
        self._defaults: Counter[str] = Counter()
        self._troubles = 0
        self._next_try = 0.0
        self._warned_at: dict[str, float] = {}
        self._unwarned: Counter[str] = Counter()

    def _shut(self) -> None:
        self._closed = True
        self._outcomes.close()
        self._connections.close()

    def guard(
        self,
        flag: str,
        *,
        result_fails: Callable[[Any], bool] | None = None,
        exception_fails: Callable[[Exception], bool] | None = None,
    ) -> Guard:
        """Return a guard that reports how a block or a function ends; see `Guard`.

        `result_fails` says whether what a decorated function returns is a failure, `exception_fails` whether an
        exception counts as one. A predicate that raises has not said so.
        """
        return Guard(functools.partial(self._outcomes.add, flag), result_fails, exception_fails)

    def stats(self) -> dict[str, Any]:
        """Return counts since the client was made; `defaults` counts them by error."""
        with self._lock:
            return {
                "questions": self._questions,
                "defaults": dict(self._defaults),
                "outcomes_sent": self._outcomes.sent,
                "outcomes_dropped": self._outcomes.dropped,
                "outcomes_refused": self._outcomes.refused,
                "outcomes_waiting": self._outcomes.waiting,
            }

    def proxy_url(self, path: str = "") -> str:
        """Return the address of a path at the sidecar's proxy."""
        return self._proxy + (path if not path or path.startswith("/") else f"/{path}")

    def opener(self) -> urllib.request.OpenerDirector:
        """Return an opener of `urllib.request` that calls `http` URLs through the sidecar's proxy.

        `flags.opener().open("http://payments.internal/pay")`: its errors are urllib's. What the environment says about
        proxies does not count.
        """
        return urllib.request.build_opener(urllib.request.ProxyHandler({}), _ThroughProxy(self._proxy_host))

    def _request(self, question: _Question, targeting_key: str | None, attributes: Attributes) -> bytes:
        """Return the request for a question; raise `_Failed` if it is not to be sent."""
        with self._lock:
            self._questions += 1
        if self._closed:
            raise _Failed("CLOSED", "the client has been closed")
        if not isinstance(question.flag, str) or not question.flag:
            raise _Failed("FLAG_NOT_FOUND", "expected the key of a flag")
        try:
            context = {name: value for name, value in (attributes or {}).items() if name != "targetingKey"}
            if targeting_key is not None:
                context["targetingKey"] = targeting_key
            body = json.dumps({"context": context}, allow_nan=False, separators=(",", ":")).encode("ascii")
        except Exception as error:
            raise _Failed("INVALID_CONTEXT", f"it cannot be written as JSON: {type(error).__name__}") from None
        with self._lock:
            if self._troubles >= PAUSE_AFTER:
                now = time.monotonic()
                if now < self._next_try:
                    raise _Failed("PAUSED", "the sidecar has failed several times in a row")
                self._next_try = now + PAUSE_S
        return self._endpoint.request(f"/ofrep/v1/evaluate/flags/{_encoded(question.flag)}", body)

    def _answered(self, question: _Question, response: _Response) -> Evaluation:
        """Return what a response says; raise `_Failed`."""
        try:
            answer = json.loads(response.body, parse_constant=_refuse)
        except (ValueError, RecursionError):
            answer = None
        evaluation = _evaluation(question.flag, answer) if response.status == 200 else None
        with self._lock:
            self._troubles = 0
        if evaluation is not None:
            return _of_type(evaluation, question.default) if question.typed else evaluation
        said = answer if isinstance(answer, dict) else {}
        code, details = said.get("errorCode"), said.get("errorDetails", "")
        if isinstance(code, str) and code in SIDECAR_ERRORS:
            raise _Failed(code, str(details))
        raise _Failed("GENERAL", f"status {response.status} {details}".strip())

    def _default(self, question: _Question, error: Exception) -> Evaluation:
        """Return the default, and remember why."""
        code, details = "GENERAL", f"a defect of the client: {type(error).__name__}"
        if isinstance(error, _Failed):
            code, details = error.code, str(error)
        elif isinstance(error, _TIMEOUTS):
            code, details = "TIMEOUT", "no whole answer in time"
        with self._lock:
            self._defaults[code] += 1
            if code in TROUBLES:
                self._troubles += 1
                self._next_try = time.monotonic() + PAUSE_S
        self._warn("questions got their default", f"{code} for {question.flag!r}: {details}")
        return Evaluation(question.flag, question.default, "", question.default is True, "ERROR", {}, code, details)

    def _warn(self, what: str, latest: str) -> None:
        """Log at most once a minute how often something has happened since the last time."""
        now = time.monotonic()
        with self._lock:
            self._unwarned[what] += 1
            if now - self._warned_at.get(what, -math.inf) < LOG_EVERY_S:
                return
            self._warned_at[what] = now
            count = self._unwarned.pop(what)
        with contextlib.suppress(Exception):  # of a handler of the application
            log.warning("%s: %d since the last such line; the latest: %s", what, count, latest)


class Client(_Base):
    """Asks a sidecar; for programs with threads. One serves the whole program, and closes itself when that ends."""

    def is_active(
        self, flag: str, targeting_key: str | None = None, attributes: Attributes = None, default: bool = False
    ) -> bool:
        """Return whether the user gets another variant than the flag's off variant."""
        return self._ask(_Question(flag, default, False), targeting_key, attributes).active

    def variant(
        self, flag: str, targeting_key: str | None = None, attributes: Attributes = None, default: str | None = None
    ) -> str | None:
        """Return the key of the user's variant."""
        evaluation = self._ask(_Question(flag, default, False), targeting_key, attributes)
        return default if evaluation.error else evaluation.variant

    def value(self, flag: str, targeting_key: str | None = None, attributes: Attributes = None, *, default: T) -> T:
        """Return the value of the user's variant, which has the type of `default`: a bool, str, int, float or dict.

        An int takes a number without a fraction, a float any number, None a value of any type.
        """
        return cast(T, self._ask(_Question(flag, default, True), targeting_key, attributes).value)

    def evaluate(
        self, flag: str, targeting_key: str | None = None, attributes: Attributes = None, default: object = None
    ) -> Evaluation:
        """Return all that is known of the answer, also why it is the default."""
        return self._ask(_Question(flag, default, True), targeting_key, attributes)

    def success(self, flag: str, latency_ms: float | None = None) -> None:
        """Report a call that went well, and how long it took. Returns at once."""
        self._outcomes.add(flag, "success", latency_ms)

    def failure(self, flag: str, latency_ms: float | None = None) -> None:
        """Report a call that failed, and how long it took. Returns at once."""
        self._outcomes.add(flag, "failure", latency_ms)

    def flush(self, timeout_ms: float = 1000) -> bool:
        """Send the outcomes that wait; return whether all of them were sent in time."""
        return self._outcomes.flush(time.monotonic() + timeout_ms / 1000)

    def close(self) -> None:
        """Send for a second at most what waits, and end. Questions get their default from then on."""
        self._shut()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, question: _Question, targeting_key: str | None, attributes: Attributes) -> Evaluation:
        deadline = time.monotonic() + self._timeout_s
        try:
            request = self._request(question, targeting_key, attributes)
            return self._answered(question, _run(self._connections.exchange(_Blocking(deadline), request)))
        except Exception as error:
            return self._default(question, error)


class AsyncClient(_Base):
    """Asks a sidecar; for asyncio. The same as `Client`, with coroutines, for any number of event loops."""

    async def is_active(
        self, flag: str, targeting_key: str | None = None, attributes: Attributes = None, default: bool = False
    ) -> bool:
        """Return whether the user gets another variant than the flag's off variant."""
        return (await self._ask(_Question(flag, default, False), targeting_key, attributes)).active

    async def variant(
        self, flag: str, targeting_key: str | None = None, attributes: Attributes = None, default: str | None = None
    ) -> str | None:
        """Return the key of the user's variant."""
        evaluation = await self._ask(_Question(flag, default, False), targeting_key, attributes)
        return default if evaluation.error else evaluation.variant

    async def value(
        self, flag: str, targeting_key: str | None = None, attributes: Attributes = None, *, default: T
    ) -> T:
        """Return the value of the user's variant, which has the type of `default`; see `Client.value`."""
        return cast(T, (await self._ask(_Question(flag, default, True), targeting_key, attributes)).value)

    async def evaluate(
        self, flag: str, targeting_key: str | None = None, attributes: Attributes = None, default: object = None
    ) -> Evaluation:
        """Return all that is known of the answer, also why it is the default."""
        return await self._ask(_Question(flag, default, True), targeting_key, attributes)

    async def success(self, flag: str, latency_ms: float | None = None) -> None:
        """Report a call that went well, and how long it took. Never waits."""
        self._outcomes.add(flag, "success", latency_ms)

    async def failure(self, flag: str, latency_ms: float | None = None) -> None:
        """Report a call that failed, and how long it took. Never waits."""
        self._outcomes.add(flag, "failure", latency_ms)

    async def flush(self, timeout_ms: float = 1000) -> bool:
        """Send the outcomes that wait; return whether all of them were sent in time."""
        deadline = time.monotonic() + timeout_ms / 1000
        return await asyncio.get_running_loop().run_in_executor(None, self._outcomes.flush, deadline)

    async def close(self) -> None:
        """Send for a second at most what waits, and end. Questions get their default from then on."""
        await asyncio.get_running_loop().run_in_executor(None, self._shut)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, question: _Question, targeting_key: str | None, attributes: Attributes) -> Evaluation:
        deadline = time.monotonic() + self._timeout_s
        try:
            request = self._request(question, targeting_key, attributes)
            exchange = self._connections.exchange(_Asyncio(), request)
            return self._answered(question, await asyncio.wait_for(exchange, deadline - time.monotonic()))
        except Exception as error:
            return self._default(question, error)


class _ThroughProxy(urllib.request.BaseHandler):
    """Sends `http` requests to a proxy, whatever the environment says."""

    def __init__(self, host: str) -> None:
        self._host = host

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        if not request.has_proxy():
            request.set_proxy(self._host, "http")
        return request


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are no JSON


def _evaluation(flag: str, answer: Any) -> Evaluation:
    """Return OFREP's answer about a flag; raise `_Failed` if it is none."""
    try:
        value, metadata = answer["value"], answer["metadata"]
        variant, reason, active = answer["variant"], answer["reason"], metadata["active"]
    except (TypeError, KeyError):
        raise _invalid("is not one of a sidecar about a flag") from None
    if not (isinstance(variant, str) and isinstance(reason, str) and isinstance(active, bool)):
        raise _invalid("has a variant, a reason or a metadata.active of another type")
    return Evaluation(flag, value, variant, active, reason, metadata)


def _of_type(evaluation: Evaluation, default: object) -> Evaluation:
    """Return the evaluation with its value in the default's type; raise `_Failed` if it has another."""
    value = evaluation.value
    if default is None or any(isinstance(default, kind) and isinstance(value, kind) for kind in (bool, str, dict)):
        return evaluation
    if _is_number(default) and _is_number(value):
        if isinstance(default, float):
            return replace(evaluation, value=float(value))
        if value % 1 == 0:
            return replace(evaluation, value=int(value))
    raise _Failed("TYPE_MISMATCH", f"the value is a {type(value).__name__}, the default a {type(default).__name__}")


# When the program forks or ends

_clients: weakref.WeakSet[_Base] = weakref.WeakSet()


def _for_all(method: Callable[[_Base], None]) -> None:
    for client in list(_clients):
        method(client)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=functools.partial(_for_all, _Base._start_over))
atexit.register(_for_all, _Base._shut)
