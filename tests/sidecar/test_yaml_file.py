"""What people write is read as they mean it, and a mistake is told with its line."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_sidecar.yaml_file import FileError, YamlFile, read_yaml


def read(folder: Path, text: str, name: str = "flags.yaml") -> YamlFile:
    path = folder / name
    path.write_text(text)
    return read_yaml(path, "flags", core_schema=True)


TEXT = """\
app: shop            # line 1
flags:
  new-checkout:
    active: true
    rules:
      - when:
          - {attribute: a}
          - attribute: b
            values: [1,
                     2]
  a: {b: 1}
  a.b:
    rollout: 5
"""


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("app", 1),
        ("flags", 2),
        ("flags.new-checkout", 3),
        ("flags.new-checkout.active", 4),
        ("flags.new-checkout.rollout", 3),
        ("flags.new-checkout.rules[0]", 6),
        ("flags.new-checkout.rules[0].when[1].attribute", 8),
        ("flags.new-checkout.rules[0].when[1].values[1]", 10),
        ("flags.new-checkout.rules[7]", 5),
        ("flags.a.b.rollout", 13),
        ("flags.a.c", 11),
        ("flags.new-checkouts", 2),
        ("other", 1),
    ],
)
def test_a_field_is_found_or_else_what_it_should_be_in(tmp_path: Path, field: str, line: int) -> None:
    file = read(tmp_path, TEXT)
    assert file.line_of(field) == line
    assert file.problem(field, "expected x") == f"{file.path}: line {line}: {field}: expected x"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{on: off, NO: [yes, No, ON]}", {"on": "off", "NO": ["yes", "No", "ON"]}),
        ("[true, True, FALSE, null, ~, ]", [True, True, False, None, None]),
        ("a:", {"a": None}),
        ("[1, -5, 0x1F, 0o17, 017, 1_000, 1:30]", [1, -5, 31, 15, 17, "1_000", "1:30"]),
        ("[1.5, .5, 1e3, -2.5E-1, 5., .nan]", [1.5, 0.5, 1000.0, -0.25, 5.0, ".nan"]),
        ("[2025-01-01, 2025-01-01T00:00:00Z]", ["2025-01-01", "2025-01-01T00:00:00Z"]),
        ("{1: a, true: b, 2025-01-01: c}", {"1": "a", "true": "b", "2025-01-01": "c"}),
        ("{a: &x {b: 1}, c: {<<: *x, d: 2}}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("[9223372036854775808, 99999999999999999999]", [9223372036854775808, 1e20]),
        ("1" + "0" * 308, 1e308),
    ],
)
def test_flags_are_read_as_yaml_1_2(tmp_path: Path, text: str, value: Any) -> None:
    found = read(tmp_path, text).value
    assert found == value
    assert repr(found) == repr(value)


def test_json_is_read_as_json_with_lines(tmp_path: Path) -> None:
    file = read(tmp_path, '{\n\t"a": {"b": "\\ud83d\\ude00"},\n\t"c": [1,\n\t\t99999999999999999999]\n}', "flags.json")
    assert file.value == {"a": {"b": "😀"}, "c": [1, 1e20]}
    assert [file.line_of(field) for field in ("a.b", "c", "c[1]")] == [2, 3, 4]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("f.yaml", "a: 1\nb: [", "line 2, column 5: expected YAML, but expected the node content, but found '<stream"),
        ("f.yaml", "a: 1\na: 2", 'line 2, column 1: expected YAML, but "a" is there twice'),
        ("f.yaml", "a: 1\n---\nb: 2", "line 2, column 1: expected YAML, but found another document"),
        ("f.yaml", "? [a]\n: 1", "line 1, column 3: expected YAML, but the name of a field is a list or an object"),
        ("f.yaml", "a: !!python/object:os.x {}", "line 1, column 4: expected YAML, but could not determine a constr"),
        ("f.yaml", "[" * 3_000, "expected flags, but they are nested too deeply"),
        ("f.yaml", "a: 1\nb: !!bool maybe", 'line 2, column 4: expected YAML, but "maybe" cannot be read as bool'),
        ("f.yaml", "a: !!timestamp x", 'line 1, column 4: expected YAML, but "x" cannot be read as timestamp'),
        ("f.yaml", "a: !!int ''", 'line 1, column 4: expected YAML, but "" cannot be read as int'),
        ("f.yaml", "a: !!map [b]", "line 1, column 4: expected YAML, but a list cannot be read as map"),
        ("f.yaml", "a: !!map bc", 'line 1, column 4: expected YAML, but "bc" cannot be read as map'),
        ("f.yaml", 'a: "\\UFFFFFFFF"', "expected YAML, but "),
        ("f.yaml", "a: -1" + "0" * 309, f'line 1, column 4: expected YAML, but "-1{"0" * 56}… is out of range'),
        ("f.yaml", "a: 0x" + "f" * 300, f'line 1, column 4: expected YAML, but "0x{"f" * 56}… is out of range'),
        ("f.yaml", "a: " + "9" * 5_000, f'line 1, column 4: expected YAML, but "{"9" * 58}… is out of range'),
        (
            "f.json",
            '{"a": 1,\n"b": %s}' % ("9" * 310),
            "line 2, column 6: expected JSON, but a number of 310 digits is ",
        ),
        ("f.json", '{"a": %s}' % ("9" * 5_000), "line 1, column 7: expected JSON, but a number of 5000 digits is out "),
        ("f.json", '{"a": 1,\n}', "line 2, column 1: expected JSON, but expecting property name enclosed in double"),
        ("f.json", '{"b": [],\n"c": [{"a": 1, "a": 2}]}', 'line 2, column 16: expected JSON, but "a" is there twice'),
        ("f.json", "[" * 100_000, "expected flags, but they are nested too deeply"),
        ("f.json", "", "line 1, column 1: expected JSON, but expecting value"),
    ],
)
def test_what_is_no_such_file_is_told_in_a_sentence(tmp_path: Path, name: str, text: str, problem: str) -> None:
    with pytest.raises(FileError) as error:
        read(tmp_path, text, name)
    assert str(error.value).startswith(f"{tmp_path / name}: {problem}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("!!bool maybe", 'line 1, column 1: expected YAML, but "maybe" cannot be read as bool'),
        ("a: !!set [b]", "line 1, column 4: expected YAML, but a list cannot be read as set"),
        ("a: 2026-13-01", 'line 1, column 4: expected YAML, but "2026-13-01" cannot be read as timestamp'),
        ("a: " + "1:" * 300 + "1.5", 'line 1, column 4: expected YAML, but "' + "1:" * 29 + "… is out of range"),
    ],
)
def test_what_no_yaml_1_1_says_is_told_in_a_sentence(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(FileError) as error:
        read_yaml(tmp_path / "f.yaml", "settings")
    assert str(error.value) == f"{tmp_path / 'f.yaml'}: {problem}"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("")
    os.truncate(path, 16 * 1024 * 1024 + 1)
    with pytest.raises(FileError) as error:
        read_yaml(path, "flags")
    assert str(error.value) == f"{path}: expected at most 16 MiB"
    monkeypatch.setattr("tailslide_sidecar.yaml_file.MAX_BYTES", 5)
    assert read(tmp_path, "a: é").value == {"a": "é"}
    with pytest.raises(FileError):
        read(tmp_path, "a: éa")


@pytest.mark.parametrize("core_schema", [False, True])
def test_objects_that_grow_too_large_by_merging_are_refused(tmp_path: Path, core_schema: bool) -> None:
    path = tmp_path / "f.yaml"
    lines = ["a0: &a0 {" + ", ".join(f"k{number}: 1" for number in range(10)) + "}"]
    lines += [f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}" for level in range(1, 5)]
    path.write_text("\n".join(lines))  # 100,000 fields in the last
    assert len(read_yaml(path, "flags", core_schema=core_schema).value["a4"]) == 10
    path.write_text("\n".join([*lines, "b: {<<: *a4, x: 1}"]))
    with pytest.raises(FileError) as error:
        read_yaml(path, "flags", core_schema=core_schema)
    assert str(error.value) == (
        f"{path}: line 6, column 4: expected YAML, but an object has more than 100,000 fields by merging with <<"
    )


@pytest.mark.parametrize("core_schema", [False, True])
def test_many_objects_that_grow_by_merging_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, core_schema: bool
) -> None:
    monkeypatch.setattr("tailslide_sidecar.yaml_file.MAX_MERGED_PAIRS_OF_A_FILE", 30)
    path = tmp_path / "f.yaml"
    first = "- &a {" + ", ".join(f"k{number}: 1" for number in range(10)) + "}"
    path.write_text("\n".join([first, *["- <<: *a"] * 3]))
    assert len(read_yaml(path, "flags", core_schema=core_schema).value) == 4
    path.write_text("\n".join([first, *["- <<: *a"] * 4]))
    with pytest.raises(
        FileError, match="line 5, column 3: expected YAML, but << puts more than 30 fields into the obj"
    ):
        read_yaml(path, "flags", core_schema=core_schema)


@pytest.mark.parametrize("core_schema", [False, True])
def test_a_short_file_that_aliases_make_huge_is_refused(tmp_path: Path, core_schema: bool) -> None:
    # Each line has ten times the values of the line before; the limit is reached in the eighth alias of a4.
    path = tmp_path / "f.yaml"
    lines = ["a0: &a0 [" + ", ".join(["x"] * 10) + "]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 60)]
    path.write_text("\n".join(lines))
    with pytest.raises(FileError) as error:
        read_yaml(path, "flags", core_schema=core_schema)
    assert str(error.value) == (
        f"{path}: line 6, column 45: expected YAML, but aliases (*name) repeat more than 1,000,000 values"
    )


def test_each_alias_counts_what_it_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailslide_sidecar.yaml_file.MAX_REPEATED_VALUES", 12)
    own = ", ".join(["x"] * 100)  # what is written out counts for nothing
    shared = f"[&a {{k: [v]}}, {own}, &b [*a], "  # *a is four values, *b five
    assert read(tmp_path, shared + "*a, *a]").value[-1] == {"k": ["v"]}
    for more in ("*a, *a, *a]", "*a, *b]"):
        with pytest.raises(FileError, match=r"aliases \(\*name\) repeat more than 12 values"):
            read(tmp_path, shared + more)


def test_a_long_text_that_aliases_repeat_is_refused(tmp_path: Path) -> None:
    text = "[&a " + "x" * 4_000 + ", " + ", ".join(["*a"] * 4_000) + "%s]"
    assert len(read(tmp_path, text % "").value) == 4_001
    with pytest.raises(FileError, match=r"but aliases \(\*name\) repeat more than 16,000,000 characters"):
        read(tmp_path, text % ", *a")


@pytest.mark.parametrize("core_schema", [False, True])
@pytest.mark.parametrize(("text", "column"), [("a: &a [*a]", 8), ("a: &a {b: {c: [*a]}}", 16)])
def test_an_alias_within_its_own_value_is_refused(tmp_path: Path, core_schema: bool, text: str, column: int) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(FileError) as error:
        read_yaml(path, "flags", core_schema=core_schema)
    assert str(error.value) == (
        f'{path}: line 1, column {column}: expected YAML, but the alias "*a" is part of the value that it stands for'
    )


def test_of_many_mistakes_the_first_are_told(tmp_path: Path) -> None:
    file = read(tmp_path, "\n".join(f"f{number}: x" for number in range(150)))
    mistakes = [(f"f{number}", "expected y") for number in range(150)]
    error = file.refusal(mistakes)
    assert error.problems[99:] == (
        f"{file.path}: line 100: f99: expected y",
        *(f"{file.path}: f{number}: expected y" for number in range(100, 150)),
    )
    assert str(error) == "; ".join(error.problems[:10]) + "; and 140 more"
    assert str(file.refusal(mistakes[:10])) == "; ".join(error.problems[:10])


def test_a_byte_order_mark_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_yaml(tmp_path / "f.yaml", "flags").value == {"a": 1}


def outcome(path: Path) -> str:
    try:
        return read_yaml(path, "flags", core_schema=True).problem("a", "b")
    except FileError as error:
        return str(error)


@given(st.text(max_size=80), st.sampled_from(["any.yaml", "any.json"]))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(text.encode("utf-8", "replace"))
    assert "\n" not in outcome(path)
