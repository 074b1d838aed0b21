import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_tower.auth.principal import Role
from tailslide_tower.auth.rights import EVERYTHING, MAX_APP_ROLES, NOTHING, Rights, read_rights

APPS = ("shop", "desk", "till")
roles = st.sampled_from(list(Role))
rights = st.builds(Rights, st.none() | roles, st.dictionaries(st.sampled_from(APPS), roles))


def test_role_in_an_app_adds_to_the_one_over_all() -> None:
    mixed = Rights(Role.EDITOR, {"shop": Role.ADMIN, "desk": Role.VIEWER})
    assert [mixed.in_app(app) for app in APPS] == [Role.ADMIN, Role.EDITOR, Role.EDITOR]
    assert not mixed.may(None, Role.ADMIN)


@given(rights, rights)
def test_narrowed_rights_allow_what_both_allow(one: Rights, other: Rights) -> None:
    both = one.narrowed(other)
    for app in (None, *APPS, "unknown"):
        for role in Role:
            assert both.may(app, role) == (one.may(app, role) and other.may(app, role))
    assert one.covers(both)
    assert other.covers(both)


@given(rights, rights)
def test_covered_rights_lose_nothing_when_they_are_narrowed(one: Rights, other: Rights) -> None:
    if one.covers(other):
        narrowed = other.narrowed(one)
        assert all(narrowed.in_app(app) == other.in_app(app) for app in APPS)


@given(rights)
def test_everything_covers_all_and_nothing_covers_nothing(some: Rights) -> None:
    assert EVERYTHING.covers(some)
    assert NOTHING.covers(some) == (some.role is None and not some.apps)


@given(rights)
def test_rights_come_back_as_they_were_written(some: Rights) -> None:
    written = some.json()
    assert read_rights(some.role, {app: role.value for app, role in some.apps.items()}).json() == written


@pytest.mark.parametrize(
    ("role", "apps", "field"),
    [
        ("owner", {}, "role"),
        (None, {"shop": "owner"}, "apps.shop"),
        (None, {"Shop": "viewer"}, "apps"),
        (None, {f"app{number}": "viewer" for number in range(MAX_APP_ROLES + 1)}, "apps"),
    ],
)
def test_rights_that_are_none_are_refused_by_field(role: str | None, apps: dict[str, str], field: str) -> None:
    with pytest.raises(ContractError) as caught:
        read_rights(role, apps)
    assert caught.value.field == field
