"""What the metrics of all processes share: a registry to begin with, and the text that Prometheus reads.

Names follow the conventions of OpenMetrics: units in the name, `_total` for what only grows, `_info` for texts. Each
process's metrics are its own.
"""

from importlib.metadata import version

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""The content type of `exposition`, with its parameters."""

# A `_created` series beside each counter says only when the process began, which `process_start_time_seconds` says.
disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client has no types here


def new_registry(process: str, **labels: str) -> CollectorRegistry:
    """Return a registry with what is known of any process: memory, time, files, and `tailslide_<process>_info`.

    `labels` are further texts of the info.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    Info(f"tailslide_{process}", f"What this {process} is.", registry=registry).info(
        {"version": version("tailslide-platform"), **labels}
    )
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """Return all metrics of a registry in the Prometheus text format."""
    return generate_latest(registry)
