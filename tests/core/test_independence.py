"""How users are spread, over fixed keys: weights are met, and no hash says anything of another.

The keys are fixed, so each test gives the same result every time. Bounds are such that a fair hash would hardly ever be
outside them, whatever the keys.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from scipy.stats import binom, chi2_contingency, chisquare

from tailslide_core.circuit import Circuit, State
from tailslide_core.evaluation import Context, evaluate
from tailslide_core.flag_set import FlagSet
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_core.variants import Share, Split, ValueType, Variant, variant_for

USERS = [f"user-{number}" for number in range(20_000)]
CHANCE = 1e-6
"""How likely a fair hash would be outside the bounds, for one set of keys."""
VARIANTS = tuple(Variant(key, key.upper()) for key in ("a", "b", "c", "off"))
THIRDS: Split = (Share("a", 1), Share("b", 1), Share("c", 1))


def flag(key: str = "f", salt: str | None = None, **changes: Any) -> Ruleset:
    fields: dict[str, Any] = {"rollout": 100.0, "split": THIRDS, "circuit": CircuitSettings(), **changes}
    return Ruleset(
        "shop", key, 1, True, salt=salt or key, type=ValueType.STRING, variants=VARIANTS, off_variant="off", **fields
    )


def given(*flags: Ruleset, **circuits: Circuit) -> Callable[[str, str], str | None]:
    """Return what says which variant of a flag a user gets."""
    app = FlagSet({each.key: each for each in flags}, circuits)
    return lambda key, user: evaluate(key, app, Context(user)).variant


def assert_share(count: int, of: int, share: float) -> None:
    low, high = binom.interval(1 - CHANCE, of, share)
    assert low <= count <= high, (count, of, share)


def assert_independent(pairs: Sequence[tuple[object, object]]) -> None:
    """Assert that the first says nothing of the second, by Pearson's chi-squared test of a contingency table."""
    counts = Counter(pairs)
    rows, columns = sorted({a for a, _ in pairs}, key=str), sorted({b for _, b in pairs}, key=str)
    assert len(rows) > 1 < len(columns)
    table = [[counts[row, column] for column in columns] for row in rows]
    assert chi2_contingency(table).pvalue > CHANCE, table


@pytest.mark.parametrize(
    "weights", [(1, 1), (1, 2), (1, 1, 1), (90, 10), (50, 30, 20), (1, 0, 1), (1, 99), (999_999, 1), (7, 11, 13)]
)
@pytest.mark.parametrize("salt", ["new-checkout", "theme", ""])
def test_weights_are_met_within_sampling_error(weights: tuple[int, ...], salt: str) -> None:
    split = tuple(Share(variant.key, weight) for variant, weight in zip(VARIANTS, weights, strict=False))
    counts = Counter(variant_for(split, salt, user) for user in USERS)
    total = sum(weights)
    for share in split:
        assert_share(counts[share.variant], len(USERS), share.weight / total)
    likely = [share for share in split if share.weight]
    observed = [counts[share.variant] for share in likely]
    assert chisquare(observed, [len(USERS) * share.weight / total for share in likely]).pvalue > CHANCE


@pytest.mark.parametrize("rollout", [1.0, 25.0, 50.0, 99.0])
@pytest.mark.parametrize("percentage", [100.0, 10.0])
def test_those_who_are_in_are_split_by_the_weights_at_every_rollout(rollout: float, percentage: float) -> None:
    variant_of = given(flag(rollout=rollout), f=Circuit(State.RECOVERING, percentage, trips=1))
    counts = Counter(variant_of("f", user) for user in USERS)
    let_in = len(USERS) - counts["off"]
    assert_share(let_in, len(USERS), rollout * percentage / 10_000)
    for variant in "abc":
        assert_share(counts[variant], let_in, 1 / 3)


def test_a_flag_s_split_says_nothing_of_its_rollout() -> None:
    half = given(flag(rollout=50.0))
    whole = given(flag())
    assert_independent([(half("f", user) == "off", whole("f", user)) for user in USERS])


@pytest.mark.parametrize(
    "salts", [("f", "g"), ("a", "b"), ("new-checkout", "new-checkout-2"), ("f", "f.g"), ("x", "X")]
)
def test_flags_choose_their_users_and_variants_independently(salts: tuple[str, str]) -> None:
    one, other = (flag(key, salt, rollout=50.0) for key, salt in zip(("one", "other"), salts, strict=True))
    variant_of = given(one, other)
    assert_independent([(variant_of("one", user), variant_of("other", user)) for user in USERS])
    assert_independent([(variant_of("one", user) == "off", variant_of("other", user) == "off") for user in USERS])


@pytest.mark.parametrize("salt", ["f:split", "f", "split"])
def test_another_flag_s_rollout_is_no_split_of_this_one_but_by_its_salt(salt: str) -> None:
    """The salt `f:split` makes a flag's rollout of the hash that splits the flag `f`. It has to be asked for."""
    variant_of = given(flag("f"), flag("other", salt, rollout=50.0))
    pairs = [(variant_of("f", user), variant_of("other", user) == "off") for user in USERS]
    if salt == "f:split":
        with pytest.raises(AssertionError):
            assert_independent(pairs)
    else:
        assert_independent(pairs)


def test_flags_of_one_salt_choose_the_same_users_which_is_what_it_is_for() -> None:
    variant_of = given(flag("one", "shared", rollout=20.0), flag("other", "shared", rollout=50.0))
    for user in USERS[:2_000]:
        if variant_of("one", user) != "off":
            assert variant_of("one", user) == variant_of("other", user)


def test_nobody_changes_variants_while_a_rollout_rises_and_a_circuit_recovers() -> None:
    whole = given(flag())
    users = USERS[:1_000]
    final = {user: whole("f", user) for user in users}
    steps = [
        *((rollout, 100.0) for rollout in (0.1, 1.0, 5.0, 25.0, 50.0, 99.0, 100.0)),
        *((100.0, percentage) for percentage in (1.0, 10.0, 33.3, 80.0, 100.0)),
    ]
    let_in: set[str] = set()
    for number, (rollout, percentage) in enumerate(steps):
        variant_of = given(flag(rollout=rollout), f=Circuit(State.RECOVERING, percentage, trips=1))
        now = {user for user in users if variant_of("f", user) != "off"}
        assert all(variant_of("f", user) == final[user] for user in now)
        assert let_in <= now or number == 7, "the circuit's trip is the one step down"
        let_in = now
    assert let_in == set(users)
