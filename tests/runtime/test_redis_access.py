"""The user of an app in Redis, and what makes a server's users those of the keys."""

from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.sdk_keys import SdkKey
from tailslide_runtime.redis_access import (
    Change,
    ListedUser,
    app_of_user,
    changes,
    hashes_by_app,
    read_users,
    rules_of,
    user_of,
)

OLD, NEW = "a" * 64, "b" * 64


def listed(app: str, *hashes: str) -> ListedUser:
    words = ["user", user_of(app), "on", *(f"#{each}" for each in hashes), f"~ts:{{{app}}}:*", "-@all"]
    return read_users([" ".join(words)])[app]


def settled(*users: ListedUser) -> dict[str, str]:
    return {user.app: user.line for user in users}


def test_a_user_names_its_app() -> None:
    assert user_of("shop") == "tailslide.sidecar.shop"
    assert app_of_user("tailslide.sidecar.shop") == "shop"
    assert [app_of_user(name) for name in ("default", "sidecar.shop", "tailslide.sidecar.", "tailslide.sidecar.A")] == [
        None
    ] * 4


def test_a_users_rights_end_at_its_app() -> None:
    rules = rules_of("shop", [NEW, OLD])
    assert rules[:4] == ("reset", "on", f"#{OLD}", f"#{NEW}")
    assert [rule for rule in rules if rule[0] == "~"] == ["~ts:{shop}:*"]
    assert not {"+eval", "+fcall", "+ts.createrule", "+ts.mget", "+ts.mrange", "+acl", "+keys"} & set(rules)
    assert not any(rule.startswith(("+@", "allkeys", "allcommands", "&", "%")) for rule in rules)


def test_all_keys_of_an_app_are_passwords_of_one_user() -> None:
    keys = [SdkKey("shop", "aaaaaa", "x" * 32), SdkKey("shop", "bbbbbb", "x" * 32), SdkKey("pay", "cccccc", "x" * 32)]
    found = hashes_by_app(key.record for key in keys)
    assert {app: len(hashes) for app, hashes in found.items()} == {"shop": 2, "pay": 1}


def test_other_users_of_the_server_are_not_ours() -> None:
    lines = [f"user default on #{OLD} ~* &* +@all", "user sidecar.shop on nopass", "user", "", listed("shop", NEW).line]
    assert read_users(lines) == {"shop": listed("shop", NEW)}


def test_a_missing_user_is_made_and_cuts_nobody() -> None:
    (change,) = changes({"shop": frozenset({NEW})}, {}, {})
    assert change == Change("shop", frozenset({NEW}), cut=False)
    assert change.commands() == (("ACL", "SETUSER", user_of("shop"), *rules_of("shop", [NEW])),)


def test_a_user_without_keys_is_deleted() -> None:
    (change,) = changes({}, {"shop": listed("shop", OLD)}, {})
    assert change.commands() == (("ACL", "DELUSER", user_of("shop")),)


def test_a_revoked_key_cuts_the_connections_of_its_user_and_a_new_one_does_not() -> None:
    user = listed("shop", OLD)
    (revoked,) = changes({"shop": frozenset({NEW})}, {"shop": user}, settled(user))
    assert revoked.commands()[1] == ("CLIENT", "KILL", "USER", user_of("shop"))
    (added,) = changes({"shop": frozenset({NEW, OLD})}, {"shop": user}, settled(user))
    assert len(added.commands()) == 1


def test_a_user_that_is_as_we_have_set_it_is_left_and_any_other_is_set_again() -> None:
    user, wanted = listed("shop", OLD), {"shop": frozenset({OLD})}
    assert changes(wanted, {"shop": user}, settled(user)) == []
    assert changes(wanted, {"shop": user}, {}) == [Change("shop", frozenset({OLD}), cut=False)]
    tampered = read_users([f"{user.line} ~*"])["shop"]
    assert changes(wanted, {"shop": tampered}, settled(user)) == [Change("shop", frozenset({OLD}), cut=False)]


def test_an_app_whose_keys_cannot_all_be_read_keeps_the_passwords_that_it_has() -> None:
    shop, pay = listed("shop", OLD), listed("pay", OLD)
    spared = frozenset({"shop", "pay"})
    found = changes({"shop": frozenset({NEW})}, {"shop": shop, "pay": pay}, settled(shop, pay), spared)
    assert found == [Change("shop", frozenset({OLD, NEW}), cut=False)]


def test_who_may_not_know_the_latest_keys_sets_only_users_that_are_missing() -> None:
    there = {"shop": listed("shop", OLD), "new": listed("new", OLD)}
    wanted = {"shop": frozenset({NEW}), "pay": frozenset({NEW})}
    assert changes(wanted, there, {}, only_missing=True) == [Change("pay", frozenset({NEW}), cut=False)]


hashes = st.frozensets(st.sampled_from([letter * 64 for letter in "abcd"]), min_size=1)
users = st.dictionaries(st.sampled_from(["shop", "pay", "a_b", "x"]), hashes)


@given(users, users)
def test_changes_make_the_users_those_that_are_wanted(
    wanted: dict[str, frozenset[str]], there: dict[str, frozenset[str]]
) -> None:
    before = {app: listed(app, *sorted(each)) for app, each in there.items()}
    after = dict(there)
    for change in changes(wanted, before, settled(*before.values())):
        lost = there.get(change.app, frozenset()) - (change.hashes or frozenset())
        assert change.cut == bool(lost)
        after.pop(change.app, None)
        if change.hashes is not None:
            after[change.app] = change.hashes
    assert after == wanted
