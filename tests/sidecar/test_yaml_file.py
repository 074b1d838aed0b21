"""What people write is read as they mean it, and a mistake is told with its line."""

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
