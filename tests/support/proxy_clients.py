"""Programs that use HTTP as applications do: curl, Go's, Java's and Node's own clients. How they are started, and what
of their results has to be the same through the proxy.

Their sources are in `conformance/proxy_clients`, the scenarios in `proxy_origin`.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from proxy_origin import Headers, Seen

SOURCES = Path(__file__).parents[1] / "conformance" / "proxy_clients"
TOOLS = {"curl": ("curl",), "go": ("go",), "java": ("java", "javac"), "node": ("node",)}
KINDS = tuple(TOOLS)
NEEDED_IN_CI = {"curl"}

OURS = {"via", "x-tailslide"}
"""What the proxy adds to an answer."""
OURS_UPSTREAM = {"via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
"""What the proxy adds to a request."""
OF_A_CONNECTION = {"connection", "keep-alive"}
WRITTEN_ANEW = {"host", "te", "transfer-encoding", "expect"}
"""What a proxy reads and says itself on the other side: in any place and any case, which mean nothing there."""

Fields = tuple[tuple[str, str], ...]
_RUN = re.compile(rb"run=\S+")


@dataclass(frozen=True)
class Result:
    """What a client was answered in one scenario. What it cannot tell is empty; `sent` is whether any body went out."""

    status: int
    reason: str
    headers: Fields
    trailers: Fields
    interim: tuple[tuple[int, Fields], ...]
    length: int
    sha256: str
    text: str
    sent: bool
    connections: int = field(compare=False)
    error: str = ""

    def header(self, name: str) -> str | None:
        """Return the values of a field in lower case, joined; None when it is not there."""
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None


@dataclass(frozen=True)
class Program:
    """A client that can be run."""

    kind: str
    command: tuple[str, ...]

    async def scenarios(self, url: str) -> dict[str, Result]:
        """Go through all scenarios that this client can do, over connections that are kept."""
        return await self._run("scenarios", url)

    async def bodies(self, url: str, size: int) -> dict[str, Result]:
        """Carry `size` bytes down, up with a length, and up in chunks."""
        return await self._run("bodies", url, str(size))

    async def _run(self, *arguments: str) -> dict[str, Result]:
        # The tests' own machine may have a proxy for the world; these calls are to go where they say.
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        process = await asyncio.create_subprocess_exec(
            *self.command,
            *arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                # Some programs start others; nothing of them is to be left behind.
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        assert process.returncode == 0, f"{self.kind} {arguments[0]}: {err.decode()[-2000:]}"
        told = [json.loads(line) for line in out.splitlines()]
        assert told, f"{self.kind} {arguments[0]} has said nothing; {err.decode()[-2000:]}"
        return {each["scenario"]: _result(each) for each in told}


def _fields(listed: Sequence[Sequence[str]]) -> Fields:
    return tuple((name, value) for name, value in listed)


def _result(told: Mapping[str, Any]) -> Result:
    return Result(
        told["status"],
        told.get("reason", ""),
        _fields(told["headers"]),
        _fields(told.get("trailers", ())),
        tuple((each["status"], _fields(each["headers"])) for each in told.get("interim", ())),
        told["length"],
        told["sha256"],
        told["text"],
        bool(told["sent"]),
        told.get("connections", 0),
        told["error"],
    )


@contextmanager
def program_of(kind: str) -> Iterator[Program]:
    """Yield a client; skip the test where its tool is not installed, or fail in CI if it has to be there."""
    found = {tool: shutil.which(tool) for tool in TOOLS[kind]}
    tool = found[kind]
    if tool is None or None in found.values():
        missing = " and ".join(name for name, path in found.items() if path is None)
        reason = f"expected {missing} on PATH, without which the client of {kind} is not tried"
        if kind in NEEDED_IN_CI and os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)
    if kind == "go":
        with tempfile.TemporaryDirectory() as name:
            yield Program(kind, (str(_built(tool, Path(name))),))
        return
    commands = {
        "curl": (sys.executable, str(SOURCES / "curl_client.py")),
        # It lives for a second or two, of which it would spend half on compiling itself well.
        "java": (tool, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", str(SOURCES / "Client.java")),
        "node": (tool, str(SOURCES / "client.mjs")),
    }
    yield Program(kind, commands[kind])


def _built(go: str, folder: Path) -> Path:
    """Build from the standard library alone. A cache that the environment names makes this quick the second time."""
    own = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    environment = {"GOCACHE": str(folder / "cache"), **os.environ, **own}
    program = folder / "client"
    built = subprocess.run(
        [go, "build", "-o", str(program), str(SOURCES / "client.go")],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert built.returncode == 0, built.stderr
    return program


def comparable(scenario: str, result: Result) -> dict[str, object]:
    """Return what of an answer must be the same through the proxy as directly, by name."""
    if result.error:
        # How much of a broken answer arrives is a matter of time, and what clients say of it, too.
        return {"status": result.status, "ended": "broken off"}
    left_out = OURS | OF_A_CONNECTION
    if scenario == "undated":
        left_out = left_out | {"date"}
    if scenario == "close":
        # The end of a connection is the end of this body; towards a client that is kept it is chunked instead.
        left_out = left_out | {"transfer-encoding"}
    named = ("status", "reason", "trailers", "interim", "length", "sha256", "text", "sent")
    return {
        "ended": "whole",
        "headers": _in_order(result.headers, left_out),
        **{name: getattr(result, name) for name in named},
    }


def comparable_requests(requests: Sequence[Seen], url: str) -> list[dict[str, object]]:
    """Return what of requests must arrive the same through the proxy as directly; `url` is where the client went."""
    authority = url.removeprefix("http://")
    return [
        {
            "line": _RUN.sub(b"run=", seen.line).decode("latin-1"),
            "headers": _in_order(_readable(seen.headers, authority), OURS_UPSTREAM | OF_A_CONNECTION),
            "trailers": _readable(seen.trailers, authority),
            **{name: getattr(seen, name) for name in ("framing", "length", "sha256")},
        }
        for seen in requests
    ]


def _readable(headers: Headers, authority: str) -> Fields:
    """Return headers as text, one character for each byte, with the client's own idea of the host left open."""
    listed = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    return tuple(
        (name, "<authority>" if (name.lower(), value) == ("host", authority) else value) for name, value in listed
    )


def _in_order(headers: Fields, left_out: AbstractSet[str]) -> Fields:
    kept = [(name, value) for name, value in headers if name.lower() not in left_out]
    anew = sorted((name.lower(), value.lower()) for name, value in kept if name.lower() in WRITTEN_ANEW)
    return tuple([pair for pair in kept if pair[0].lower() not in WRITTEN_ANEW] + anew)


def differences(what: str, directly: Mapping[str, object], through: Mapping[str, object]) -> list[str]:
    """Return a sentence for each field that is not the same."""
    names = {**directly, **through}
    return [
        f"{what}: {name} is {directly.get(name)!r} directly, {through.get(name)!r} through the proxy"
        for name in names
        if directly.get(name) != through.get(name)
    ]
