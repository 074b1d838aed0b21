"""The `tailslide` command against a real Tower, as processes: what it prints, how it exits, what it keeps."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tower_bench import TOKEN, TowerBench, until

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import encode_circuit
from tailslide_core.naming import CIRCUITS_BUCKET
from tailslide_embedded.addresses import any_free_port

EMAIL = "ada@example.org"
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Said:
    status: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


class CommandLine:
    """Somebody's terminal, with a home of its own."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")},
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "TAILSLIDE_TOWER_URL": url,
        }

    async def __call__(self, *arguments: str, token: str | None = TOKEN, typed: str | None = None) -> Said:
        environment = dict(self.environment)
        if token is not None:
            environment["TAILSLIDE_API_TOKEN"] = token
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tailslide_embedded", *arguments),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            output, errors = await process.communicate(None if typed is None else typed.encode())
        assert process.returncode is not None
        assert b"Traceback" not in errors, errors.decode()
        return Said(process.returncode, output.decode(), errors.decode())

    async def at_a_terminal(self, *arguments: str, typed: list[tuple[str, str]]) -> tuple[int, str]:
        """Run a command whose terminal is ours; type each answer once its question is there."""
        loop = asyncio.get_running_loop()
        child, terminal = pty.fork()
        if child == 0:
            os.execve(sys.executable, [sys.executable, "-m", "tailslide_embedded", *arguments], self.environment)
        said = ""

        async def read_more() -> bool:
            nonlocal said
            try:
                data = await loop.run_in_executor(None, os.read, terminal, 65_536)
            except OSError:  # the other end is closed
                return False
            said += data.decode(errors="replace")
            return bool(data)

        async with asyncio.timeout(60):
            for question, answer in typed:
                while question not in said:
                    assert await read_more(), said
                os.write(terminal, f"{answer}\n".encode())
            while await read_more():
                pass
        _, status = await loop.run_in_executor(None, os.waitpid, child, 0)
        os.close(terminal)
        return os.waitstatus_to_exitcode(status), said


@pytest.fixture
async def tailslide(bench: TowerBench, tmp_path: Path) -> AsyncIterator[CommandLine]:
    listen = f"127.0.0.1:{any_free_port()}"
    admin = {"TAILSLIDE_ADMIN_EMAIL": EMAIL, "TAILSLIDE_ADMIN_PASSWORD": PASSWORD}
    async with bench.process_at(listen, admin):
        url = f"http://{listen}"
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:

            async def ready() -> bool:
                try:
                    async with session.get(f"{url}/readyz") as answer:
                        return answer.status == 200
                except aiohttp.ClientConnectionError:
                    return False

            await until(ready)
            for path, body in (
                ("/apps", {"key": "shop"}),
                ("/apps/shop/flags", {"key": "new-checkout", "active": True, "rollout": 25, "tags": ["payments"]}),
            ):
                async with session.post(f"{url}/api/v1{path}", json=body) as answer:
                    assert answer.status == 201, await answer.text()
        yield CommandLine(url, tmp_path)


async def test_flags_are_listed_shown_and_changed(tailslide: CommandLine) -> None:
    listed = await tailslide("flags", "list")
    assert listed.status == 0, listed
    assert "shop.new-checkout" in listed.output
    assert (await tailslide("flags", "list", "--tag", "none")).output == "No flag matches.\n"
    assert [flag["key"] for flag in (await tailslide("flags", "list", "--json")).json] == ["new-checkout"]

    changed = await tailslide("flags", "rollout", "shop.new-checkout", "50", "--reason", "größer", "--json")
    assert changed.json["rollout"] == 50.0
    off = await tailslide("flags", "off", "shop.new-checkout", "--reason", "incident")
    assert "Turned off by environment" in off.output, off
    assert (await tailslide("flags", "on", "shop.new-checkout", "--json")).json["active"] is True
    shown = await tailslide("flags", "show", "shop.new-checkout")
    assert "On for 50% of users." in shown.output
    assert shown.output.splitlines()[0] == "shop.new-checkout", "a name that is the key is not repeated"
    log = await tailslide("flags", "log", "shop.new-checkout")
    assert "“größer”" in log.output
    assert len((await tailslide("flags", "log", "shop.new-checkout", "--json")).output.splitlines()) == 4


async def test_a_circuit_is_held_open_told_and_reset(bench: TowerBench, tailslide: CommandLine) -> None:
    assert "Nothing is open." in (await tailslide("status", "--check")).output
    assert (await tailslide("circuit", "open", "shop.new-checkout")).status == 0
    told = await tailslide("status", "--check")
    assert told.status == 3
    assert "shop.new-checkout  [Held off]" in told.output
    circuit = Circuit(State.OPEN, 0.0, trips=1, generation=1, reset_generation=9, since_ms=1_795_363_190_302)
    await bench.put(CIRCUITS_BUCKET, "shop.new-checkout", encode_circuit(circuit))
    reset = await tailslide("circuit", "reset", "shop.new-checkout", "--json")
    assert reset.json["circuit"]["forced_open"] is False
    assert reset.json["circuit"]["reset_generation"] > 9

    async def closed() -> bool:
        return (await tailslide("status", "--check")).status == 0

    await until(closed)


async def test_a_flag_is_watched_through_its_changes(tailslide: CommandLine) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tailslide_embedded", "flags", "watch", "shop.new-checkout"),
        env={**tailslide.environment, "TAILSLIDE_API_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said: list[str] = []

    async def until_said(text: str) -> None:
        assert process.stdout is not None
        while not any(text in line for line in said):
            line = await process.stdout.readline()
            assert line, said
            said.append(line.decode())

    try:
        async with asyncio.timeout(60):
            await until_said("On for 25% of users.")
            assert (await tailslide("flags", "off", "shop.new-checkout", "--reason", "incident")).status == 0
            await until_said("“incident”")
            await until_said("[Off]")
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            await process.communicate()
        assert not any("Traceback" in line for line in said)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0


async def test_keys_are_made_listed_and_revoked(tailslide: CommandLine) -> None:
    assert "has no keys" in (await tailslide("keys", "list", "shop")).output
    made = await tailslide("keys", "create", "shop", "production")
    assert made.output.startswith("tsk.shop."), made
    key_id = made.output.split(".")[2]
    assert key_id in (await tailslide("keys", "list", "shop")).output
    assert "Revoked." in (await tailslide("keys", "revoke", "shop", key_id)).output
    assert "has no keys" in (await tailslide("keys", "list", "shop")).output


async def test_what_goes_wrong_is_one_sentence_that_says_what_to_do(tailslide: CommandLine) -> None:
    for arguments, token, expected in (
        (("flags", "list"), None, "Error: not logged in: run `tailslide login`"),
        (("flags", "list"), "a-token-that-nobody-has-made", "run `tailslide login`"),
        (("flags", "show", "shop.none"), TOKEN, "has no flag 'none'"),
        (("flags", "show", "none"), TOKEN, "expected APP.FLAG, like checkout.new-checkout"),
        (("flags", "rollout", "shop.new-checkout", "101"), TOKEN, "0<=x<=100"),
        (("flags", "list", "--app", "none"), TOKEN, "there is no app 'none'"),
        (("keys", "list", "none"), TOKEN, "Error: there is no app 'none'"),
        (("status", "--check", "--app", "none"), TOKEN, "Error: there is no app 'none'"),
    ):
        said = await tailslide(*arguments, token=token)
        assert said.status in {1, 2}, said
        assert expected in said.errors, said
    tailslide.environment["TAILSLIDE_TOWER_URL"] = "http://127.0.0.1:9"
    assert "Tower at http://127.0.0.1:9 cannot be reached" in (await tailslide("flags", "list")).errors


async def test_log_in_with_a_password_keeps_a_token_that_log_out_revokes(tailslide: CommandLine) -> None:
    status, said = await tailslide.at_a_terminal(
        "login", tailslide.url, typed=[("E-mail", EMAIL), ("Password", PASSWORD)]
    )
    assert status == 0, said
    assert f"as {EMAIL} (token " in said
    assert PASSWORD not in said
    kept = Path(tailslide.environment["XDG_CONFIG_HOME"]) / "tailslide" / "tower.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    token = json.loads(kept.read_text())["token"]
    assert (await tailslide("flags", "list", token=None)).status == 0
    assert "Logged out" in (await tailslide("logout", token=None)).output
    assert not kept.exists()
    assert "run `tailslide login`" in (await tailslide("flags", "list", token=token)).errors


async def test_a_wrong_password_keeps_nothing(tailslide: CommandLine) -> None:
    status, said = await tailslide.at_a_terminal(
        "login", tailslide.url, typed=[("E-mail", EMAIL), ("Password", "not it")]
    )
    assert status == 1, said
    assert "the e-mail address or the password is wrong" in said
    assert "run `tailslide login`" not in said, "that is what has just been done"
    assert not (Path(tailslide.environment["XDG_CONFIG_HOME"]) / "tailslide").exists()


async def test_a_token_can_be_given_instead_of_a_password(tailslide: CommandLine) -> None:
    said = await tailslide("login", tailslide.url, "--token", token=None, typed=f"{TOKEN}\n")
    assert said.status == 0, said
    assert "is used instead" not in said.output
    again = await tailslide("login", tailslide.url, "--token", token=TOKEN, typed=f"{TOKEN}\n")
    assert "TAILSLIDE_API_TOKEN is set in this shell and is used instead" in again.output
    assert (await tailslide("flags", "list", token=None)).status == 0


async def test_token_and_password_are_sent_nowhere_else(tmp_path: Path) -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPPermanentRedirect("https://tower.example.org/api/v1/flags")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", elsewhere)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        said = await CommandLine(f"http://127.0.0.1:{runner.addresses[0][1]}", tmp_path)("flags", "list")
    finally:
        await runner.cleanup()
    assert (said.status, asked) == (1, ["/api/v1/flags"])
    assert "leads to https://tower.example.org: give Tower's own address" in said.errors
