"""YAML and JSON files that people write: their values, and the line that each field stands on.

What the fields mean is `config_file` and `flags_file`; here, only that each is there once.
"""

import io
import json
import re
from collections.abc import Callable, Hashable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tailslide_core.fields import shown
from tailslide_runtime.errors import StartError

Stamp = tuple[int, int, int, int]
"""What tells one state of a file from another: when it was written, its size, its inode, and when its inode changed, as
chmod and chown do."""

MAX_BYTES = 16 * 1024 * 1024
"""How large a file may be."""
MAX_MERGED_PAIRS = 100_000
"""How many fields an object may have after `<<` has put those of others into it. Each line of ten aliases has ten times
those of the line before, so that a short file would take all memory."""
MAX_MERGED_PAIRS_OF_A_FILE = 1_000_000
"""How many fields `<<` may put into all objects of a file."""
MAX_REPEATED_VALUES = 1_000_000
"""How many values the aliases of a file may stand for, names of fields and values in values included. Aliases of lists
of aliases would otherwise make gigabytes of a short file, as soon as it is checked or written out."""
MAX_REPEATED_CHARACTERS = 16_000_000
"""How much text the aliases of a file may stand for."""
_MAX_DIGITS = 1_000
_MAX_FIELD = 400
_MOST_SHOWN = 10
"""Of the mistakes of a file, in one sentence."""
_MOST_WITH_LINE = 100
"""Of the mistakes of a file: each line takes a walk through the file."""
_MERGE_TAG = "tag:yaml.org,2002:merge"


def stamp_of(path: Path) -> Stamp | None:
    """Return what a file is like now, through all links; None when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns


class FileError(StartError):
    """What is wrong with a file, a sentence for each mistake, with the file and, where it is known, line and field.

    `problems` has all of them. As a text, for logs and readiness, it says the first ones and how many more there are.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        more = len(self.problems) - _MOST_SHOWN
        super().__init__("; ".join(self.problems[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else ""))


class FileReadError(FileError):
    """A file could not be opened or read. It may be readable later without having changed."""


class _Size(NamedTuple):
    """How much a node is when every alias in it is written out."""

    values: int = 0
    characters: int = 0

    def plus(self, other: "_Size") -> "_Size":
        return _Size(self.values + other.values, self.characters + other.characters)


class _Loader(yaml.SafeLoader):
    """PyYAML's loader, but with its own kind of error for whatever it cannot read, and with limits to aliases."""

    _merged_pairs = 0
    """How many fields `<<` has put into objects until now."""
    _repeated = _Size()
    """What the aliases until now stand for."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._sizes: dict[yaml.Node, _Size] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if not self.check_event(yaml.AliasEvent):
            return super().compose_node(parent, index)
        alias: Any = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave its types out
        node = super().compose_node(parent, index)
        problem = None if node is None else self._problem_with_alias(node, alias.anchor or "")
        if problem is not None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=alias.start_mark)
        return node

    def _problem_with_alias(self, node: yaml.Node, name: str) -> str | None:
        """Return what is wrong with one more alias of a node."""
        if node.end_mark is None:  # PyYAML sets it when it has read all of a list or an object
            return f"the alias {shown('*' + name)} is part of the value that it stands for"
        self._repeated = self._repeated.plus(self._size(node))
        if self._repeated.values > MAX_REPEATED_VALUES:
            return f"aliases (*name) repeat more than {MAX_REPEATED_VALUES:,} values"
        if self._repeated.characters > MAX_REPEATED_CHARACTERS:
            return f"aliases (*name) repeat more than {MAX_REPEATED_CHARACTERS:,} characters"
        return None

    def _size(self, node: yaml.Node) -> _Size:
        known = self._sizes.get(node)
        if known is not None:
            return known
        size = _Size(1, len(node.value) if isinstance(node, yaml.ScalarNode) else 0)
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                size = size.plus(self._size(item))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                size = size.plus(self._size(key)).plus(self._size(value))
        self._sizes[node] = size
        return size

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # PyYAML trusts what stands behind a tag: `!!bool maybe` is a KeyError.
            raise _unreadable(node, out_of_range=isinstance(error, OverflowError)) from None

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put the fields of other objects in the place of `<<`, unless there would be too many."""
        values = [value for key, value in node.value if key.tag == _MERGE_TAG]
        if values:
            own, merged = len(node.value) - len(values), 0
            for value in values:
                for other in value.value if isinstance(value, yaml.SequenceNode) else (value,):
                    if isinstance(other, yaml.MappingNode):
                        self.flatten_mapping(other)
                        merged += len(other.value)
                        self._check_merged(node, own, merged)
            self._merged_pairs += merged
        super().flatten_mapping(node)

    def _check_merged(self, node: yaml.MappingNode, own: int, merged: int) -> None:
        if own + merged > MAX_MERGED_PAIRS:
            problem = f"an object has more than {MAX_MERGED_PAIRS:,} fields by merging with <<"
        elif self._merged_pairs + merged > MAX_MERGED_PAIRS_OF_A_FILE:
            problem = f"<< puts more than {MAX_MERGED_PAIRS_OF_A_FILE:,} fields into the objects of the file"
        else:
            return
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _unreadable(node: yaml.Node, *, out_of_range: bool = False) -> yaml.MarkedYAMLError:
    if isinstance(node, yaml.ScalarNode):
        what = shown(node.value)
    else:
        what = "a list" if isinstance(node, yaml.SequenceNode) else "an object"
    problem = "is out of range" if out_of_range else f"cannot be read as {node.tag.rpartition(':')[2]}"
    return yaml.MarkedYAMLError(problem=f"{what} {problem}", problem_mark=node.start_mark)


class _Yaml11(_Loader):
    """YAML 1.1, as PyYAML reads it, but refuses a field that is written twice, of which it would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        _check_once(node)
        return super().construct_mapping(node, deep)


class _CoreSchema(_Loader):
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
        return _integer(text, base)


def _text(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    raise yaml.MarkedYAMLError(problem="the name of a field is a list or an object", problem_mark=node.start_mark)


def _integer(digits: str, base: int = 10) -> int | float:
    """Return a number as readers of JSON have it, to whom an integer has 64 bits; else raise `OverflowError`."""
    if len(digits) > _MAX_DIGITS:  # Python refuses to read thousands of them
        raise OverflowError(f"{len(digits)} digits")
    number = int(digits, base)
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
        return self._sentence(field, problem, self.line_of(field))

    def refusal(self, mistakes: Iterable[tuple[str, str]]) -> FileError:
        """Return the error for these fields and what is wrong with each; the first ones with their lines."""
        return FileError(
            self._sentence(field, problem, self.line_of(field) if index < _MOST_WITH_LINE else None)
            for index, (field, problem) in enumerate(mistakes)
        )

    def _sentence(self, field: str, problem: str, line: int | None) -> str:
        # A name may be anything that somebody has typed.
        name = field if field.isprintable() and len(field) <= _MAX_FIELD else shown(field, _MAX_FIELD)
        return f"{self.path}: {'' if line is None else f'line {line}: '}{name}: {problem}"


def read_yaml(path: Path, expected: str, *, core_schema: bool = False) -> YamlFile:
    """Read a file; raise `FileError`. `expected` says what it should hold; of a `.json` the file has to be JSON.

    With `core_schema` it is read as YAML 1.2, else as YAML 1.1.
    """
    loader = _CoreSchema if core_schema else _Yaml11
    try:
        text = _text_of(path)
    except UnicodeDecodeError:
        raise FileError([f"{path}: expected text in UTF-8"]) from None
    except OSError as error:
        raise FileReadError([f"{path}: cannot be read ({error.strerror or error})"]) from None
    if path.suffix.lower() == ".json":
        nodes = cache(lambda: _compose(text, _CoreSchema))
        return YamlFile(path, _read(path, expected, lambda: _json(text, nodes)), nodes)
    value = _read(path, expected, lambda: yaml.load(text, loader))  # noqa: S506 # a SafeLoader with one more check
    return YamlFile(path, value, cache(lambda: _compose(text, loader)))


def _text_of(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FileError([f"{path}: expected at most {MAX_BYTES // 1024**2} MiB"])
    return io.TextIOWrapper(io.BytesIO(content), "utf-8-sig").read()


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
    except (yaml.YAMLError, OverflowError, ValueError) as error:  # "\\UFFFFFFFF", which no character has
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

    def integer(digits: str) -> int | float:
        try:
            return _integer(digits)
        except OverflowError:
            problem = f"a number of {len(digits)} digits is out of range"
            raise json.JSONDecodeError(problem, text, text.find(digits)) from None

    return json.loads(text, object_pairs_hook=once, parse_int=integer)


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


def _compose(text: str, loader: type[yaml.SafeLoader]) -> yaml.Node | None:
    """Return the nodes of what was read already, for their lines; None where YAML cannot read what JSON can."""
    try:
        # YAML takes no tabs between the values of a JSON file, whose texts have none.
        root: yaml.Node | None = yaml.compose(text.replace("\t", " "), loader)
    except (yaml.YAMLError, RecursionError):
        return None
    return root


def _check_once(node: yaml.Node) -> None:
    if not isinstance(node, yaml.MappingNode):  # `!!map [a]`
        raise _unreadable(node)
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
