from hypothesis import given
from hypothesis import strategies as st

from tailslide_tower.auth.principal import ENVIRONMENT, SYSTEM, Principal, PrincipalKind, Role

roles = st.none() | st.sampled_from(Role)


def somebody(role: Role | None = None, **roles: Role) -> Principal:
    return Principal(PrincipalKind.USER, "1", "ada@example.org", role, roles)


def test_role_of_an_app_adds_to_the_one_over_all_apps() -> None:
    ada = somebody(Role.VIEWER, shop=Role.EDITOR)
    assert ada.may(Role.EDITOR, "shop")
    assert not ada.may(Role.EDITOR, "bank")
    assert ada.may(Role.VIEWER, "bank")
    assert not ada.may(Role.EDITOR)


def test_smaller_role_of_an_app_takes_nothing_away() -> None:
    assert somebody(Role.ADMIN, shop=Role.VIEWER).may(Role.ADMIN, "shop")


def test_apps_with_a_role() -> None:
    ada = somebody(shop=Role.EDITOR, bank=Role.VIEWER)
    assert ada.apps_with(Role.VIEWER) == frozenset({"shop", "bank"})
    assert ada.apps_with(Role.EDITOR) == frozenset({"shop"})
    assert ada.apps_with(Role.ADMIN) == frozenset()
    assert ENVIRONMENT.apps_with(Role.ADMIN) is None
    assert not SYSTEM.may_anywhere(Role.VIEWER)


@given(roles, st.dictionaries(st.sampled_from(["shop", "bank"]), st.sampled_from(Role)), st.sampled_from(["shop", "x"]))
def test_who_may_do_more_may_do_less(role: Role | None, apps: dict[str, Role], app: str) -> None:
    who = somebody(role, **apps)
    allowed = [who.may(each, app) for each in Role]
    assert allowed == sorted(allowed, reverse=True)
    for each in Role:
        reached = who.apps_with(each)
        assert who.may(each, app) == (reached is None or app in reached)
