"""The description of the whole API without a running Tower: `python -m tailslide_tower.described` prints it."""

import sys
from typing import Any

import orjson

from tailslide_tower.api.openapi import description_of
from tailslide_tower.app import SUBJECTS


def whole_description() -> dict[str, Any]:
    """Return what `/api/v1/openapi.json` answers."""
    return description_of(operation for subject in SUBJECTS for operation, _ in subject.declared)


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(whole_description(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
