import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest
import yaml
from click.testing import CliRunner

from tailslide_core.bucketing import bucket_of
from tailslide_embedded.cli import cli
from tailslide_embedded.data_dir import open_data_dir
from tailslide_runtime.errors import StartError


def test_the_help_lists_every_command_and_imports_none(monkeypatch: pytest.MonkeyPatch) -> None:
    # None makes an import of the module fail.
    for module in ("tailslide_embedded.demo.command", "tailslide_embedded.up", "tailslide_tower.main", "aiohttp"):
        monkeypatch.setitem(sys.modules, module, None)
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0, result.output
    listed = re.findall(r"^  (\S+)", result.output.partition("Commands:\n")[2], re.MULTILINE)
    assert listed == [
        *("admin-link", "aerobat", "circuit", "demo", "env", "flags", "healthcheck", "init", "keys", "login"),
        *("logout", "sample", "sidecar", "status", "tower", "up"),
    ]


def test_the_demo_is_imported_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def demo(as_json: bool) -> None:
        click.echo(f"as_json={as_json}")

    monkeypatch.setitem(sys.modules, "tailslide_embedded.demo.command", _module("demo", demo))
    assert CliRunner().invoke(cli, ["demo", "--json"]).output == "as_json=True\n"


def test_a_start_error_is_one_sentence_and_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def main(config: Path | None, flags: Path | None) -> int:
        raise StartError(f"{config}: routes[0].flag: expected a flag key, not one of {flags}")

    monkeypatch.setitem(sys.modules, "tailslide_sidecar.main", _module("main", main))
    result = CliRunner().invoke(cli, ["sidecar", "--config", "sidecar.yaml", "--flags", "flags.yaml"])
    assert result.exit_code == 1
    assert result.stderr == "Error: sidecar.yaml: routes[0].flag: expected a flag key, not one of flags.yaml\n"


def test_checking_starts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tailslide_sidecar.main", None)
    flags = tmp_path / "flags.yaml"
    flags.write_text("app: shop\nflags: {f: {active: true}}")
    good = CliRunner().invoke(cli, ["sidecar", "--check", "--flags", str(flags)])
    assert (good.exit_code, good.stderr) == (0, "")
    assert "  f: boolean, on: everybody gets on\nNo errors\n" in good.stdout
    flags.write_text("app: shop\nflags: {f: {actve: true}}")
    wrong = CliRunner().invoke(cli, ["sidecar", "--check", "--flags", str(flags)])
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert wrong.stderr == f"Error: {flags}: line 2: flags.f.actve: unknown field; did you mean active?\n"


def test_first_files_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["init", "my shop"])
    assert result.exit_code == 0, result.output
    assert "  tailslide sidecar --config 'my shop/sidecar.yaml' --flags 'my shop/flags.yaml'\n" in result.output
    check = ["sidecar", "--check", "--config", "my shop/sidecar.yaml", "--flags", "my shop/flags.yaml"]
    assert CliRunner().invoke(cli, check).exit_code == 0
    before = {path: path.read_text() for path in Path("my shop").iterdir()}
    assert {path.name for path in before} == {"sidecar.yaml", "flags.yaml"}
    refusal = CliRunner().invoke(cli, ["init", "my shop"]).stderr
    assert refusal.startswith(
        "Error: my shop/sidecar.yaml and my shop/flags.yaml exist already, so nothing was written;"
    )
    Path("my shop/sidecar.yaml").unlink()
    again = CliRunner().invoke(cli, ["init", "my shop"])
    assert (again.exit_code, again.stderr) == (
        1,
        "Error: my shop/flags.yaml exists already, so nothing was written; give another folder\n",
    )
    assert [path.name for path in Path("my shop").iterdir()] == ["flags.yaml"]


def test_the_first_file_has_the_addresses_that_were_given(tmp_path: Path) -> None:
    addresses = {"feature": "https://new.example:8443", "fallback": "http://[::1]:9001"}
    usual = {"feature": "http://127.0.0.1:9002", "fallback": {"status": 200, "body": "the old checkout\n"}}
    for number, given in enumerate(({}, *({name: url} for name, url in addresses.items()), addresses)):
        folder = tmp_path / str(number)
        options = [word for name, url in given.items() for word in (f"--{name}", url)]
        assert CliRunner().invoke(cli, ["init", str(folder), *options]).exit_code == 0
        (route,) = yaml.safe_load((folder / "sidecar.yaml").read_text())["routes"]
        assert {name: route[name] for name in usual} == {**usual, **given}
        assert CliRunner().invoke(cli, ["sidecar", "--check", "--config", f"{folder}/sidecar.yaml"]).exit_code == 0


def test_a_long_address_keeps_the_comment_apart(tmp_path: Path) -> None:
    url = f"http://{'a' * 60}.example:9001"
    assert CliRunner().invoke(cli, ["init", str(tmp_path), "--fallback", url]).exit_code == 0
    assert f"    fallback: {url} # your old code\n" in (tmp_path / "sidecar.yaml").read_text()


def test_an_address_that_no_route_takes_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["init", str(tmp_path / "shop"), "--fallback", "127.0.0.1:9001"])
    assert result.exit_code == 2
    assert (
        "Error: Invalid value for '--fallback': expected http://host:port or https://host:port without a path, "
        'got "127.0.0.1:9001"'
    ) in result.stderr
    assert not (tmp_path / "shop").exists()


def test_first_files_cannot_be_written_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(cli, ["init", str(tmp_path / "file")])
    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path}/file/sidecar.yaml: cannot be written (File exists)\n"


def test_the_first_users_of_the_first_file_see_both_sides(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli, ["init", str(tmp_path)]).exit_code == 0
    content = yaml.safe_load((tmp_path / "flags.yaml").read_text())
    rollout = content["flags"]["new-checkout"]["rollout"]
    told = [bucket_of("new-checkout", user) < rollout * 1000 for user in ("user-1", "user-2", "user-3")]
    assert told == [True, True, False]
    assert bucket_of("new-checkout", "user-3") < 70_000, "which the command tells to change it to"


@pytest.mark.parametrize("part", ["tower", "aerobat"])
@pytest.mark.parametrize("status", [0, 1])
def test_the_exit_status_of_a_part_is_that_of_the_command(
    part: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"tailslide_{part}.main", _module("main", lambda: status))
    assert CliRunner().invoke(cli, [part]).exit_code == status


def adopting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a stand-in for what `tailslide tower adopt` imports, which does as it is told."""

    def run(tell: Callable[[str], None], confirmed: Callable[[], bool]) -> int:
        tell("1 flag would be deleted: shop.one.")
        return 0 if confirmed() else 1

    monkeypatch.setitem(sys.modules, "tailslide_tower.adopt", _module("run", run))


def test_adopt_asks_at_a_terminal_and_takes_yes_for_an_answer_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    adopting(monkeypatch)
    confirmed = CliRunner().invoke(cli, ["tower", "adopt", "--yes"])
    assert (confirmed.exit_code, confirmed.output) == (0, "1 flag would be deleted: shop.one.\n")
    silent = CliRunner().invoke(cli, ["tower", "adopt"])
    assert silent.exit_code == 1
    assert silent.stderr == "Error: there is no terminal to ask at, so nothing was changed; confirm with --yes\n"


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_adopt_does_what_the_person_says(answer: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    adopting(monkeypatch)
    monkeypatch.setattr("tailslide_embedded.cli.stands_at_a_terminal", lambda: True)
    result = CliRunner().invoke(cli, ["tower", "adopt"], input=answer)
    assert result.exit_code == status
    assert "Take the bucket over? [y/N]" in result.output


async def test_env_quotes_for_the_shell(tmp_path: Path) -> None:
    async with open_data_dir(tmp_path) as data:
        sidecar = {"TAILSLIDE_REDIS_URL": "redis://a?x=1&y=$z", "TAILSLIDE_NATS_URL": "nats://a:1"}
        data.publish_environment({"sidecar": sidecar, "admin": {"TAILSLIDE_API_TOKEN": "token"}})
        result = CliRunner().invoke(cli, ["env", "--data-dir", str(tmp_path)])
        admin = CliRunner().invoke(cli, ["env", "--data-dir", str(tmp_path), "--admin"])
    assert result.output == ("export TAILSLIDE_NATS_URL=nats://a:1\nexport TAILSLIDE_REDIS_URL='redis://a?x=1&y=$z'\n")
    assert admin.output == "export TAILSLIDE_API_TOKEN=token\n"


@pytest.mark.parametrize("command", ["up", "env"])
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_data_dir_is_refused_and_fills_nothing(
    command: str, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, variable in (([command, "--data-dir", empty], None), ([command], empty)):
        result = CliRunner().invoke(cli, words, env={"TAILSLIDE_DATA_DIR": variable})
        assert result.exit_code == 2
        assert "--data-dir (or TAILSLIDE_DATA_DIR) is empty: give it the path of a folder" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_help_says_what_up_is_for() -> None:
    words = " ".join(CliRunner().invoke(cli, ["up", "--help"]).output.split())
    assert "For trying things out, for development, and for small internal use on one machine" in words


def test_env_without_a_run_is_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["env", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: nothing runs on {tmp_path}: ")


def test_a_port_out_of_range_names_the_option() -> None:
    result = CliRunner().invoke(cli, ["up", "--nats-port", "70000"])
    assert result.exit_code == 2
    assert "--nats-port" in result.stderr


def _module(name: str, value: object) -> ModuleType:
    module = ModuleType("stand_in")
    setattr(module, name, value)
    return module
