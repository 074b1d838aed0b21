"""Passwords: what one may be, and argon2id, which is slow on purpose and so runs beside the loop.

Each hash takes `PARAMETERS.memory_cost` KiB and tens of milliseconds. Few run at a time, and few wait: whoever would
wait behind more is told to come again, so that guessing takes neither the memory nor the time of those who work.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from tailslide_core.errors import ContractError
from tailslide_runtime.http import ApiError

Result = TypeVar("Result")

MIN_PASSWORD = 12
MAX_PASSWORD = 256
THREADS = 2
MAX_WAITING = 32
"""So many may wait for a hash; with `THREADS` at 50 ms each that is less than a second."""
BUSY_RETRY_S = 2

PARAMETERS = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4, type=Type.ID)
"""RFC 9106, section 4, the second recommended option: 64 MiB, three passes, four lanes."""


def check_password(field: str, password: str, email: str = "") -> None:
    """Raise `ContractError` on `field` unless a password may be set."""
    length = len(password)
    if not MIN_PASSWORD <= length <= MAX_PASSWORD:
        raise ContractError(field, f"expected {MIN_PASSWORD} to {MAX_PASSWORD} characters, got {length}")
    if email and normalised(password).casefold() == normalised(email).casefold():
        raise ContractError(field, "expected something else than the e-mail address")
    if len(set(password)) < 4:
        raise ContractError(field, "expected at least 4 different characters")


def normalised(password: str) -> str:
    """Return a password as it is hashed: keyboards write one text in several ways (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


class Passwords:
    """Hashes and checks passwords. `close` it at the end."""

    def __init__(self, hasher: PasswordHasher = PARAMETERS) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(THREADS, "passwords")
        self._waiting = 0
        self._of_nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash of a password, with its parameters and salt in it. Raises `ApiError` 503 while too busy."""
        return await self._run(partial(self._hasher.hash, normalised(password)))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether a password is the one that a hash was made of.

        Where there is none, as with an unknown account, the same work is done, so that the time tells nothing.
        """
        if self._of_nobody is None:
            self._of_nobody = await self.hash("the password of nobody")
        return await self._run(partial(self._verify, stored, self._of_nobody, normalised(password)))

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than those of now, and should be made anew."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str | None, of_nobody: str, password: str) -> bool:
        try:
            self._hasher.verify(of_nobody if stored is None else stored, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= THREADS + MAX_WAITING:
            raise ApiError(
                503,
                "BUSY",
                "too many people are logging in right now; try again shortly",
                headers={"Retry-After": str(BUSY_RETRY_S)},
            )
        self._waiting += 1
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        running.add_done_callback(self._finished)
        # Who asks may go away; the thread works on all the same, and counts until it is done.
        return await asyncio.shield(running)

    def _finished(self, running: "asyncio.Future[Result]") -> None:
        self._waiting -= 1
        if not running.cancelled():
            running.exception()  # asked for, so that one that nobody waits for any more is not complained of

    def close(self) -> None:
        """End the threads; what they work on is waited for."""
        self._threads.shutdown(cancel_futures=True)
