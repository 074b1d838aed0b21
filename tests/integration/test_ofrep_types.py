"""Flags of every type, asked for by OpenFeature's official OFREP providers, unmodified: what applications are told.

How the providers hear of changes, tokens and sidecars that are away is in `test_ofrep_providers`.
"""

from collections.abc import AsyncIterator, Mapping

import ofrep_clients
import pytest
import pytest_asyncio
import typed_flags
from ofrep_bench import OfrepSidecar, put_all, serve
from ofrep_clients import Client, Details, connected_clients
from sidecar_bench import bench_on
from typed_flags import ALLOWED, DENIED, KINDS, MEMBER, OWN, Case, user_who_gets, user_with_half

from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.stack import Endpoints

pytestmark = pytest.mark.asyncio(loop_scope="module")

GERMAN = {"country": "DE"}
PAYER = {"plan": "pro"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sidecar(servers: Endpoints) -> AsyncIterator[OfrepSidecar]:
    async with bench_on(servers.nats_url, servers.redis_url) as bench:
        await put_all(bench, typed_flags.rulesets(bench.app), typed_flags.circuits(), typed_flags.segments(bench.app))
        yield await serve(bench, any_free_port())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(sidecar: OfrepSidecar) -> AsyncIterator[Mapping[str, Client]]:
    async with connected_clients(sidecar.url, targetingKey=ALLOWED) as connected:
        yield connected


@pytest.fixture(params=ofrep_clients.KINDS)
def client(request: pytest.FixtureRequest, clients: Mapping[str, Client]) -> Client:
    return clients[request.param]


def told(kind: str, variant: str, reason: str, **metadata: object) -> Details:
    ours = {"stale": False, "active": variant != "none", "version": 1}
    return Details(KINDS[kind].value(variant), reason, variant, None, {**OWN, **ours, **metadata})


def off(kind: str, by: str, **metadata: object) -> Details:
    return told(kind, "none", "DISABLED", disabled_by=by, **metadata)


def failed(default: object, error: str) -> Details:
    return Details(default, "ERROR", None, error)


async def ask(client: Client, kind: str, case: Case, user: str, **attributes: object) -> Details:
    return await client.details(typed_flags.key(kind, case), KINDS[kind].default, targetingKey=user, **attributes)


@pytest.mark.parametrize("kind", KINDS)
async def test_value_variant_reason_and_metadata_of_each_type(client: Client, kind: str) -> None:
    assert await ask(client, kind, Case.STATIC, ALLOWED) == told(kind, "one", "STATIC")

    split = typed_flags.key(kind, Case.SPLIT)
    for variant in ("one", "other"):
        user = user_who_gets(split, variant)
        assert await ask(client, kind, Case.SPLIT, user) == told(kind, variant, "SPLIT")

    half = typed_flags.key(kind, Case.HALF)
    assert await ask(client, kind, Case.HALF, user_with_half(half, inside=True)) == told(kind, "one", "SPLIT")
    assert await ask(client, kind, Case.HALF, user_with_half(half, inside=False)) == told(kind, "none", "SPLIT")
    assert await ask(client, kind, Case.HALF, ALLOWED) == told(kind, "one", "TARGETING_MATCH")
    assert await ask(client, kind, Case.HALF, DENIED) == told(kind, "none", "TARGETING_MATCH")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_rule_that_matches_is_named(client: Client, kind: str) -> None:
    flag = typed_flags.key(kind, Case.RULES)
    inside, outside = user_with_half(flag, inside=True), user_with_half(flag, inside=False)

    german = await ask(client, kind, Case.RULES, outside, **GERMAN, **PAYER)
    assert german == told(kind, "other", "TARGETING_MATCH", rule="germans")
    assert await ask(client, kind, Case.RULES, inside, **PAYER) == told(kind, "one", "SPLIT", rule="2")
    assert await ask(client, kind, Case.RULES, outside, **PAYER) == told(kind, "none", "SPLIT", rule="2")
    assert await ask(client, kind, Case.RULES, outside, country="FR") == told(kind, "one", "STATIC")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_segment_decides_as_a_rule_does(client: Client, kind: str) -> None:
    member = await ask(client, kind, Case.SEGMENT, MEMBER)
    assert member == told(kind, "other", "TARGETING_MATCH", rule="staff")
    assert await ask(client, kind, Case.SEGMENT, ALLOWED) == told(kind, "one", "STATIC")


@pytest.mark.parametrize("kind", KINDS)
async def test_half_of_a_character_costs_only_what_it_says(client: Client, kind: str) -> None:
    """Every client sends it, escaped, and it is no text."""
    static = await ask(client, kind, Case.RULES, "user-\ud800", country="\ud800")
    assert static == told(kind, "one", "STATIC")
    german = await ask(client, kind, Case.RULES, "user-\ud800", country="DE", city="\ud800")
    assert german == told(kind, "other", "TARGETING_MATCH", rule="germans")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_off_says_what_has_turned_it_off(client: Client, kind: str) -> None:
    open_flag = typed_flags.key(kind, Case.OPEN)

    assert await ask(client, kind, Case.INACTIVE, ALLOWED) == off(kind, "flag")
    assert await ask(client, kind, Case.OPEN, ALLOWED) == off(kind, "circuit", circuit="open")
    assert await ask(client, kind, Case.DEPENDENT, ALLOWED) == off(
        kind, "prerequisite", prerequisite=open_flag, prerequisite_reason="CIRCUIT_OPEN"
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_a_caller_without_a_key_gets_an_answer_where_none_is_needed(client: Client, kind: str) -> None:
    for nobody in ({"targetingKey": ""}, GERMAN):
        static = await client.details(typed_flags.key(kind, Case.STATIC), KINDS[kind].default, **nobody)
        assert static == told(kind, "one", "STATIC")
    german = await client.details(typed_flags.key(kind, Case.RULES), KINDS[kind].default, **GERMAN)
    assert german == told(kind, "other", "TARGETING_MATCH", rule="germans")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_caller_without_a_key_gets_the_default_where_one_decides(client: Client, kind: str) -> None:
    default = KINDS[kind].default
    missing = failed(default, "TARGETING_KEY_MISSING")

    for case in (Case.SPLIT, Case.HALF):
        for nobody in ({"targetingKey": ""}, PAYER):
            assert await client.details(typed_flags.key(kind, case), default, **nobody) == missing
    assert await client.details(typed_flags.key(kind, Case.RULES), default, **PAYER) == missing


@pytest.mark.parametrize("kind", KINDS)
async def test_a_caller_without_a_key_is_kept_out_while_a_circuit_recovers(client: Client, kind: str) -> None:
    """An error would let callers whose default is "on" in, past the ramp."""
    flag = typed_flags.key(kind, Case.RECOVERING)

    for nobody in ({"targetingKey": ""}, PAYER):
        keyless = await client.details(flag, KINDS[kind].default, **nobody)
        assert keyless == off(kind, "circuit", circuit="recovering")
    inside = await ask(client, kind, Case.RECOVERING, user_with_half(flag, inside=True))
    outside = await ask(client, kind, Case.RECOVERING, user_with_half(flag, inside=False))
    assert inside == told(kind, "one", "SPLIT", circuit="recovering")
    assert outside == told(kind, "none", "SPLIT", circuit="recovering")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_flag_that_there_is_not_is_the_default(client: Client, kind: str) -> None:
    default = KINDS[kind].default

    for unknown in ("nothing", f"{kind}.static"):
        assert await client.details(unknown, default, targetingKey=ALLOWED) == failed(default, "FLAG_NOT_FOUND")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_question_of_another_type_is_the_default(client: Client, kind: str) -> None:
    for other in KINDS.values():
        # Python's SDK takes true and false for integers.
        if other.type is KINDS[kind].type or (kind == "boolean" and type(other.default) is int):
            continue
        given = await ask_as(client, kind, other.default)
        assert (given.value, given.reason, given.variant, given.error) == (
            other.default,
            "ERROR",
            given.variant,
            "TYPE_MISMATCH",
        )


async def ask_as(client: Client, kind: str, default: object) -> Details:
    return await client.details(typed_flags.key(kind, Case.STATIC), default, targetingKey=ALLOWED)


@pytest.mark.parametrize("kind", ["integer", "float"])
async def test_integers_and_floats_are_two_types_for_python_alone(clients: Mapping[str, Client], kind: str) -> None:
    other = {"integer": 0.25, "float": 4}[kind]

    for name, client in clients.items():
        given = await ask_as(client, kind, other)
        if name == "python":
            assert (given.value, given.error) == (other, "TYPE_MISMATCH")
        else:
            assert given == told(kind, "one", "STATIC")


async def test_a_boolean_is_an_integer_for_python_alone(clients: Mapping[str, Client]) -> None:
    for name, client in clients.items():
        given = await ask_as(client, "boolean", 3)
        expected = (True, None) if name == "python" else (3, "TYPE_MISMATCH")
        assert (given.value, given.error) == expected


async def test_a_whole_number_among_floats_is_a_float(clients: Mapping[str, Client]) -> None:
    """Else Python's SDK would give some users the default, by which variant they get."""
    flag = typed_flags.key("float", Case.SPLIT)
    given = await ask(clients["python"], "float", Case.SPLIT, user_who_gets(flag, "other"))
    assert (given.value, type(given.value), given.error) == (2.0, float, None)
