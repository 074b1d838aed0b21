"""Routes on the real thing whose flag says more than yes or no, and whose application reports by itself."""

import base64
import json
import time
from collections.abc import AsyncIterator

import pytest
from proxy_endings import refusing_address
from proxy_load import ask, calls_by_result, get
from sidecar_bench import FLAG, Bench, Sidecar, answer, bench_on, upstream

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.ruleset import CircuitSettings, LocalGuard, Rule, Ruleset
from tailslide_core.variants import Share, ValueType, Variant
from tailslide_embedded.stack import Endpoints

OLD = {"status": 203, "body": "old"}


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


def rule_for(variant: str) -> Rule:
    """Return a rule that gives a variant to whom an attribute names it."""
    return Rule((Condition("wants", Operator.EQUALS, (variant,)),), split=(Share(variant, 1),), name=f"wants-{variant}")


def colours(bench: Bench) -> Ruleset:
    variants = tuple(Variant(key, f"#{key}") for key in ("gray", "blue", "green", "red"))
    return bench.ruleset(
        rollout=0.0,
        type=ValueType.STRING,
        variants=variants,
        off_variant="gray",
        split=(Share("blue", 1),),
        rules=tuple(rule_for(variant.key) for variant in variants),
    )


async def test_each_variant_has_an_upstream_and_the_others_share_the_feature(bench: Bench) -> None:
    await bench.put(colours(bench))
    with refusing_address() as away:
        async with (
            upstream(answer("blue", 500)) as blue,
            upstream(answer("green")) as green,
            upstream(answer("the rest")) as feature,
            upstream(answer("old")) as fallback,
        ):
            sidecar = await bench.start(
                bench.route(
                    feature,
                    fallback,
                    variants={"blue": blue, "green": [away, green], "gray": away, "violet": away},
                    attributes={"wants": {"header": "x-wants"}},
                ),
                access_log={"sample_percent": 100},
            )
            for wants, status, body, active in [
                ("blue", 500, b"blue", "true"),
                ("green", 200, b"green", "true"),
                ("green", 200, b"green", "true"),
                ("red", 200, b"the rest", "true"),
                ("gray", 200, b"old", "false"),
            ]:
                got = await ask(sidecar, get("/", X_Wants=wants))
                assert (got.status, got.body) == (status, body)
                said = f"flag={FLAG}; active={active}; reason=targeting_match; circuit=closed; variant={wants}"
                assert got.header("x-tailslide") == said
            got = await ask(sidecar, get("/"))
            assert (got.body, (got.header("x-tailslide") or "").rpartition("; ")[2]) == (b"old", "variant=gray")
            await bench.until_counted(failure=1, success=3, fallback_success=2, fallback_failure=0)
            assert await calls_by_result(sidecar, "feature") == {"answered": 4}
            routes = (await sidecar.get("/v1/status"))[1]["routes"]
    assert isinstance(routes, list)
    (route,) = routes
    problem = (
        f"the flag {FLAG} has no variant violet (it has blue, gray, green, red), so nothing goes there; "
        f"gray is the off variant of the flag {FLAG}, so its calls go to the fallback"
    )
    assert route["problem"] == problem
    assert route["variants"]["green"] == f"{away}, {green}"
    assert await sidecar.end() == 0
    lines = [json.loads(line) for line in sidecar.log().splitlines()]
    (warning,) = [line for line in lines if line["event"] == "route_variants_unused"]
    assert (warning["fields"], warning["problem"]) == (["routes[0].variants"], problem)
    decisions = [line["decision"] for line in lines if line["event"] == "call"]
    assert [decision.rpartition("; ")[2] for decision in decisions[:2]] == ["variant=blue", "variant=green"]


async def test_the_upstream_of_a_variant_is_made_up_for_and_its_guard_holds(bench: Bench) -> None:
    guard = CircuitSettings(local_guard=LocalGuard(consecutive_failures=2, max_ms=600_000))
    await bench.put(bench.ruleset(circuit=guard))
    with refusing_address() as away:
        async with upstream(answer("new")) as feature, upstream(answer("old")) as fallback:
            sidecar = await bench.start(
                bench.route(feature, fallback, variants={"on": away}, retry_on_fallback="idempotent")
            )
            on = f"flag={FLAG}; active=true; reason=static; circuit=closed; variant=on"
            for added in ("; answered_by=fallback", "; answered_by=fallback", "; guarded=true; answered_by=fallback"):
                got = await ask(sidecar, get("/"))
                assert (got.body, got.header("x-tailslide")) == (b"old", on + added)
            # Neither those that made up for the feature, nor those that were kept away from it, are the fallback's.
            await bench.until_counted(failure=2, success=0, fallback_success=0)


async def test_fixed_answers_are_not_counted_as_the_fallbacks(bench: Bench) -> None:
    await bench.put(bench.ruleset(rollout=0.0))
    async with upstream(answer("old", 500)) as fallback:
        sidecar = await bench.start(
            bench.route("http://127.0.0.1:9", OLD, match={"path": "/fixed"}),
            bench.route("http://127.0.0.1:9", fallback),
        )
        assert (await ask(sidecar, get("/fixed"))).status == 203
        assert (await ask(sidecar, get("/"))).status == 500
        await bench.until_counted(fallback_failure=1, fallback_success=0, failure=0)


async def report(sidecar: Sidecar, *outcomes: dict[str, object]) -> tuple[int, dict[str, object]]:
    async with sidecar.flags() as session, session.post(f"/v1/flags/{FLAG}/outcomes", json=list(outcomes)) as got:
        return got.status, await got.json()


async def test_an_application_may_report_what_became_of_its_calls(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    with refusing_address() as away:
        async with upstream(answer("an error in the body")) as feature, upstream(answer("no", 500)) as failing:
            sidecar = await bench.start(
                bench.route(failing, OLD, match={"path": "/failing"}, outcomes="reported"),
                bench.route(away, OLD, match={"path": "/refused"}, outcomes="reported"),
                bench.route(feature, OLD, outcomes="reported"),
            )
            for path, status in (("/", 200), ("/failing", 500), ("/refused", 502)):
                assert (await ask(sidecar, get(path))).status == status
            await bench.until_counted(failure=1, success=0)
            assert await report(sidecar, {"outcome": "failure"}, {"outcome": "success", "count": 3}) == (
                202,
                {"accepted": 4},
            )
            await bench.until_counted(failure=2, success=3)


async def test_reports_of_calls_from_before_the_circuit_opened_count_for_nothing(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start()
    began_ms = time.time_ns() // 1_000_000
    assert (await report(sidecar, {"outcome": "failure", "began_ms": began_ms}))[0] == 202
    await bench.until_counted(failure=1)
    await bench.put_circuit(Circuit(State.OPEN, 0.0, trips=1, generation=1))
    await sidecar.until_answers(circuit="open")
    await bench.put_circuit(Circuit(State.RECOVERING, 100.0, trips=1, generation=2))
    await sidecar.until_answers(circuit="recovering")
    now_ms = time.time_ns() // 1_000_000
    assert await report(
        sidecar,
        {"outcome": "failure", "count": 7, "began_ms": began_ms},
        {"outcome": "success", "count": 2, "began_ms": now_ms},
        {"outcome": "success"},
    ) == (202, {"accepted": 10})
    await bench.until_counted(failure=1, success=3)
    assert await sidecar.metric("tailslide_sidecar_outcomes_stale_total") == 7
    status, body = await report(sidecar, {"outcome": "failure", "began_ms": now_ms + 3_600_000})
    assert (status, body["error"]["field"]) == (400, "[0].began_ms")  # type: ignore[index] # an object


def bearer(claims: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"Bearer {part({'alg': 'none'})}.{part(claims)}.c2ln"


async def test_groups_of_tokens_and_headers_decide(bench: Bench) -> None:
    groups = Rule((Condition("groups", Operator.IN, ("beta",)),), name="groups")
    teams = Rule((Condition("teams", Operator.IN, ("beta",)),), name="teams")
    await bench.put(bench.ruleset(rollout=0.0, rules=(groups, teams)))
    async with upstream(answer("new")) as feature:
        sidecar = await bench.start(
            bench.route(
                feature,
                OLD,
                attributes={
                    "groups": {"jwt_claim": "realm_access.roles"},
                    "teams": {"header": "x-teams", "split": ","},
                },
            )
        )
        two = get("/", X_Teams="a, b").replace(b"\r\n\r\n", b"\r\nX-Teams: beta\r\n\r\n")
        for request, active in [
            (get("/", Authorization=bearer({"realm_access": {"roles": ["a", "beta"]}})), True),
            (get("/", Authorization=bearer({"realm_access": {"roles": ["a"]}})), False),
            (get("/", Authorization=bearer({"realm_access": {"roles": "a,beta"}})), False),
            (get("/", X_Teams="a, beta"), True),
            (get("/", X_Teams="a, betas"), False),
            (two, True),
            (get("/"), False),
        ]:
            assert ((await ask(sidecar, request)).body == b"new") is active
