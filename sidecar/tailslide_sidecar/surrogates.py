r"""JSON with values for which orjson refuses a whole body, although they are JSON.

A text that is not valid Unicode: `"\ud800"`, half of a surrogate pair, which some programs cut texts to. A number
beyond all doubles: `1e400`, or an integer of 400 digits. Here they are read, so that each costs only what it says: no
condition compares with it.
"""

import json
import re

import orjson

from tailslide_core.scalars import is_unicode

_MAY_BE_READ = re.compile(rb"\\u[dD][89a-fA-F]|[eE]\+?[0-9]{2}|[0-9]{250}")
"""What may be such a text, or a part of such a number."""
_LONGEST_INTEGER = 20


def loads(body: bytes) -> object:
    """Parse JSON as orjson does, but allow lone surrogates and numbers of any size; raise `ValueError` otherwise.

    A number beyond all doubles is an infinity. Bodies with such values may be nested as deeply as Python's own parser
    goes, about 1,000 objects, and their names are without them: a name that is no Unicode is left out.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if _MAY_BE_READ.search(body) is None:
            raise
    try:
        return _DECODER.decode(body.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(text: str) -> int | float:
    number = int(text) if len(text) <= _LONGEST_INTEGER else None
    return number if number is not None and -(2**63) <= number < 2**64 else float(text)


def _constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {name: value for name, value in pairs if is_unicode(name)}


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=float, parse_int=_integer, parse_constant=_constant)
