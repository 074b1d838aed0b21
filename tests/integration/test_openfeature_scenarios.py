"""OpenFeature's own evaluation scenarios, with its providers as they were published, against a real sidecar.

Flags, questions and results are those of open-feature/spec, `specification/assets/gherkin/evaluation.feature` and
`evaluation_v2.feature`; the words are ours. In every SDK a value alone is that of the details, so we ask for details.
Of the second file we leave out what concerns SDKs alone: hooks, immutability, providers that are not ready. Three
results differ:

- Where no rule matches and all get the same, the reason is `STATIC`: OFREP has no `DEFAULT`.
- A flag that is turned off gives its off variant, not the caller's default.
- A boolean flag that is asked for as an integer is no mismatch for Python's SDK, so nobody is asked that here.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from ofrep_bench import OfrepSidecar, put_all, serve
from ofrep_clients import KINDS, Client, WebClient, connected_clients
from sidecar_bench import bench_on

from tailslide_core.conditions import Condition, Operator
from tailslide_core.ruleset import Metadata, Rule, Ruleset
from tailslide_core.variants import Share, Value, ValueType, Variant
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.stack import Endpoints

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEMPLATE: Value = {"showImages": True, "title": "Three pictures", "imagesPerPage": 100}
EMAIL = "zero@example.com"
METADATA: Metadata = (("string", "1.0.2"), ("integer", 2), ("float", 0.1), ("boolean", True))


def flag(
    app: str,
    key: str,
    value_type: ValueType,
    variants: Mapping[str, Value],
    given: str,
    *,
    active: bool = True,
    rules: tuple[Rule, ...] = (),
    metadata: Metadata = (),
) -> Ruleset:
    """Return a flag that gives everybody one variant, its default one; the off variant is another."""
    return Ruleset(
        app,
        key,
        1,
        active=active,
        rollout=100.0,
        salt=key,
        type=value_type,
        variants=tuple(Variant(name, value) for name, value in variants.items()),
        off_variant=next(name for name in variants if name != given),
        split=(Share(given, 1),),
        rules=rules,
        metadata=metadata,
    )


ZEROS: Mapping[str, tuple[ValueType, Value, Value]] = {
    "boolean": (ValueType.BOOLEAN, False, True),
    "string": (ValueType.STRING, "", "str"),
    "integer": (ValueType.NUMBER, 0, 1),
    "float": (ValueType.NUMBER, 0.0, 1.0),
    "object": (ValueType.OBJECT, {}, TEMPLATE),
}


def flags(app: str) -> list[Ruleset]:
    """Return the flags of the scenarios."""
    on_off: Mapping[str, Value] = {"on": True, "off": False}
    no_customers = Rule((Condition("customer", Operator.EQUALS, (False,)),), 100.0, (Share("internal", 1),), "staff")
    zero_for = Rule((Condition("email", Operator.EQUALS, (EMAIL,)),), 100.0, (Share("zero", 1),), "zero")
    zeros = [
        flag(app, f"{kind}-{name}", value_type, {"zero": zero, "non-zero": other}, "zero", rules=rules)
        for kind, (value_type, zero, other) in ZEROS.items()
        for name, rules in (("zero-flag", ()), ("targeted-zero-flag", (zero_for,)))
    ]
    return [
        flag(app, "boolean-flag", ValueType.BOOLEAN, on_off, "on"),
        flag(app, "string-flag", ValueType.STRING, {"greeting": "hi", "parting": "bye"}, "greeting"),
        flag(app, "integer-flag", ValueType.NUMBER, {"one": 1, "ten": 10}, "ten"),
        flag(app, "float-flag", ValueType.NUMBER, {"tenth": 0.1, "half": 0.5}, "half"),
        flag(app, "object-flag", ValueType.OBJECT, {"empty": {}, "template": TEMPLATE}, "template"),
        flag(
            app,
            "context-aware",
            ValueType.STRING,
            {"internal": "INTERNAL", "external": "EXTERNAL"},
            "external",
            rules=(no_customers,),
        ),
        flag(app, "wrong-flag", ValueType.STRING, {"one": "uno", "two": "dos"}, "one"),
        flag(app, "metadata-flag", ValueType.BOOLEAN, on_off, "on", metadata=METADATA),
        flag(app, "boolean-disabled-flag", ValueType.BOOLEAN, on_off, "on", active=False),
        flag(
            app,
            "string-disabled-flag",
            ValueType.STRING,
            {"greeting": "hi", "parting": "bye"},
            "greeting",
            active=False,
        ),
        *zeros,
    ]


@dataclass(frozen=True)
class Scenario:
    """A question and what comes of it. An error has neither variant nor value: the value is then the default."""

    flag: str
    default: Value
    value: Value
    variant: str | None = None
    reason: str = "STATIC"
    error: str | None = None
    context: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        context = ", ".join(f"{name} {value}" for name, value in self.context.items())
        return f"{self.flag} as {type(self.default).__name__}{' for ' if context else ''}{context}"


def error(flag: str, default: Value, code: str) -> Scenario:
    return Scenario(flag, default, default, reason="ERROR", error=code)


STAFF = {"fn": "Sulisław", "ln": "Świętopełk", "age": 29, "customer": False}
VALUES = [
    Scenario("boolean-flag", False, True, "on"),
    Scenario("string-flag", "bye", "hi", "greeting"),
    Scenario("integer-flag", 1, 10, "ten"),
    Scenario("float-flag", 0.1, 0.5, "half"),
    Scenario("object-flag", {}, TEMPLATE, "template"),
]
OFF = [
    Scenario("boolean-disabled-flag", False, False, "off", "DISABLED"),
    Scenario("string-disabled-flag", "hi", "bye", "parting", "DISABLED"),
]
DEFAULTS: Mapping[str, Value] = {"boolean": True, "string": "hi", "integer": 1, "float": 0.1, "object": {"a": 1}}
ZERO_VALUES = [Scenario(f"{kind}-zero-flag", default, ZEROS[kind][1], "zero") for kind, default in DEFAULTS.items()]
TARGETED = [
    Scenario(
        f"{kind}-targeted-zero-flag",
        default,
        ZEROS[kind][1],
        "zero",
        reason,
        context={} if email == "" else {"email": email},
    )
    for kind, default in DEFAULTS.items()
    for email, reason in ((EMAIL, "TARGETING_MATCH"), ("other@example.com", "STATIC"), (None, "STATIC"), ("", "STATIC"))
]
CONTEXT_AWARE = [
    Scenario("context-aware", "EXTERNAL", "INTERNAL", "internal", "TARGETING_MATCH", context=STAFF),
    Scenario("context-aware", "default", "EXTERNAL", "external"),
    Scenario("context-aware", "default", "EXTERNAL", "external", context={**STAFF, "customer": True}),
    Scenario(
        "context-aware",
        "false",
        "INTERNAL",
        "internal",
        "TARGETING_MATCH",
        context={"email": EMAIL, "role": "admin", "age": 65, "customer": False},
    ),
]
NOT_FOUND = [error("missing-flag", default, "FLAG_NOT_FOUND") for default in ("uh-oh", False, 1, 0.1, {"a": 1})]
MISMATCHES = [
    error("wrong-flag", 13, "TYPE_MISMATCH"),
    error("boolean-flag", "bye", "TYPE_MISMATCH"),
    error("boolean-flag", 0.1, "TYPE_MISMATCH"),
    error("string-flag", False, "TYPE_MISMATCH"),
    error("string-flag", 1, "TYPE_MISMATCH"),
    error("string-flag", {}, "TYPE_MISMATCH"),
]
SCENARIOS = [*VALUES, *OFF, *ZERO_VALUES, *TARGETED, *CONTEXT_AWARE, *NOT_FOUND]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sidecar(servers: Endpoints) -> AsyncIterator[OfrepSidecar]:
    async with bench_on(servers.nats_url, servers.redis_url) as bench:
        await put_all(bench, flags(bench.app), {})
        yield await serve(bench, any_free_port())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(sidecar: OfrepSidecar) -> AsyncIterator[Mapping[str, Client]]:
    async with connected_clients(sidecar.url) as connected:
        yield connected


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, clients: Mapping[str, Client]) -> Client:
    return clients[request.param]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_evaluation(client: Client, scenario: Scenario) -> None:
    if isinstance(client, WebClient):
        await client.set_context(**scenario.context)  # an empty one as well: that of the scenario before is gone
    given = await client.details(scenario.flag, scenario.default, **scenario.context)

    assert (given.value, given.variant, given.reason, given.error) == (
        scenario.value,
        scenario.variant,
        scenario.reason,
        scenario.error,
    )


@pytest.mark.parametrize("scenario", MISMATCHES, ids=str)
async def test_another_type(client: Client, scenario: Scenario) -> None:
    """Whether the details still name the variant is the SDK's affair."""
    given = await client.details(scenario.flag, scenario.default)

    assert (given.value, given.reason, given.error) == (scenario.value, "ERROR", "TYPE_MISMATCH")


async def test_flag_metadata(client: Client) -> None:
    given = await client.details("metadata-flag", True)
    assert given.metadata == {**dict(METADATA), "stale": False, "active": True, "version": 1}
