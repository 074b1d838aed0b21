"""What a sidecar may do in Redis: the user of its app, its rights, and what the server's list of users says. Pure.

The SDK keys of an app are the passwords of its user. Setting users is `redis_users`; the lines for a Redis whose users
are set by hand are in `docs/redis.md`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tailslide_core.naming import is_app_key
from tailslide_core.sdk_keys import SdkKeyRecord

USER_PREFIX = "tailslide.sidecar."

SIDECAR_COMMANDS = (
    "ts.madd",
    "ts.create",
    "ts.alter",
    "ts.get",
    "sadd",
    "del",
    "time",
    "watch",
    "unwatch",
    "multi",
    "exec",
    "ping",
    "select",
    "client|setinfo",
)
"""All that a sidecar sends, its client's greeting included. Not among them: rules between series, of whose two keys
Redis checks only one, scripts, and whatever reads or lists keys without naming them."""


def user_of(app: str) -> str:
    """Return the name of the user that an app's sidecars log in as."""
    return f"{USER_PREFIX}{app}"


def app_of_user(name: str) -> str | None:
    """Return the app whose sidecars log in as this user; None for a user that is not ours."""
    app = name.removeprefix(USER_PREFIX)
    return app if app != name and is_app_key(app) else None


def rules_of(app: str, hashes: Iterable[str]) -> tuple[str, ...]:
    """Return what follows `ACL SETUSER <user>`; `hashes` are those of the app's keys."""
    return (
        "reset",
        "on",
        *(f"#{each}" for each in sorted(hashes)),
        f"~ts:{{{app}}}:*",
        "-@all",
        *(f"+{command}" for command in SIDECAR_COMMANDS),
    )


def hashes_by_app(records: Iterable[SdkKeyRecord]) -> dict[str, frozenset[str]]:
    """Return the passwords that each app's user is to have."""
    found: dict[str, set[str]] = {}
    for record in records:
        found.setdefault(record.app, set()).add(record.hash)
    return {app: frozenset(hashes) for app, hashes in found.items()}


@dataclass(frozen=True, slots=True)
class ListedUser:
    """A user of ours as the server lists it; `line` changes with anything about it."""

    app: str
    line: str
    hashes: frozenset[str]

    def __repr__(self) -> str:
        return f"<ListedUser of {self.app}, {len(self.hashes)} keys>"


def read_users(lines: Iterable[str]) -> dict[str, ListedUser]:
    """Return our users, by app, from the answer to `ACL LIST`."""
    found: dict[str, ListedUser] = {}
    for line in lines:
        words = line.split(" ")
        if len(words) < 2 or (app := app_of_user(words[1])) is None:
            continue
        hashes = frozenset(word[1:] for word in words[2:] if word.startswith("#"))
        found[app] = ListedUser(app, line, hashes)
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done about one app's user.

    `hashes` are the passwords that it is to have; None: it is to be deleted. `cut`: its connections are to be closed,
    as somebody may be connected by a key that is good no more.
    """

    app: str
    hashes: frozenset[str] | None
    cut: bool

    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Return the commands, to be carried out in one transaction."""
        user = user_of(self.app)
        if self.hashes is None:
            return (("ACL", "DELUSER", user),)  # closes its connections
        setting = ("ACL", "SETUSER", user, *rules_of(self.app, self.hashes))
        return (setting, ("CLIENT", "KILL", "USER", user)) if self.cut else (setting,)


def changes(
    wanted: Mapping[str, frozenset[str]],
    listed: Mapping[str, ListedUser],
    settled: Mapping[str, str],
    spared: frozenset[str] = frozenset(),
    *,
    only_missing: bool = False,
) -> list[Change]:
    """Return what makes a server's users those that are wanted, revocations first.

    `only_missing`: who asks may not know the latest keys, so users that are there are left to those who do.

    `settled` has the line of each user as the server showed it after it was last set: a user whose line is another one
    is set again, whoever changed it. `spared` are apps of which not all keys could be read: their users keep the
    passwords that they have.
    """
    if only_missing:
        return [Change(app, hashes, cut=False) for app, hashes in sorted(wanted.items()) if app not in listed]
    found = [Change(app, None, cut=True) for app in listed.keys() - wanted.keys() - spared]
    for app, hashes in wanted.items():
        user = listed.get(app)
        if user is None:
            found.append(Change(app, hashes, cut=False))
            continue
        kept = hashes | user.hashes if app in spared else hashes
        if user.hashes != kept or settled.get(app) != user.line:
            found.append(Change(app, kept, cut=bool(user.hashes - kept)))
    return sorted(found, key=lambda change: (not change.cut, change.app))
