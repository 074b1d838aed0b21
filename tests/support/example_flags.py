"""The two flags that the examples of all pages ask for, on a real sidecar."""

from dataclasses import replace

from ofrep_bench import OfrepSidecar, put_all, serve
from sidecar_bench import Bench

from tailslide_core.conditions import Condition, Operator
from tailslide_core.ruleset import CircuitSettings, Rule, Ruleset
from tailslide_core.variants import Share, ValueType, Variant
from tailslide_embedded.addresses import any_free_port

CHECKOUT = "new-checkout"
"""On in Germany, off elsewhere, with a circuit."""
COLOR = "button-color"
"""A green button for everybody; the off variant is blue."""


async def serve_examples(bench: Bench, token: str | None = None) -> OfrepSidecar:
    """Run a sidecar with both flags."""
    off = Ruleset(bench.app, CHECKOUT, 1, active=True, rollout=0.0, salt=CHECKOUT, circuit=CircuitSettings())
    color = Ruleset(
        bench.app,
        COLOR,
        1,
        active=True,
        rollout=100.0,
        salt=COLOR,
        type=ValueType.STRING,
        variants=(Variant("blue", "blue"), Variant("green", "green")),
        off_variant="blue",
        split=(Share("green", 1),),
    )
    germany = Rule((Condition("country", Operator.IN, ("DE",)),), 100.0)
    await put_all(bench, [replace(off, rules=(germany,)), color], {})
    return await serve(bench, any_free_port(), token=token)
