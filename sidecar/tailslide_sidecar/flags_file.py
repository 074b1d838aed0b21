"""Flags and segments in a file, in the language of Tower's API: what a sidecar answers from that has no servers.

`{app, defaults, flags, segments}`, as docs/local.md has it. A flag is what Tower takes as a new flag, or shows of one;
`defaults` is that of an app. The file is taken whole or not at all. Reading it again is `flags_source`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from tailslide_core.contracts import Json
from tailslide_core.errors import ContractError
from tailslide_core.fields import Fields, shown
from tailslide_core.naming import check_app_key, check_flag_key, is_app_key
from tailslide_core.relations import check_each, check_segments
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment
from tailslide_core.written_flags import (
    NOTED_FIELDS,
    check_flag_names,
    check_names,
    check_segment_names,
    new_ruleset,
    new_segment,
)
from tailslide_sidecar.yaml_file import FileError, Stamp, YamlFile, read_yaml, stamp_of

Read = TypeVar("Read")

_FIELDS = frozenset({"app", "defaults", "flags", "segments", "next"})
"""Of the whole file. `next` is in what Tower's API says of all flags of an app."""
_SHOWN_BY_TOWER = frozenset({"app", "version", "archived_at", "created_at", "updated_at", "warnings", "state"})
"""What Tower adds to a flag or a segment that it shows, so that its answer can be such a file."""
_EACH_FLAGS_OWN = frozenset({"key", "name", "salt", "requires", "expected_end"})
"""What Tower refuses as a default for new flags."""


@dataclass(frozen=True, slots=True)
class FlagsFile:
    """What a file says of the flags of `app`."""

    path: Path
    app: str
    rulesets: Mapping[str, Ruleset]
    segments: Mapping[str, Segment]
    stamp: Stamp | None = field(default=None, compare=False)
    """What the file was like just before it was read."""


def read_flags_file(path: Path, app: str | None) -> FlagsFile:
    """Read a file; raise `FileError` with line and path of each field that is wrong and what was expected there.

    `app` is the key of the app, if anything but the file says it.
    """
    stamp = stamp_of(path)
    return _Reader(read_yaml(path, "flags", core_schema=True)).read(app, stamp)


class _Reader:
    """Reads one file, and goes on after a mistake to find the others."""

    def __init__(self, file: YamlFile) -> None:
        self._file = file
        self._mistakes: list[tuple[str, str]] = []
        """Each wrong field, and what is wrong with it."""
        self._paths: dict[str, str] = {}
        """Where each flag is."""

    def read(self, app: str | None, stamp: Stamp | None) -> FlagsFile:
        content = self._file.value
        if not isinstance(content, dict):
            found = "an empty file" if content is None else shown(content)
            raise FileError([f"{self._file.path}: expected app, flags and segments as `name: value`, got {found}"])
        self._try(partial(check_names, content, _FIELDS))
        key = self._try(partial(_app, content, app)) or "unknown"
        defaults = self._try(partial(_defaults, content, key))
        flags = dict(self._flags(content, key, defaults or {}))
        segments = dict(self._segments(content, key))
        if not self._mistakes:  # else flags may name what was refused
            self._check_relations(flags, segments)
        if self._mistakes:
            raise self._file.refusal(self._mistakes)
        return FlagsFile(self._file.path, key, flags, segments, stamp)

    def _flags(self, content: Json, app: str, defaults: Json) -> Iterator[tuple[str, Ruleset]]:
        if content.get("next") is not None:
            self._refuse(ContractError("next", "expected all flags, but Tower has said that more follow"))
        if "flags" not in content:
            self._refuse(ContractError("flags", "a value is required: the app's flags, by key; {} for none"))
            return
        for path, key, given in self._each(content, "flags"):
            ruleset = self._try(partial(_ruleset, app, key, given, defaults), path)
            if ruleset is not None and given.get("archived_at") is None:
                self._paths[key] = path
                yield key, ruleset

    def _segments(self, content: Json, app: str) -> Iterator[tuple[str, Segment]]:
        for path, key, given in self._each(content, "segments"):
            segment = self._try(partial(_segment, app, key, given), path)
            if segment is not None:
                yield key, segment

    def _each(self, content: Json, name: str) -> Iterator[tuple[str, str, Json]]:
        """Yield the path, the key and the fields of each: of `{key: fields}`, or of a list of fields with the key."""
        written, seen = content.get(name), set[str]()
        if not isinstance(written, dict | list):
            if name in content:
                self._refuse(ContractError(name, f"expected {name} by key, or a list of them, got {shown(written)}"))
            return
        by_key = written.items() if isinstance(written, dict) else ((None, item) for item in written)
        for index, (key, given) in enumerate(by_key):
            path = f"{name}[{index}]" if key is None else f"{name}.{key}"
            found = self._try(partial(_keyed, key, given), path)
            if found is None:
                continue
            if found in seen:
                self._refuse(ContractError(f"{path}.key", f"{shown(found, 80)} is there twice"))
            seen.add(found)
            yield path, found, given or {}

    def _check_relations(self, flags: Mapping[str, Ruleset], segments: Mapping[str, Segment]) -> None:
        check_requirements = check_each(flags)
        for key, ruleset in flags.items():
            self._try(partial(check_segments, ruleset, segments), self._paths[key])
            self._try(partial(check_requirements, ruleset), self._paths[key])

    def _try(self, read: Callable[[], Read], within: str | None = None) -> Read | None:
        """Return what is read, None after a mistake, which is noted."""
        try:
            return read()
        except ContractError as error:
            self._refuse(error if within is None else error.within(within))
            return None

    def _refuse(self, error: ContractError) -> None:
        self._mistakes.append((error.field.removesuffix(".body"), error.problem))


def _app(content: Json, app: str | None) -> str:
    if "app" not in content:
        app = app or _app_of_flags(content.get("flags"))
        if app is None:
            raise ContractError("app", "a value is required, the key of the app whose flags these are")
        return app
    key = check_app_key("app", content["app"])
    if app is not None and key != app:
        raise ContractError("app", f"expected {app}, as TAILSLIDE_APP or the sidecar's file has it, got {key}")
    return key


def _app_of_flags(flags: object) -> str | None:
    """Return the app that Tower shows with each flag of a list."""
    first = flags[0] if isinstance(flags, list) and flags else None
    app = first.get("app") if isinstance(first, dict) else None
    return app if isinstance(app, str) and is_app_key(app) else None


def _defaults(content: Json, app: str) -> Json:
    """Return what new flags have where they say nothing; it has to be what a flag could have."""
    given = content.get("defaults", {})
    if not isinstance(given, dict):
        raise ContractError("defaults", f"expected fields of a flag, got {shown(given)}")
    return Fields.within("defaults", partial(_checked_defaults, given, app))


def _checked_defaults(given: Json, app: str) -> Json:
    check_flag_names(given)
    for name in given:
        if name in _EACH_FLAGS_OWN:
            raise ContractError(name, "expected to be left out: it is each flag's own")
    defaults = {name: value for name, value in given.items() if name not in NOTED_FIELDS}
    new_ruleset(app, "defaults", {}, defaults)
    return defaults


def _keyed(key: str | None, given: object) -> str:
    """Return the key of a flag or a segment that is written under it, or has it in its field."""
    if key is not None and given is None:  # `new-checkout:` alone is a flag that says nothing
        return check_flag_key("key", key)
    if not isinstance(given, dict):
        raise ContractError("body", f"expected an object with fields, got {shown(given)}")
    if key is None and "key" not in given:
        raise ContractError("key", "a value is required")
    own = check_flag_key("key", given.get("key", key))
    if key is not None and own != key:
        raise ContractError("key", f"expected {shown(key, 80)}, which it is written under, got {shown(own, 80)}")
    return own


def _ruleset(app: str, key: str, given: Json, defaults: Json) -> Ruleset:
    fields = {name: value for name, value in given.items() if name not in _SHOWN_BY_TOWER}
    circuit = fields.get("circuit")
    if isinstance(circuit, dict):  # Tower shows the generation, and there is no verdict to compare it with
        fields["circuit"] = {name: value for name, value in circuit.items() if name != "reset_generation"}
    check_flag_names(fields)
    fields = {name: value for name, value in fields.items() if name != "key" and name not in NOTED_FIELDS}
    return replace(new_ruleset(app, key, fields, defaults), version=_version(app, given))


def _segment(app: str, key: str, given: Json) -> Segment:
    fields = {name: value for name, value in given.items() if name not in _SHOWN_BY_TOWER}
    check_segment_names(fields)
    fields = {name: value for name, value in fields.items() if name not in {"key", "description"}}
    return replace(new_segment(app, key, fields), version=_version(app, given))


def _version(app: str, given: Json) -> int:
    """Return the version that Tower shows, 1 without one; raise `ContractError` for that of another app."""
    fields = Fields(given)
    if fields.has("app") and given["app"] != app:
        raise ContractError("app", f"expected {app}, got {shown(given['app'], 80)}")
    return fields.integer("version", 1, low=0)
