"""The heads of most messages, each as one regular expression: what matches is valid, and needs no second look.

A plain head has nothing special in it (see `fields`) but Host, which comes first, one Content-Length and
`Connection: keep-alive`. Every field line is held against the grammar of RFC 9112 §5 and against the special names in
one pass, which costs a fifth of a look at each line. What does not match is no error: llhttp reads it.
"""

import re
from collections.abc import Iterable

from tailslide_runtime.http1.fields import OF_ANSWERS, OF_REQUESTS, TOKEN, in_any_case

_VALUE = rb"[\t\x20-\x7e\x80-\xff]*+"


def _by_first_letter(names: Iterable[bytes]) -> bytes:
    """Return a pattern for names that gives up at the first letter where it can."""
    rests: dict[bytes, list[bytes]] = {}
    for name in names:
        rests.setdefault(name[:1], []).append(name[1:])
    return b"|".join(
        in_any_case(first) + b"(?:" + b"|".join(in_any_case(rest) for rest in found) + b")"
        for first, found in rests.items()
    )


def _fields(special: Iterable[bytes]) -> bytes:
    ordinary = rb"(?:\r\n(?!(?:" + _by_first_letter(special) + rb"):)" + TOKEN + rb":" + _VALUE + rb")*+"
    length = rb"(?:\r\n[Cc]ontent-[Ll]ength: ([0-9]{1,18}))?+"
    keep_alive = rb"(\r\n[Cc]onnection: [Kk]eep-[Aa]live)?+"
    return ordinary + length + ordinary + keep_alive + ordinary + length + ordinary


REQUEST = re.compile(
    rb"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (/[!-\"$-~]*+) HTTP/1\.1"
    rb"(\r\n[Hh]ost: ([^\r ,\t]++)(" + _fields(OF_REQUESTS) + rb"))\r\n\r\n"
)
"""Groups: method, target, all fields, authority, fields but Host, length, the line of Connection, length again."""

ANSWER = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*+)(" + _fields(OF_ANSWERS) + rb")\r\n\r\n")
"""Groups: status, reason, fields, length, the line of Connection, length again."""
