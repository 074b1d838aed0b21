"""The marks by which Aerobat knows which flags to read: two sorted sets for each app, as `naming` has them. Pure.

Only the commands are here; when each is sent is `timeseries`. Reading marks is Aerobat's. Why there are any:
`docs/decisions/0011`.
"""

from collections.abc import Iterable

from tailslide_core.naming import RAW_RETENTION_MS

Command = tuple[str | int, ...]

NEEDS = "EVAL, TIME, ZADD, ZREMRANGEBYSCORE and PEXPIRE on keys ts:{<app>}:*"
"""What a user of Redis has to be allowed for it."""

SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local members = {}
for i = 2, #ARGV do
  members[#members + 1] = now
  members[#members + 1] = ARGV[i]
  if #members == 1000 or i == #ARGV then
    redis.call('ZADD', KEYS[1], unpack(members))
    members = {}
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""
"""KEYS: the set. ARGV: how long marks are kept, in milliseconds, and the flags. The time is that of the server.

One ZADD for many flags takes less time than one for each, and less of the append-only file. A thousand arguments are
what Lua passes on safely.
"""


def mark(key: str, flags: Iterable[str]) -> Command:
    """Return the command that notes flags in a set, as of now, and forgets those whose raw series are empty."""
    return ("EVAL", SCRIPT, 1, key, RAW_RETENTION_MS, *sorted(flags))
