"""The curl command line, told to go through the scenarios of `proxy_origin` and to print what it was answered.

    python curl_client.py scenarios URL       every scenario once, over connections that are kept
    python curl_client.py bodies URL SIZE     a large body down, and up in both framings

One JSON object a line; what it means is in the README of this folder. curl cannot send trailers.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))  # a program of its own: what tests share is there

from proxy_origin import large_body

CURL = ("curl", "--silent", "--path-as-is", "--globoff", "--http1.1", "--max-time", "300", "--noproxy", "*")
USER = ("--header", "X-User-Id: u1")
SMALL = 100_000
TEXT = 2_000
"""A longer body is reported by its length and hash alone."""
TARGETS = ("//a/../b%2f%7E;x?q=%20+&z=?", "/%c3%a9", '/a|b"c', "/./c/..;/d//", "/x?", "/to/http://h:1/x?u=http://g/")
ODD: tuple[bytes, ...] = (
    b"X-MiXeD-cAsE: kept",
    b"X-Empty;",
    b"X-Inner: a \t b,,c",
    b"X-Latin: caf\xe9",
    b"X-Utf8: caf\xc3\xa9",
    b"X-Two: 1",
    b"X-Two: 2",
    b"Cookie: a=1; b=2",
    b"Accept-Encoding: br;q=0.5, gzip",
)
Arguments = Sequence[str | bytes]


@dataclass(frozen=True)
class Transfer:
    """One request: the arguments that make it, besides those of all."""

    scenario: str
    target: str
    arguments: tuple[str | bytes, ...] = ()


def headers(*lines: str | bytes) -> tuple[str | bytes, ...]:
    """Return the arguments that add these headers."""
    return tuple(argument for line in lines for argument in ("--header", line))


def transfers(folder: Path) -> list[Transfer]:
    """Return the requests that one curl process makes, one after the other."""
    body = folder / "body"
    body.write_bytes(b"".join(large_body(SMALL)))
    gzip = headers("Accept-Encoding: gzip")
    put = ("--upload-file", str(body))
    expecting = (*put, *headers("Expect: 100-continue"), "--expect100-timeout", "20")
    sized, chunked = (*put, *headers("Expect:")), (*put, "--request", "POST", *headers("Transfer-Encoding: chunked"))
    return [
        Transfer("length", "/length"),
        Transfer("chunked", "/chunked"),
        Transfer("gzip", "/gzip", gzip),
        Transfer("gzip-chunked", "/gzip-chunked", gzip),
        Transfer("head", "/length", ("--head",)),
        Transfer("head-chunked", "/chunked", ("--head",)),
        Transfer("undated", "/undated"),
        Transfer("204", "/204"),
        Transfer("304", "/304", headers('If-None-Match: "v1"')),
        Transfer("not-304", "/304", headers('If-None-Match: "v0"')),
        Transfer("set-cookie", "/set-cookie"),
        Transfer("early-hints", "/early-hints"),
        Transfer("upload-length", "/upload", sized),
        Transfer("upload-chunked", "/upload", (*chunked, *headers("Expect:"))),
        Transfer("upload-empty", "/upload", ("--data", "")),
        Transfer("continue", "/continue", expecting),
        Transfer("continue-chunked", "/continue", (*chunked, *expecting[2:])),
        Transfer("refuse-continue", "/refuse-continue", expecting),
        Transfer("trailers", "/trailers", headers("TE: trailers", "Connection: TE")),
        Transfer("odd-headers", "/odd", headers(*ODD)),
        *(Transfer(f"target {target}", target) for target in TARGETS),
        Transfer("close", "/close"),
        Transfer("cut", "/cut"),
        Transfer("cut-chunked", "/cut-chunked"),
        *(Transfer("sequential", "/sequential") for _ in range(50)),
    ]


def read_heads(dump: bytes) -> dict[str, Any]:
    """Take a dump of heads apart: interim ones, the last one, and the trailers behind it."""
    heads: list[list[str]] = []
    trailers: list[str] = []
    within = False
    for line in dump.decode("latin-1").split("\r\n"):
        if line.startswith("HTTP/1.1 ") and not within:
            heads.append([line])
            within = True
        elif not line:
            within = False
        else:
            (heads[-1] if within else trailers).append(line)

    def fields(lines: Iterable[str]) -> list[list[str]]:
        return [[name, value.strip()] for name, _, value in (line.partition(":") for line in lines)]

    # Where no answer has come, curl has written no head, and says why.
    *interim, (status, *last) = heads or [[""]]
    return {
        "reason": status[13:],
        "headers": fields(last),
        "trailers": fields(trailers),
        "interim": [{"status": int(lines[0][9:12]), "headers": fields(lines[1:])} for lines in interim],
    }


def told(scenario: str, written: bytes, dump: bytes, digest: str, length: int, text: bytes) -> dict[str, Any]:
    """Put together what one transfer came to; `written` is curl's own JSON."""
    ended = json.loads(written)
    return {
        "scenario": scenario,
        "status": ended["http_code"],
        **read_heads(dump),
        "length": length,
        "sha256": digest,
        "text": text.decode("latin-1") if length <= TEXT else "",
        "sent": ended["size_upload"],
        "connections": ended["num_connects"],
        "error": ended["errormsg"] or "",
    }


def in_turn(base: str, listed: Sequence[Transfer], folder: Path) -> Iterator[dict[str, Any]]:
    """Make requests in one process, so that they share its connections."""
    arguments: list[str | bytes] = []
    for number, transfer in enumerate(listed):
        files = ("--dump-header", str(folder / f"{number}.head"), "--output", str(folder / f"{number}.body"))
        said = ("--write-out", "%{json}\n", *files, base + transfer.target)
        arguments += [*(("--next",) if number else ()), *CURL[1:], *USER, *transfer.arguments, *said]
    ran = subprocess.run([CURL[0], *arguments], check=False, stdout=subprocess.PIPE)
    for number, (transfer, line) in enumerate(zip(listed, ran.stdout.splitlines(), strict=True)):
        head, body = folder / f"{number}.head", folder / f"{number}.body"
        # With --head curl writes the head where it would write the body; there is no file where nothing came.
        content = body.read_bytes() if body.exists() and "--head" not in transfer.arguments else b""
        digest = hashlib.sha256(content).hexdigest()
        dump = head.read_bytes() if head.exists() else b""
        yield told(transfer.scenario, line, dump, digest, len(content), content)


class Streamed:
    """One request in a process of its own, whose answer is read and whose body is written as it goes."""

    def __init__(self, base: str, transfer: Transfer, folder: Path) -> None:
        self.transfer = transfer
        self._head = folder / "streamed.head"
        self._written = folder / "streamed.json"
        self._arguments: list[str | bytes] = [
            *CURL,
            "--no-buffer",
            *USER,
            *transfer.arguments,
            *("--dump-header", str(self._head), "--write-out", "%{stderr}%{json}", base + transfer.target),
        ]
        self._digest, self._length, self._text = hashlib.sha256(), 0, b""

    def __enter__(self) -> "Streamed":
        with self._written.open("wb") as written:
            self._process = subprocess.Popen(
                self._arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=written
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.stdin: IO[bytes] = self._process.stdin
        self._stdout = self._process.stdout
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self.stdin.close()
        self._stdout.close()
        self._process.wait()

    def pieces(self) -> Iterator[bytes]:
        """Yield the answer's body as it comes."""
        while piece := self._stdout.read1(262_144):  # type: ignore[attr-defined] # a BufferedReader
            self._digest.update(piece)
            self._length += len(piece)
            if self._length <= TEXT:
                self._text += piece
            yield piece

    def send(self, pieces: Iterable[bytes]) -> None:
        """Write the request's body to its end; what curl does not want any more is not written."""
        try:
            for piece in pieces:
                self.stdin.write(piece)
                self.stdin.flush()
            self.stdin.close()
        except BrokenPipeError:
            pass  # curl says why in its own words

    def ended(self) -> dict[str, Any]:
        """Read what is left, and return what the transfer came to."""
        for _ in self.pieces():
            pass
        self._process.wait()
        digest = self._digest.hexdigest()
        dump = self._head.read_bytes() if self._head.exists() else b""
        return told(self.transfer.scenario, self._written.read_bytes(), dump, digest, self._length, self._text)


def fetched(base: str, target: str, *arguments: str) -> str:
    """Return the answer to a request besides the one that is under way; without one, what is wrong shows there."""
    command = [*CURL, *USER, *arguments, base + target]
    return subprocess.run(command, check=False, stdout=subprocess.PIPE).stdout.decode()


def events(base: str, folder: Path) -> dict[str, Any]:
    """Acknowledge each event when it is there."""
    run = uuid.uuid4().hex
    with Streamed(base, Transfer("events", f"/events?run={run}"), folder) as stream:
        for piece in stream.pieces():
            for _ in range(piece.count(b"\n\n")):
                fetched(base, f"/acknowledge?run={run}", "--data", "")
        return stream.ended()


def paced_upload(base: str, folder: Path) -> dict[str, Any]:
    """Send each line only when the one before has been seen at the other end."""
    run = uuid.uuid4().hex

    def lines() -> Iterator[bytes]:
        for number in range(3):
            yield b"piece %d\n" % number
            if fetched(base, f"/paced-seen?run={run}") != "it has come":
                return

    put = ("--upload-file", "-", "--request", "POST", *headers("Expect:"))
    with Streamed(base, Transfer("paced-upload", f"/paced-upload?run={run}", put), folder) as stream:
        stream.send(lines())
        return stream.ended()


def bodies(base: str, size: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Carry a large body down, then up, sized and in chunks."""
    with Streamed(base, Transfer("download", f"/download?bytes={size}"), folder) as stream:
        yield stream.ended()
    put = ("--upload-file", "-")
    sized = headers("Expect:", "Transfer-Encoding:", f"Content-Length: {size}")
    for scenario, arguments in (
        ("upload-length", (*put, *sized)),
        ("upload-chunked", (*put, "--request", "POST", *headers("Expect:"))),
    ):
        with Streamed(base, Transfer(scenario, "/upload", arguments), folder) as stream:
            sending = threading.Thread(target=stream.send, args=(large_body(size),))
            sending.start()
            result = stream.ended()
            sending.join()
            yield result


def scenarios(base: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Go through all."""
    repeated: list[dict[str, Any]] = []
    for result in in_turn(base, transfers(folder), folder):
        if result["scenario"] == "sequential":
            repeated.append(result)
        else:
            yield result
    yield {**repeated[-1], "connections": sum(result["connections"] for result in repeated)}
    yield events(base, folder)
    yield paced_upload(base, folder)


def main(mode: str, base: str, *size: str) -> None:
    """Print what each scenario came to."""
    with tempfile.TemporaryDirectory() as name:
        results = scenarios(base, Path(name)) if mode == "scenarios" else bodies(base, int(size[0]), Path(name))
        for result in results:
            print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
