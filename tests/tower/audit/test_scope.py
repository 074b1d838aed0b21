"""Who may see which entry of the log."""

import pytest

from tailslide_tower.audit.queries import Scope
from tailslide_tower.auth.principal import Principal, PrincipalKind, Role

VIEWER = Principal(PrincipalKind.USER, "1", "viewer", Role.VIEWER)
ADMIN = Principal(PrincipalKind.USER, "2", "admin", Role.ADMIN)
OF_SHOP = Principal(PrincipalKind.USER, "3", "of shop", roles={"shop": Role.VIEWER})
ADMIN_OF_SHOP = Principal(PrincipalKind.USER, "4", "admin of shop", roles={"shop": Role.ADMIN})


@pytest.mark.parametrize(
    ("kind", "app", "seen_by"),
    [
        ("flag", "shop", [VIEWER, ADMIN, OF_SHOP, ADMIN_OF_SHOP]),
        ("flag", "clinic", [VIEWER, ADMIN]),
        ("user", None, [ADMIN]),
        ("system", None, [VIEWER, ADMIN]),
        ("user", "shop", [ADMIN, ADMIN_OF_SHOP]),
    ],
)
def test_an_entry_is_seen_by_whom_it_concerns(kind: str, app: str | None, seen_by: list[Principal]) -> None:
    everybody = [VIEWER, ADMIN, OF_SHOP, ADMIN_OF_SHOP]
    assert [each for each in everybody if Scope.of(each).sees(kind, app)] == seen_by
