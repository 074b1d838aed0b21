"""How numbers are written is the same in the core and in the dashboard: both run `tests/conformance/numbers.json`.

Shorter words in the dashboard, where a number stands in a table, are told apart in `numbers.test.ts`.
"""

import json
from pathlib import Path
from typing import Any

from tailslide_core.sentences.numbers import counted, exact_span, percent, rough_span, share

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "conformance" / "numbers.json").read_text(encoding="utf-8")
)


def test_numbers_are_written_as_the_vectors_have_them() -> None:
    for vector in VECTORS["percent"]:
        assert percent(vector["value"]) == vector["text"]
    for vector in VECTORS["share"]:
        assert share(vector["value"]) == vector["text"]
    for vector in VECTORS["counted"]:
        assert counted(vector["value"], vector["noun"]) == vector["text"]
    for vector in VECTORS["exact_span"]:
        assert exact_span(vector["ms"]) == vector["text"]
    for vector in VECTORS["rough_span"]:
        assert rough_span(vector["ms"], up=vector["up"]) == vector["text"], vector
