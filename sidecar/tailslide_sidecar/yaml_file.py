"""YAML and JSON files that people write: their values, and the line that each field stands on.

What the fields mean is `config_file` and `flags_file`; here, only that each is there once.
"""

import json
import re
from collections.abc import Callable, Hashable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tailslide_core.fields import shown
from tailslide_runtime.errors import StartError

Stamp = tuple[int, int, int]
"""What tells one content of a file from another: when it was written, its size, its inode."""


_MAX_FIELD = 400


def stamp_of(path: Path) -> Stamp | None:
    """Return what a file is like now, through all links; None when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class FileError(StartError):
    """What is wrong with a file, a sentence for each mistake, with the file and, where it is known, line and field."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class _Yaml11(yaml.SafeLoader):
    """YAML 1.1, as PyYAML reads it, but refuses a field that is written twice, of which it would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        _check_once(node)
        return super().construct_mapping(node, deep)


class _CoreSchema(yaml.SafeLoader):
    """YAML 1.2's core schema: `on`, `off`, `yes`, `no` and times are texts, and so is every name of a field.

    Flags are full of them: the usual variants are called on and off, and NO is a country.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 # PyYAML's own attribute

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        _check_once(node)
        self.flatten_mapping(node)
        return {_text(key): self.construct_object(value, deep=True) for key, value in node.value}

    def construct_integer(self, node: yaml.ScalarNode) -> int | float:
        text = str(self.construct_scalar(node))
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        # Python refuses to read thousands of digits.
        return _as_json_has_it(int(text, base)) if len(text) < 1_000 else float(text)


def _text(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    raise yaml.MarkedYAMLError(problem="the name of a field is a list or an object", problem_mark=node.start_mark)


def _as_json_has_it(number: int) -> int | float:
    """Return a number as readers of JSON have it, to whom an integer has 64 bits."""
    return number if -(2**63) <= number < 2**64 else float(number)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _CoreSchema.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))
_CoreSchema.add_constructor("tag:yaml.org,2002:int", _CoreSchema.construct_integer)


class YamlFile:
    """What a file says. `value` is the whole of it, None for an empty file."""

    def __init__(self, path: Path, value: Any, compose: Callable[[], yaml.Node | None]) -> None:
        """`compose` gives the nodes of the file; asked only when a line is, since that is as much work as reading."""
        self.path = path
        self.value = value
        self._compose = compose

    def __repr__(self) -> str:
        return f"YamlFile({str(self.path)!r})"

    def line_of(self, field: str) -> int | None:
        """Return the line of a field (`routes[0].flag`) or, where it is not there, of what it should be in."""
        root = self._compose()
        return None if root is None else _line(root, field)

    def problem(self, field: str, problem: str) -> str:
        """Return a sentence on a field."""
        line = self.line_of(field)
        # A name may be anything that somebody has typed.
        name = field if field.isprintable() and len(field) <= _MAX_FIELD else shown(field, _MAX_FIELD)
        return f"{self.path}: {'' if line is None else f'line {line}: '}{name}: {problem}"


def read_yaml(path: Path, expected: str, *, core_schema: bool = False) -> YamlFile:
    """Read a file; raise `FileError`. `expected` says what it should hold; of a `.json` the file has to be JSON.

    With `core_schema` it is read as YAML 1.2, else as YAML 1.1.
    """
    loader = _CoreSchema if core_schema else _Yaml11
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError([f"{path}: expected text in UTF-8"]) from None
    except OSError as error:
        raise FileError([f"{path}: cannot be read ({error.strerror or error})"]) from None
    if path.suffix.lower() == ".json":
        nodes = cache(lambda: _compose(text, _CoreSchema))
        return YamlFile(path, _read(path, expected, lambda: _json(text, nodes)), nodes)
    value = _read(path, expected, lambda: yaml.load(text, loader))  # noqa: S506 # a SafeLoader with one more check
    return YamlFile(path, value, cache(lambda: _compose(text, loader)))


def _read(path: Path, expected: str, read: Callable[[], object]) -> object:
    try:
        return read()
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        problem = f"{path}: {where}: expected JSON, but {error.msg[:1].lower()}{error.msg[1:]}"
    except _TwiceError as error:
        problem = f"{path}: {error.where}expected JSON, but {shown(error.name)} is there twice"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f" line {mark.line + 1}, column {mark.column + 1}:"
        problem = f"{path}:{where} expected YAML, but {str(error.problem).removeprefix('but ')}"
    except (yaml.YAMLError, ValueError) as error:  # a date like 2026-13-01 is a ValueError
        problem = f"{path}: expected YAML, but {' '.join(str(error).split())}"
    except RecursionError:
        problem = f"{path}: expected {expected}, but they are nested too deeply"
    raise FileError([problem]) from None


class _TwiceError(Exception):
    """A name is twice in an object of JSON; `where` is its place, or empty."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(name)
        self.name = name
        self.where = where


def _json(text: str, nodes: Callable[[], yaml.Node | None]) -> object:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in pairs:
            if name in found:
                raise _TwiceError(name, _where_twice(nodes()))
            found[name] = value
        return found

    return json.loads(text, object_pairs_hook=once, parse_int=_number)


def _where_twice(root: yaml.Node | None) -> str:
    waiting = [] if root is None else [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            if (twice := _twice(node)) is not None:
                return f"line {twice.start_mark.line + 1}, column {twice.start_mark.column + 1}: "
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
    return ""


def _number(digits: str) -> int | float:
    return _as_json_has_it(int(digits)) if len(digits) < 1_000 else float(digits)


def _compose(text: str, loader: type[yaml.SafeLoader]) -> yaml.Node | None:
    """Return the nodes of what was read already, for their lines; None where YAML cannot read what JSON can."""
    try:
        # YAML takes no tabs between the values of a JSON file, whose texts have none.
        root: yaml.Node | None = yaml.compose(text.replace("\t", " "), loader)
    except (yaml.YAMLError, RecursionError):
        return None
    return root


def _check_once(node: yaml.MappingNode) -> None:
    if (twice := _twice(node)) is not None:
        raise yaml.MarkedYAMLError(problem=f"{shown(twice.value)} is there twice", problem_mark=twice.start_mark)


def _twice(node: yaml.MappingNode) -> yaml.ScalarNode | None:
    """Return the first name that an object has for the second time."""
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                return key
            seen.add(key.value)
    return None


def _line(root: yaml.Node, field: str) -> int:
    """Walk down the path of a field for as long as the file has its parts. Names may have dots in them."""
    node, line, rest = root, root.start_mark.line, field
    while rest:
        if isinstance(node, yaml.SequenceNode) and (match := re.match(r"\[(\d+)\]", rest)):
            index = int(match[1])
            if index >= len(node.value):
                break
            node, rest = node.value[index], rest[match.end() :]
            line = node.start_mark.line
        elif isinstance(node, yaml.MappingNode):
            rest = rest.removeprefix(".")
            within = [(key, value) for key, value in node.value if _begins_with(rest, key)]
            if not within:
                break
            key, node = max(within, key=lambda pair: len(pair[0].value))
            line, rest = key.start_mark.line, rest[len(key.value) :]
        else:
            break
    return line + 1


def _begins_with(field: str, key: yaml.Node) -> bool:
    if not isinstance(key, yaml.ScalarNode) or not key.value or not field.startswith(key.value):
        return False
    return field[len(key.value) : len(key.value) + 1] in {"", ".", "["}
