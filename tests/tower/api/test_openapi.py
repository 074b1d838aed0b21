"""What the description says holds together."""

from collections.abc import Iterator
from typing import Any

from tailslide_tower.described import whole_description


def references_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name == "$ref":
                yield each
            else:
                yield from references_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from references_in(each)


def test_description_has_everything_that_it_refers_to() -> None:
    document = whole_description()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    references = set(references_in(document))
    assert references
    assert references - known == set()
