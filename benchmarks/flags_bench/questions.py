"""What is asked: the flags, the users, and the requests about them as bytes. No I/O.

Flags are as most are: a rollout of half the users and a circuit. Users have keys of many lengths, so that nothing is
fast only because two requests are alike.
"""

import hashlib
import itertools
from collections.abc import Sequence
from urllib.parse import quote

import orjson

from tailslide_core.conditions import Condition, Operator
from tailslide_core.ruleset import CircuitSettings, Requirement, Rule, Ruleset
from tailslide_core.segment import Segment

USERS = 10_000
_HEADERS = b"Host: 127.0.0.1:4141\r\nUser-Agent: tailslide-benchmark\r\nAccept: */*\r\n"


def flag_keys(count: int) -> list[str]:
    """Return the keys of an app's flags."""
    return [f"feature-{index:05}" for index in range(count)]


def rulesets(app: str, count: int) -> list[Ruleset]:
    """Return the flags of an app."""
    return [Ruleset(app, key, 1, True, 50.0, key, circuit=CircuitSettings()) for key in flag_keys(count)]


LANGUAGE = ("rule", "segment", "requires")
"""Flags that use more of the language than a rollout, called after what they use."""
_PREREQUISITES = 5
_MEMBERS = 10_000


def language_flags(app: str) -> list[Ruleset]:
    """Return the flags of `LANGUAGE`, and the five flags that the last of them requires, each for half of its users."""
    country = Condition("country", Operator.IN, ("DE", "FR", "GB"))
    member = Condition("targetingKey", Operator.IN_SEGMENT, ("members",))
    required = [f"required-{number}" for number in range(_PREREQUISITES)]

    def flag(key: str, rules: tuple[Rule, ...] = (), requires: tuple[Requirement, ...] = ()) -> Ruleset:
        return Ruleset(app, key, 1, True, 50.0, key, rules=rules, requires=requires, circuit=CircuitSettings())

    return [
        *map(flag, required),
        flag("rule", rules=(Rule((country,), 50.0),)),
        flag("segment", rules=(Rule((member,), 50.0),)),
        flag("requires", requires=tuple(map(Requirement, required))),
    ]


def members(app: str) -> Segment:
    """Return a segment with 10,000 members of 40 characters, none of whom is among the users of the benchmark."""
    digests = (hashlib.sha256(f"member {index}".encode()).hexdigest() for index in range(_MEMBERS))
    return Segment(app, "members", 1, frozenset(digest[:40] for digest in digests))


def of_language(flag: str) -> list[bytes]:
    """Return requests for one of these flags by OFREP, each user in turn, with a country."""
    return [
        post_json(f"/ofrep/v1/evaluate/flags/{flag}", {"context": {"targetingKey": user, "country": country}})
        for user, country in zip(users(), itertools.cycle(["DE", "US", "FR", "BR"]), strict=False)
    ]


def users() -> list[str]:
    """Return the targeting keys, 8 to 39 characters long, the same in each run."""
    digests = (hashlib.sha256(str(index).encode()).hexdigest() for index in range(USERS))
    return [f"user-{digest[: 3 + int(digest[-2:], 16) % 32]}" for digest in digests]


def single(flags: Sequence[str], shift: int = 0) -> list[bytes]:
    """Return requests for one flag by OFREP, each flag and each user in turn; `shift` moves users against flags."""
    asked = itertools.islice(itertools.cycle(flags), shift, None)
    return [_post(f"/ofrep/v1/evaluate/flags/{flag}", user) for flag, user in zip(asked, users(), strict=False)]


def bulk() -> list[bytes]:
    """Return requests for all flags by OFREP, each user in turn."""
    return [_post("/ofrep/v1/evaluate/flags", user) for user in users()]


def native(flags: Sequence[str]) -> list[bytes]:
    """Return requests for one flag at our own endpoint, each flag and each user in turn."""
    return [
        get(f"/v1/flags/{flags[index % len(flags)]}?targeting_key={quote(user)}") for index, user in enumerate(users())
    ]


def get(path: str) -> bytes:
    """Return a GET."""
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), _HEADERS)


def post_json(path: str, body: object, headers: bytes = b"") -> bytes:
    """Return a POST with a JSON body."""
    content = orjson.dumps(body)
    return b"POST %b HTTP/1.1\r\n%b%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        path.encode(),
        _HEADERS,
        headers,
        len(content),
        content,
    )


def _post(path: str, user: str) -> bytes:
    return post_json(path, {"context": {"targetingKey": user}})
