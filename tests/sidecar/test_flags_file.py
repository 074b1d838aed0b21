"""A file of flags is in Tower's language; every mistake in it is told at once, with its line and field."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import rulesets

from tailslide_core.flag_contracts import ruleset_json
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_core.variants import Share
from tailslide_sidecar.flags_file import FlagsFile, read_flags_file
from tailslide_sidecar.yaml_file import FileError
from tailslide_tower.flags.flag import created
from tailslide_tower.flags.models import FlagCreate

APP_RULE = "expected 1 to 63 characters of a-z, 0-9, '-' and '_', the first a letter or a digit"


def read(folder: Path, text: str, app: str | None = None, name: str = "flags.yaml") -> FlagsFile:
    path = folder / name
    path.write_text(text)
    return read_flags_file(path, app)


def problems(folder: Path, text: str, app: str | None = None, name: str = "flags.yaml") -> list[str]:
    with pytest.raises(FileError) as error:
        read(folder, text, app, name)
    return [problem.removeprefix(f"{folder / name}: ") for problem in error.value.problems]


GOOD = """\
app: shop
defaults: {active: true, rollout: 25, circuit: {window_ms: 5000}}
flags:
  new-checkout: {}
  api.v2:
    rollout: 50
    description: the second one
    circuit: {forced_open: true}
  colour:
    type: string
    variants: {on: x, off: y}
    off_variant: off
  nothing:
segments:
  beta: {include: [ada], description: early birds}
"""


def test_flags_by_their_keys_with_defaults(tmp_path: Path) -> None:
    file = read(tmp_path, GOOD)
    assert (file.app, list(file.rulesets), list(file.segments)) == (
        "shop",
        ["new-checkout", "api.v2", "colour", "nothing"],
        ["beta"],
    )
    circuit = CircuitSettings(window_ms=5000)
    expected = Ruleset("shop", "new-checkout", 1, True, 25.0, "new-checkout", circuit=circuit)
    assert file.rulesets["new-checkout"] == expected
    assert file.rulesets["nothing"] == replace(expected, key="nothing", salt="nothing")
    assert file.rulesets["api.v2"] == replace(
        expected, key="api.v2", salt="api.v2", rollout=50.0, circuit=replace(circuit, forced_open=True)
    )
    assert file.rulesets["colour"].split == (Share("on", 1),)
    assert file.segments["beta"].include == {"ada"}


def test_a_list_of_flags_as_tower_shows_them(tmp_path: Path) -> None:
    now = datetime(2026, 11, 22, 10, tzinfo=UTC)
    request = {"key": "f", "active": True, "rollout": 30, "tags": ["a"], "circuit": {"recovery": None}}
    flag = created("shop", FlagCreate.model_validate(request), now)
    flag = replace(flag, ruleset=replace(flag.ruleset, version=7))
    archived = flag.json() | {"key": "g", "salt": "g", "archived_at": "2026-11-23T10:00:00.000Z"}
    answer = {"flags": [flag.json() | {"state": {"sentence": []}}, archived], "next": None}
    file = read(tmp_path, orjson.dumps(answer).decode(), name="flags.json")
    assert (file.app, file.rulesets) == ("shop", {"f": replace(flag.ruleset, updated_at="")})
    assert problems(tmp_path, orjson.dumps(answer).decode(), "other", "flags.json") == [
        'line 1: flags[0].app: expected other, got "shop"',
        'line 1: flags[1].app: expected other, got "shop"',
    ]


@given(rulesets)
def test_every_flag_that_can_be_published_can_be_written(
    tmp_path_factory: pytest.TempPathFactory, ruleset: Ruleset
) -> None:
    alone = replace(ruleset, requires=(), rules=(), metadata=(), updated_at="")
    if alone.circuit is not None:
        alone = replace(alone, circuit=replace(alone.circuit, reset_generation=0))
    shown = ruleset_json(alone, whole=True)
    del shown["schema"]
    path = tmp_path_factory.getbasetemp() / "published.json"
    path.write_bytes(orjson.dumps({"flags": [shown]}))
    assert read_flags_file(path, None).rulesets == {alone.key: alone}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["expected app, flags and segments as `name: value`, got an empty file"]),
        ("[1]", ["expected app, flags and segments as `name: value`, got [1]"]),
        ("app: shop", ["line 1: flags: a value is required: the app's flags, by key; {} for none"]),
        ("flags: {}", ["line 1: app: a value is required, the key of the app whose flags these are"]),
        ("app: Shop\nflags: {}", [f'line 1: app: {APP_RULE}, got "Shop"']),
        ("app: a\nflags: {}\nflag: {}", ["line 3: flag: unknown field; did you mean flags?"]),
        ("app: a\nflags: 5", ["line 2: flags: expected flags by key, or a list of them, got 5"]),
        ("app: a\nflags: {}\nsegments: null", ["line 3: segments: expected segments by key, or a list of them"]),
        ("app: a\nflags: {}\nnext: b", ["line 3: next: expected all flags, but Tower has said that more follow"]),
        ("app: a\nflags:\n  f: true", ["line 3: flags.f: expected an object with fields, got true"]),
        ("app: a\nflags:\n  f: {key: g}", ['line 3: flags.f.key: expected "f", which it is written under, got "g"']),
        ("app: a\nflags:\n  - {key: f}\n  - {key: f}", ['line 4: flags[1].key: "f" is there twice']),
        ("app: a\nflags:\n  - {active: true}", ["line 3: flags[0].key: a value is required"]),
        ("app: a\nflags: {_f: {}}", ["line 2: flags._f.key: expected 1 to 100 characters of A-Z, a-z, 0-9, "]),
        ('app: a\nflags:\n  "a\\nb": {}', ['line 3: "flags.a\\nb.key": expected 1 to 100 characters of A-Z']),
        ("app: a\nflags:\n  f:\n    active: yes", ['line 4: flags.f.active: expected true or false, got "yes"']),
        (
            "app: a\nflags:\n  f:\n    rollout: 101\n  g:\n    rules:\n      - rolout: 5",
            [
                "line 4: flags.f.rollout: expected a number from 0 to 100, got 101.0",
                "line 7: flags.g.rules[0].rolout: unknown field; did you mean rollout?",
            ],
        ),
        (
            "app: a\ndefaults:\n  rollout: 101\nflags: {f: {}}",
            ["line 3: defaults.rollout: expected a number from 0 to 100, got 101.0"],
        ),
        ("app: a\ndefaults: {key: x}\nflags: {}", ["line 2: defaults.key: expected to be left out: it is each flag's"]),
        ("app: a\ndefaults: 5\nflags: {}", ["line 2: defaults: expected fields of a flag, got 5"]),
        (
            "app: a\ndefaults: {split: [{variant: on, weight: 1}]}\nflags:\n  f:\n    off_variant: x",
            ['line 5: flags.f.off_variant: expected one of "off", "on", got "x"'],
        ),
        (
            "app: a\ndefaults: {metadata: {a: 1}, bucket_by: x}\nflags: {f: {type: string, variants: {b: c}}}",
            ["line 3: flags.f.off_variant: expected one of \"b\", but the field is missing"],
        ),
        (
            "app: a\nflags:\n  f:\n    requires:\n      - flag: g",
            ['line 5: flags.f.requires[0].flag: expected a flag of the app, got "g"'],
        ),
        (
            "app: a\nflags:\n  f: {requires: [{flag: g}]}\n  g: {requires: [{flag: f}]}",
            [
                "line 3: flags.f.requires[0].flag: expected no cycle, got f → g → f",
                "line 4: flags.g.requires[0].flag: expected no cycle, got g → f → g",
            ],
        ),
        (
            "app: a\nflags:\n  f:\n    rules:\n      - rollout: 5\n        when:\n          - operator: in_segment\n"
            "            values: [beta]",
            ['line 8: flags.f.rules[0].when[0].values[0]: expected a segment of the app, got "beta"'],
        ),
        ("app: a\nflags: {}\nsegments: {s: {includes: [x]}}", ["line 3: segments.s.includes: unknown field; did you"]),
        ("app: a\nflags: {}\nsegments: {s: {include: [5]}}", ["line 3: segments.s.include[0]: expected a string, g"]),
        ("app: a\nflags: &x {f: *x}", ['line 2, column 15: expected YAML, but the alias "*x" is part of the']),
        ('app: a\nflags: {f: {salt: "\\ud800"}}', ["line 2: flags.f: expected what JSON can hold (str is not va"]),
    ],
)  # fmt: skip # pairs of a file and its sentences
def test_a_mistake_is_named(tmp_path: Path, text: str, told: list[str]) -> None:
    found = problems(tmp_path, text)
    assert len(found) == len(told), found
    for problem, expected in zip(found, told, strict=True):
        assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("flags.yaml", "app: a\nflags:\n  f: {type: object, off_variant: b, variants: {b: {\n    limit: %s}}}", 4),
        (
            "flags.json",
            '{"app": "a", "flags":\n{"f": {"type": "object", "off_variant": "b", "variants":\n{"b": {"limit": %s}}}}}',
            3,
        ),
    ],
)
@pytest.mark.parametrize(("number", "told"), [("1e400", "Infinity"), ("-1e400", "-Infinity")])
def test_an_infinite_number_is_refused_where_it_is(
    tmp_path: Path, name: str, text: str, line: int, number: str, told: str
) -> None:
    assert problems(tmp_path, text % number, name=name) == [
        f"line {line}: flags.f.variants.b.limit: expected a finite number, got {told}"
    ]


def test_flags_may_share_what_an_anchor_names(tmp_path: Path) -> None:
    text = """\
app: shop
flags:
  first: &standard
    active: true
    rules: &staff
      - when: [{attribute: role, operator: in, values: [staff]}]
        rollout: 100
  second: *standard
  third: {rules: *staff}
  fourth: {<<: *standard, rollout: 5}
"""
    flags = read(tmp_path, text).rulesets
    assert len({ruleset.rules for ruleset in flags.values()}) == 1
    assert [(ruleset.active, ruleset.rollout) for ruleset in flags.values()] == [
        (True, 100),
        (True, 100),
        (False, 100),
        (True, 5),
    ]


def test_a_flag_that_its_defaults_make_wrong_is_told_so(tmp_path: Path) -> None:
    text = "app: a\ndefaults: {slow: 1}\nflags: {}"
    assert problems(tmp_path, text)[0].startswith("line 2: defaults.slow: unknown field")
    defaults = "defaults: {bucket_by: x, rules: [{when: [{attribute: a, operator: exists}], variant: on, name: '1'}]}"
    text = f"app: a\n{defaults}\nflags:\n  f:\n    variants: {{yes: true, no: false}}\n    off_variant: yes"
    assert list(read(tmp_path, text).rulesets) == ["f"]
    defaults = "defaults: {variants: {a: true, b: false}, off_variant: a}"
    text = f"app: a\n{defaults}\nflags:\n  f:\n    split: [{{variant: a, weight: 0}}]"
    assert problems(tmp_path, text) == ["line 5: flags.f.split: expected a weight above 0, got none"]
    text = f"app: a\n{defaults}\nflags:\n  f:\n    off_variant: c"
    assert problems(tmp_path, text) == ['line 5: flags.f.off_variant: expected one of "a", "b", got "c"']


def test_the_app_is_said_once_or_alike(tmp_path: Path) -> None:
    assert read(tmp_path, "flags: {}", "shop").app == "shop"
    assert read(tmp_path, "app: shop\nflags: {}", "shop").app == "shop"
    assert problems(tmp_path, "app: shop\nflags: {}", "clinic") == [
        "line 1: app: expected clinic, as TAILSLIDE_APP or the sidecar's file has it, got shop"
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=rf"^{tmp_path}/none.yaml: cannot be read \(No such file or directory\)$"):
        read_flags_file(tmp_path / "none.yaml", None)


PIECES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rollout", "rules", "when", "values", "circuit", "split", "x"]), inner)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["app", "defaults", "flags", "segments", "next"]), PIECES))
def test_any_content_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "content.json"
    path.write_text(json.dumps(content))
    assert outcome(path)


def outcome(path: Path) -> str:
    try:
        return repr(read_flags_file(path, "shop"))
    except FileError as error:
        assert "\n" not in str(error)  # noqa: PT017 # of an error that need not be raised
        return str(error)
