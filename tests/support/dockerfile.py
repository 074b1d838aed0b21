"""Reads a Dockerfile and a `.dockerignore`, as far as ours go: stages, their instructions, and what is copied.

What it does not know it refuses, so that no instruction is left out unnoticed. Who carries them out is `run_image`.
"""

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_KNOWN = {
    *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "RUN", "STOPSIGNAL", "USER"),
    "WORKDIR",
}
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Instruction:
    """`word` is in capitals, `rest` what follows it, on one line."""

    word: str
    rest: str


@dataclass(frozen=True)
class Stage:
    """`base` is another stage or an image."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)


def read_stages(text: str) -> dict[str, Stage]:
    """Return the stages of a Dockerfile by name, in order; raise `ValueError` for what is not known here."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if not word:
            continue
        if word == "FROM":
            base, as_, name = rest.split()
            assert as_ == "AS", line
            stage = stages[name] = Stage(name, base)
        elif word in _KNOWN and stage is not None:
            stage.instructions.append(Instruction(word, " ".join(rest.split()) if word != "RUN" else rest))
        else:
            raise ValueError(f"not known here: {line}")
    return stages


@dataclass
class Config:
    """What an image says about the process that runs in it."""

    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    stop_signal: str = ""
    ports: list[str] = field(default_factory=list)

    def take(self, instruction: Instruction, arguments: dict[str, str]) -> bool:
        """Take in an instruction that changes no file; return False for one that does."""
        rest = _VARIABLE.sub(lambda match: arguments[match[1]], instruction.rest) if instruction.word == "LABEL" else ""
        match instruction.word:
            case "ARG":
                arguments.update(_pairs(instruction.rest))
            case "ENV":
                self.environment.update(_pairs(instruction.rest))
            case "LABEL":
                self.labels.update(_pairs(rest))
            case "USER":
                self.user = instruction.rest
            case "ENTRYPOINT":
                self.entrypoint = json.loads(instruction.rest)
            case "CMD":
                self.command = json.loads(instruction.rest)
            case "HEALTHCHECK":
                self.health = json.loads(instruction.rest.partition(" CMD ")[2])
            case "STOPSIGNAL":
                self.stop_signal = instruction.rest
            case "EXPOSE":
                self.ports = instruction.rest.split()
            case _:
                return False
        return True


def config_of(stages: Mapping[str, Stage], name: str) -> Config:
    """Return what the image of a stage says, with what it has from the stages below it."""
    chain: list[Stage] = []
    while name in stages:
        chain.append(stages[name])
        name = stages[name].base
    config, arguments = Config(), dict[str, str]()
    for stage in reversed(chain):
        for instruction in stage.instructions:
            if not config.take(instruction, arguments) and instruction.word == "WORKDIR":
                config.workdir = instruction.rest
    return config


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(text))


class Ignored:
    """The patterns of a `.dockerignore`: the last that matches a path, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        self._patterns = [(_regex(line.removeprefix("!")), line.startswith("!")) for line in lines]
        self._wanted = [line.removeprefix("!") for line in lines if line.startswith("!")]

    def __contains__(self, path: PurePosixPath) -> bool:
        above = [str(path), *(str(each) for each in path.parents if str(each) != ".")]
        ignored = False
        for pattern, wanted in self._patterns:
            if any(pattern.fullmatch(each) for each in above):
                ignored = not wanted
        return ignored

    def leads_nowhere(self, folder: PurePosixPath) -> bool:
        """Whether nothing below an ignored folder is wanted."""
        return not any(wanted.startswith(f"{folder}/") for wanted in self._wanted)


def _regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*)", pattern)
    return re.compile("".join({"**/": "(?:.*/)?", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts))


def context_files(root: Path, ignored: Ignored) -> Iterator[PurePosixPath]:
    """Yield the files that a build may copy, relative to the root of the context."""
    for folder, folders, files in os.walk(root):
        here = PurePosixPath(Path(folder).relative_to(root).as_posix())
        folders[:] = [name for name in folders if here / name not in ignored or not ignored.leads_nowhere(here / name)]
        yield from (here / name for name in files if here / name not in ignored)
