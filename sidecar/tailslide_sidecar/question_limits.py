"""What one question may ask for: bounds that are held against a context before anything is evaluated. Pure.

The bounds are generous to what applications send, and keep the answer to any question within a few tens of
milliseconds. They are in `docs/api/flags.md`; a refusal names the field and the bound.
"""

from tailslide_core.attributes import TARGETING_KEY, Items, at_path
from tailslide_core.evaluation import Context
from tailslide_core.work import Demands, work_of

MAX_CONTEXT_BYTES = 262_144
"""The body of a question."""
MAX_ATTRIBUTES = 1_000
MAX_ITEMS = 10_000
"""Of one attribute that is a list."""
MAX_KEY_CHARACTERS = 1_024
"""Of a targeting key: it is hashed once for each flag."""
MAX_TEXT_CHARACTERS = 4_096
"""Of an attribute that the proxy takes from a request; longer ones are left out."""
MAX_WORK = 500_000
"""In the units of `tailslide_core.work`; about 15 ms."""
SMALL = 1_024
"""A question about one flag that is no longer than this costs nothing worth measuring."""


class TooMuchError(Exception):
    """A question that is not evaluated, for one of its attributes, its targeting key, or as a whole (None)."""

    def __init__(self, field: str | None, problem: str) -> None:
        """`field` may be whatever a client has made up, and is shortened."""
        super().__init__(problem)
        self.field = None if field is None else field[:100]
        self.problem = problem


def bounded(context: Context, demands: Demands, key_name: str) -> Context:
    """Return a context that may be evaluated for flags with these demands; raise `TooMuchError`.

    Its lists come back as `Items`, so that all conditions on one share what is worked out for it, and what conditions
    ask for by a path stands under its whole name. `key_name` is what the caller calls the targeting key.
    """
    key, attributes = context
    if key is not None and len(key) > MAX_KEY_CHARACTERS:
        raise TooMuchError(key_name, f"expected at most {MAX_KEY_CHARACTERS} characters, got {len(key)}")
    if len(attributes) > MAX_ATTRIBUTES:
        raise TooMuchError(None, f"expected at most {MAX_ATTRIBUTES} attributes, got {len(attributes)}")
    ready: dict[str, object] = {}
    for attribute, value in attributes.items():
        if isinstance(value, list):
            ready[attribute] = _items(attribute, value)
    for name, path in demands.paths.items():
        if attributes.get(name) is None and (value := at_path(attributes, path)) is not None:
            ready[name] = _items(name, value) if isinstance(value, list) else value
    if ready:
        attributes = {**attributes, **ready}
    work, dearest = work_of(demands, attributes.items())
    if key and TARGETING_KEY in demands.by_attribute:
        of_key = demands.by_attribute[TARGETING_KEY].work(key)
        dearest = key_name if of_key > work else dearest
        work += of_key
    if work > MAX_WORK:
        raise TooMuchError(
            dearest,
            "expected lists and texts that can be compared with the conditions of the flags asked for in at most "
            f"{MAX_WORK} units of work, got {work}, most of them here; send fewer items or shorter texts",
        )
    return Context(key, attributes) if ready else context


def _items(name: str, value: list[object]) -> Items:
    if len(value) > MAX_ITEMS:
        raise TooMuchError(name, f"expected a list of at most {MAX_ITEMS} items, got {len(value)}")
    return Items(value)
