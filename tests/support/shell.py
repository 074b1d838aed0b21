"""A shell in which the commands of a page are run, one after another."""

import asyncio
import os

CURL = 'curl() { command curl --silent --show-error --fail-with-body --max-time 20 "$@"; echo; }\n'


class Shell:
    """One bash, so that variables that a block sets are there for the next."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, environment: dict[str, str], working: str, user: str | None = None) -> "Shell":
        """Start one in a folder, as us or, if we are root, as a user with an account."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "--noprofile", "--norc"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment},
            limit=1 << 24,
            cwd=working,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        shell = cls(process)
        await shell.run(CURL)
        return shell

    async def run(self, text: str, limit_s: float = 60) -> str:
        """Run a block to its end and return what it says; fail when one of its commands does."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"set -e\n{text}\nset +e\necho '--end 0'\n".encode())
        said: list[bytes] = []
        async with asyncio.timeout(limit_s):
            while line := await self._process.stdout.readline():
                if line == b"--end 0\n":
                    return b"".join(said).decode()
                said.append(line)
        raise AssertionError(f"{text}\nsaid: {b''.join(said).decode()}")

    async def end(self) -> None:
        self._process.kill()
        await self._process.communicate()
