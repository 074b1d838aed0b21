r"""JSON with a text that is not valid Unicode: `"\ud800"`, half of a surrogate pair, which some programs cut texts to.

orjson refuses the whole body. Here it is read, so that only the bad text is lost: no condition compares with it.
"""

import json
import re

import orjson

from tailslide_core.scalars import is_unicode

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONGEST_INTEGER = 20


def loads(body: bytes) -> object:
    """Parse JSON as orjson does, but with lone surrogates allowed; raise `ValueError` for anything that is not JSON.

    Bodies with such texts may be nested as deeply as Python's own parser goes, about 1,000 objects, and their names
    are without them: a name that is no Unicode is left out.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if _SURROGATE.search(body) is None:
            raise
    try:
        return _DECODER.decode(body.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(f"number out of range: {text[:40]}")
    return number


def _integer(text: str) -> int | float:
    number = int(text) if len(text) <= _LONGEST_INTEGER else None
    return number if number is not None and -(2**63) <= number < 2**64 else _finite(text)


def _constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {name: value for name, value in pairs if is_unicode(name)}


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_finite, parse_int=_integer, parse_constant=_constant
)
