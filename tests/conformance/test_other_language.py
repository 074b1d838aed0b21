"""Runs the golden vectors against the implementation in Go, which was written from docs/evaluation.md alone.

Where it agrees with all of them, the page says what the core does. `go/README.md` has what it is asked and what it
answers, a line of JSON each.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from suite_install import without

HERE = Path(__file__).parent
ANSWER_S = 10.0
_LITERAL = "\ue000"
"""Marks a text that is a number as the vectors write it, so that `5`, `5.0` and `5e0` reach the program as they are."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """A line for the program, and the answer that the vectors expect."""

    name: str
    line: str
    expected: Json


@pytest.fixture(scope="module")
def program() -> Iterator[Path]:
    """Build the program from the standard library alone. A cache that the environment names makes this quick."""
    go = shutil.which("go")
    if go is None:
        without("expected go on PATH, without which the implementation of evaluation in Go is not tried")
    own = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    with tempfile.TemporaryDirectory() as name:
        program = Path(name) / "evaluate"
        # Not optimised, because with an empty cache building takes most of the time.
        built = subprocess.run(
            [go, "build", "-gcflags=all=-N -l", "-o", str(program), "./cmd/evaluate"],
            cwd=HERE / "go",
            env={"GOCACHE": str(Path(name) / "cache"), **os.environ, **own},
            check=False,
            capture_output=True,
            text=True,
        )
        assert built.returncode == 0, built.stderr
        yield program


def vectors(name: str) -> tuple[Json, Json]:
    """Return a file twice: with its numbers as they are written, for lines, and with numbers, for what is expected."""
    text = (HERE / name).read_text(encoding="utf-8")
    return json.loads(text, parse_int=literal, parse_float=literal), json.loads(text)


def literal(number: str) -> str:
    return _LITERAL + number


def line(**fields: Any) -> str:
    return re.sub(r'"\\ue000([^"]*)"', r"\1", json.dumps(fields))


def of_bucketing() -> Iterator[Question]:
    written, read = vectors("bucketing.json")
    for case, expected in zip(written["users"], read["users"], strict=True):
        asked = line(kind="bucket", salt=case["salt"], targeting_key=case["targeting_key"])
        yield Question(case["name"], asked, {"hash": expected["hash"], "bucket": expected["bucket"]})
    for case, expected in zip(written["thresholds"], read["thresholds"], strict=True):
        share = {"rollout": case["rollout"], "percentage": case["percentage"]}
        asked = line(kind="threshold", **share, buckets=case["in"] + case["out"])
        yield Question(case["name"], asked, {"in": expected["in"]})
    for case in written["splits"]:
        for variant, buckets in case["variants"].items():
            for bucket in buckets:
                asked = line(kind="split", split=case["split"], bucket=bucket)
                yield Question(case["name"], asked, {"variant": variant})


def of_conditions() -> Iterator[Question]:
    written, read = vectors("conditions.json")
    for case in written["cases"]:
        segments = case.get("segments", [])
        for says in ("true", "false", "unknown"):
            for context in case[says]:
                for negate in (False, True):
                    condition = {**case["condition"], "negate": negate}
                    asked = line(kind="condition", condition=condition, segments=segments, context=context)
                    holds = says == ("false" if negate else "true")
                    yield Question(case["name"], asked, {"says": says, "holds": holds})
    for case, expected in zip(written["refused"], read["refused"], strict=True):
        asked = line(kind="condition", condition=case["condition"], context={})
        yield Question(case["name"], asked, {"refused": expected["field"]})


def of_evaluation() -> Iterator[Question]:
    written, read = vectors("evaluation.json")
    for case, expected in zip(written["cases"], read["cases"], strict=True):
        yield Question(case["name"], line(kind="evaluation", case=case), expected["expected"])
    for case, expected in zip(written["refused"], read["refused"], strict=True):
        value = {name: case[name] for name in ("ruleset", "segment", "circuit") if name in case}
        yield Question(case["name"], line(kind="reading", **value), {"refused": expected["field"]})


def test_numbers_reach_the_program_as_they_are_written() -> None:
    text = '{"a": [5, 5.0, 5e0, 18446744073709551616, -0.10], "b": "\\ud800 5", "c": true}'
    assert line(**json.loads(text, parse_int=literal, parse_float=literal)) == text


def test_go_answers_as_all_vectors_say(program: Path) -> None:
    files = [list(of_bucketing()), list(of_conditions()), list(of_evaluation())]
    assert all(files)
    asked = [question for file in files for question in file]

    ran = subprocess.run(
        [str(program)],
        input="".join(f"{question.line}\n" for question in asked),
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=ANSWER_S,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    answers = ran.stdout.split("\n")[:-1]
    assert len(answers) == len(asked)
    # As texts, because Python takes 1 for True and for 1.0.
    differences = [
        f"{question.name}: expected {json.dumps(question.expected)}, got {answer}\n  asked {question.line}"
        for question, answer in zip(asked, answers, strict=True)
        if json.dumps(json.loads(answer), sort_keys=True) != json.dumps(question.expected, sort_keys=True)
    ]
    assert differences == [], "\n".join(differences)
