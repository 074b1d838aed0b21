"""One operation of an OpenAPI description, tried out within a test with whatever schemathesis can think of.

`schema.parametrize()` works out thousands of requests while tests are collected: in each worker of each run, for ten
seconds. Here that happens in the test that sends them, and operations are parameters like others, with names of their
own, by which workers tell tests apart. (schemathesis's own lazy form breaks with pytest 9.)
"""

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from schemathesis import BaseSchema
from schemathesis.checks import load_all_checks
from schemathesis.core.result import Err
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.schemas import APIOperation


def _operations(schema: BaseSchema) -> "Iterator[APIOperation[Any, Any, Any, Any]]":
    for found in schema.get_all_operations():
        if isinstance(found, Err):
            raise found.err()
        yield found.ok()


def operation_ids(schema: BaseSchema) -> Iterator[str]:
    """Yield the names of all operations, in their order."""
    yield from (operation.definition.raw["operationId"] for operation in _operations(schema))


def try_operation(schema: BaseSchema, operation_id: str, check: Callable[[Any], None], *, examples: int) -> None:
    """Send the description's own examples, all that covers its schemas, and so many requests by chance.

    `check` is handed each `schemathesis.Case`.
    """
    (operation,) = _operations(schema.include(operation_id=operation_id))
    load_all_checks()

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    def is_as_described(case: Any) -> None:
        check(case)

    config = HypothesisTestConfig(project=schema.config, modes=list(HypothesisTestMode))
    create_test(operation=operation, test_func=is_as_described, config=config)()
