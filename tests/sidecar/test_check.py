"""What the files would do is said line by line, and every mistake of both with its line."""

from pathlib import Path

import pytest
from authorities import DAY, Authority, now

from tailslide_sidecar.check import check, main

CONFIG = """\
app: shop
routes:
  - match: {path_prefix: /checkout, methods: [GET]}
    flag: new-checkout
    feature: [http://127.0.0.1:9002, http://127.0.0.1:9003]
    fallback: {status: 503}
    targeting_key: {header: x-user-id}
    attributes: {plan: {jwt_claim: plan}}
    retry_on_fallback: idempotent
  - match: {host: shop.example}
    flag: colour
    feature: http://127.0.0.1:9002
    fallback: http://127.0.0.1:9001
    variants: {green: http://127.0.0.1:9004}
    anonymous: cookie
  - upstream: http://127.0.0.1:9001
  - match: {path: /healthz}
    answer: {status: 200}
"""
FLAGS = """\
flags:
  new-checkout: {active: true, rollout: 50}
  colour:
    type: string
    variants: {blue: b, green: g}
    off_variant: blue
segments:
  beta: {include: [ada]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("sidecar.yaml").write_text(CONFIG)
    Path("flags.yaml").write_text(FLAGS)
    return Path()


def test_both_files(folder: Path) -> None:
    checked = check(folder / "sidecar.yaml", folder / "flags.yaml", {})
    assert checked.problems == []
    assert checked.lines == [
        "sidecar of the app shop",
        "  flags are answered on 127.0.0.1:4141",
        "  calls are proxied on 127.0.0.1:4140",
        "  flags come from the file flags.yaml, which is read again when it changes",
        "  no NATS, Redis or Tower is asked for anything, and no snapshot is kept",
        "  no circuit opens by itself, since nobody judges outcomes; they are counted in /metrics",
        "routes, of which the first that matches takes a call",
        "  routes[0] GET * /checkout: flag new-checkout: on to http://127.0.0.1:9002, http://127.0.0.1:9003, off to a "
        "fixed answer with status 503, which answers failed calls, too; targeting key from the header x-user-id, plan "
        "from the jwt claim plan",
        "  routes[1] shop.example /: flag colour: on to http://127.0.0.1:9002, green to http://127.0.0.1:9004, off to "
        "http://127.0.0.1:9001; no targeting key, else from a cookie tailslide_id that is set",
        "  routes[2] * /: to http://127.0.0.1:9001",
        "  routes[3] * =/healthz: to a fixed answer with status 200; never, since routes[2] takes all of its calls",
        "flags",
        "  new-checkout: boolean, on: 50% of users get on, the others off",
        "  colour: string, off: everybody gets blue",
        "segments",
        "  beta: 1 user listed",
    ]


def test_without_a_flags_file_the_servers_are_named_without_secrets(folder: Path) -> None:
    environ = {"TAILSLIDE_NATS_URL": "nats://me:secret@n:4222", "TAILSLIDE_SNAPSHOT": "/var/s.json"}
    checked = check(folder / "sidecar.yaml", None, environ)
    assert checked.problems == []
    assert checked.lines[3:6] == [
        "  flags come from NATS, nats://n:4222",
        "  outcomes go to Redis, redis://127.0.0.1:6379/0",
        "  the last flags are kept in /var/s.json, for a start while NATS is away",
    ]
    assert "secret" not in "".join(checked.lines)
    without = check(folder / "sidecar.yaml", None, {})
    assert without.lines[5] == "  no snapshot is kept, so nothing is answered after a start while NATS is away"


def test_a_flags_file_alone_and_by_its_variable(folder: Path) -> None:
    (folder / "flags.yaml").write_text("app: shop\nflags: {}")
    checked = check(None, None, {"TAILSLIDE_FLAGS_FILE": "flags.yaml"})
    assert (checked.problems, checked.lines[-2:]) == ([], ["no routes, so no call is proxied", "no flags"])


def test_the_mistakes_of_both_files_are_all_named(folder: Path) -> None:
    (folder / "sidecar.yaml").write_text(CONFIG.replace("upstream: http", "upstream: htp") + "timeout: 5\n")
    (folder / "flags.yaml").write_text(FLAGS.replace("50", "150").replace("include", "includes"))
    checked = check(folder / "sidecar.yaml", folder / "flags.yaml", {"TAILSLIDE_STALE_AFTER_MS": "1"})
    assert checked.lines == []
    assert [problem.partition(": expected")[0] for problem in checked.problems] == [
        "TAILSLIDE_STALE_AFTER_MS",
        "sidecar.yaml: line 16: routes[2].upstream",
        "sidecar.yaml: line 19: timeout: unknown field",
        "flags.yaml: line 2: flags.new-checkout.rollout",
        "flags.yaml: line 8: segments.beta.includes: unknown field; did you mean include?",
    ]


def test_one_file_s_mistakes_do_not_hide_what_the_other_does(folder: Path) -> None:
    (folder / "sidecar.yaml").write_text(f"{CONFIG}x: 1")
    checked = check(folder / "sidecar.yaml", folder / "flags.yaml", {})
    assert checked.problems == ["sidecar.yaml: line 19: x: unknown field"]
    assert checked.lines[0] == "flags"


@pytest.mark.parametrize("config", ["[", "[1]", "app: 5"])
def test_nothing_else_is_made_up_where_the_app_cannot_be_told(folder: Path, config: str) -> None:
    (folder / "sidecar.yaml").write_text(config)
    problems = check(folder / "sidecar.yaml", folder / "flags.yaml", {}).problems
    assert [problem.partition(":")[0] for problem in problems] == ["sidecar.yaml", "flags.yaml"]
    assert problems[1] == "flags.yaml: line 1: app: a value is required, the key of the app whose flags these are"
    assert len(check(folder / "sidecar.yaml", folder / "flags.yaml", {"TAILSLIDE_APP": "shop"}).problems) == 1


def test_routes_are_held_against_the_flags(folder: Path) -> None:
    (folder / "flags.yaml").write_text(FLAGS.replace("new-checkout", "checkout").replace("green: g", "red: r"))
    problems = check(folder / "sidecar.yaml", folder / "flags.yaml", {}).problems
    assert problems == [
        'sidecar.yaml: line 4: routes[0].flag: expected a flag of flags.yaml, got "new-checkout"',
        "sidecar.yaml: line 14: routes[1].variants: the flag colour has no variant green (it has blue, red), so "
        "nothing goes there",
    ]


@pytest.mark.parametrize(("flags", "status"), [(FLAGS, 0), ("flags: 5", 1)])
def test_the_exit_status_says_whether_anything_is_wrong(folder: Path, flags: str, status: int) -> None:
    (folder / "flags.yaml").write_text(flags)
    said, complaints = list[str](), list[str]()
    found = main(folder / "sidecar.yaml", folder / "flags.yaml", {}, said.append, complaints.append)
    assert found == status
    assert complaints == (
        ["Error: flags.yaml: line 1: flags: expected flags by key, or a list of them, got 5"] * status
    )
    assert ("No errors" in said) is (status == 0)


def test_files_for_tls_are_looked_at(folder: Path) -> None:
    Path("ca.pem").write_bytes(Authority(ends=now() - DAY).pem)
    Path("sidecar.yaml").write_text(f"{CONFIG}nats: {{url: 'tls://nats', ca_file: ca.pem}}\n")
    redis = {"TAILSLIDE_REDIS_URL": "rediss://redis", "TAILSLIDE_REDIS_CA_FILE": "none.pem"}
    problems = check(folder / "sidecar.yaml", None, redis).problems
    assert problems[0].startswith("sidecar.yaml: nats.ca_file: the certificate in ca.pem expired on ")
    assert problems[1:] == ["TAILSLIDE_REDIS_CA_FILE: none.pem cannot be read (No such file or directory)"]
    assert check(folder / "sidecar.yaml", folder / "flags.yaml", redis).problems == []
