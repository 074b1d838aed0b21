"""Traces of proxied calls, put together. Imported only where they are on, since it needs the extra `tracing`."""

from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from prometheus_client import CollectorRegistry

from tailslide_runtime.tracing.pipeline import Tracing
from tailslide_sidecar.proxy.listener import ProxyListener
from tailslide_sidecar.proxy.traced import CallTraces
from tailslide_sidecar.settings import Settings


def trace_calls(settings: Settings, instance: str, proxy: ProxyListener, registry: CollectorRegistry) -> Tracing:
    """Let a proxy record its calls; return what is to be closed when it has ended."""
    assert settings.traces_url is not None
    named = {"service.instance.id": instance, "tailslide.app": settings.app}
    # Which calls are recorded is decided before there is a span of them.
    tracing = Tracing(settings.traces_url, "tailslide-sidecar", named, ALWAYS_ON)
    calls = CallTraces(
        tracing.provider.get_tracer("tailslide.proxy"), settings.traces_sample_percent, settings.traces_max_calls_per_s
    )
    proxy.new_exchange = calls.exchange
    registry.register(tracing.counts)
    registry.register(calls)
    return tracing
