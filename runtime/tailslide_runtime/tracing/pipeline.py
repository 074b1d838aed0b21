"""From spans that have ended to a collector: batches in memory, a thread that sends them, and an end in time.

All of it is OpenTelemetry's own but for the requests, which are `collector`'s. What is ours is that trouble is told
once and not with each batch, that spans are counted, and that a collector which does not answer holds up neither the
work nor the end of a process. Spans that cannot be sent are lost: nothing of this system depends on them.
"""

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Sampler
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from tailslide_runtime.errors import StartError
from tailslide_runtime.tracing.collector import MOST_OF_A_REASON, CollectorSession

log = structlog.get_logger()

MOST_WAITING = 2_048
"""So many ended spans wait to be sent; the oldest are lost for newer ones."""
BATCH = 128
"""Few, since encoding them keeps the interpreter from other work."""
EVERY_MS = 1_000
TIMEOUT_S = 5.0
"""How long one batch may take, tries included."""
END_S = 1.0
"""How long an ending process waits for the last batches."""


class Tracing:
    """One for the life of a process. `close` sends what is left."""

    def __init__(
        self,
        url: str,
        service: str,
        attributes: Mapping[str, str],
        sampler: Sampler,
        *,
        through: Callable[[SpanProcessor], SpanProcessor] | None = None,
    ) -> None:
        """`service` is the name under which a process shows, `attributes` what else is said of it.

        OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before both. `through` puts a processor before the batches,
        which hands on what is to be sent. Raises `StartError` for what OpenTelemetry refuses of its variables.
        """
        named = {"service.name": service, "service.version": version("tailslide-platform"), **attributes}
        with _variables():
            self._sending = _Sending(url)
            self._batches = BatchSpanProcessor(self._sending, MOST_WAITING, EVERY_MS, BATCH)
            self.counts = SpanCounts(self._batches, self._sending)
            self.provider = TracerProvider(
                sampler=sampler,
                resource=Resource.create().merge(Resource(named)).merge(OTELResourceDetector().detect()),
                shutdown_on_exit=False,
            )
        self.provider.add_span_processor(self.counts if through is None else through(self.counts))

    async def close(self) -> None:
        """Send what is left, or give up after `END_S`."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            self._batches.shutdown()  # type: ignore[no-untyped-call] # has no types
            with suppress(RuntimeError):  # the loop has ended meanwhile, and nobody waits
                loop.call_soon_threadsafe(done.set)

        # Not in the loop's executor, whose threads are waited for at the end, however long they take.
        threading.Thread(target=end, daemon=True, name="last spans").start()
        try:
            await asyncio.wait_for(done.wait(), END_S)
        except TimeoutError:
            log.warning(
                "traces_not_sent", message="the last spans are lost", url=self._sending.url, error="no time left"
            )
        self._sending.shutdown()


@contextmanager
def _variables() -> Iterator[None]:
    """Let OpenTelemetry read its variables, and say what is wrong with them without telling what they are."""
    headers = logging.getLogger("opentelemetry.util.re")  # its lines repeat OTEL_EXPORTER_OTLP_HEADERS, a key in it
    headers.addFilter(_tell_headers)
    try:
        yield
    except ValueError as error:
        raise StartError(f"traces: {error}") from None
    finally:
        headers.removeFilter(_tell_headers)


def _tell_headers(_: logging.LogRecord) -> bool:
    log.warning(
        "traces_headers_refused",
        message="expected OTEL_EXPORTER_OTLP_HEADERS to be name=value, with commas between and values as in a URL",
    )
    return False


class _Sending(SpanExporter):
    """Sends batches, counts what was sent, and tells when it begins and ends to fail."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sent = 0
        self._session = CollectorSession(TIMEOUT_S)
        self._exporter: SpanExporter = OTLPSpanExporter(url, timeout=TIMEOUT_S, session=self._session)
        self._failing = False
        self._ended = False
        self._reason = _Reason()
        # A thread does not know by itself which process its lines are of.
        self._context = contextvars.copy_context()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; called in the thread of the batches."""
        self._session.problem, self._session.rejected = "", 0
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            rejected = min(self._session.rejected, len(spans))
            self.sent += len(spans) - rejected
            failed = rejected > 0
        else:
            failed = True
        if failed is not self._failing and not self._ended:
            self._failing = failed
            self._context.run(self._tell)
        return result

    def _tell(self) -> None:
        if self._failing:
            log.warning(
                "traces_not_sent",
                message="spans are lost until the collector takes them; nothing else depends on it",
                url=self.url,
                error=self._session.problem or self._reason.last,
            )
        else:
            log.info("traces_sent_again", url=self.url)

    def shutdown(self) -> None:
        """End a try that is under way."""
        if not self._ended:
            self._ended = True
            self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return True


class _Reason(logging.Handler):
    """The last line that OpenTelemetry has logged about sending: why a batch was not even sent is nowhere else.

    Its lines go no further: it writes one with each try, and with each span that finds the queue full.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last = "unknown"
        for name in ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal"):
            logger = logging.getLogger(name)
            logger.propagate = False
            logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.last = record.getMessage()[:MOST_OF_A_REASON]


class SpanCounts(SpanProcessor, Collector):
    """Counts the spans that go to the batches, for metrics: those that were never sent are waiting, or lost."""

    def __init__(self, following: SpanProcessor, sending: _Sending) -> None:
        self._following = following
        self._sending = sending
        self._ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Count a span and hand it on."""
        self._ended += 1
        self._following.on_end(span)

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Give both counters."""
        yield CounterMetricFamily("tailslide_traces_spans", "Spans to be sent to the collector", self._ended)
        yield CounterMetricFamily(
            "tailslide_traces_spans_sent", "Spans that the collector has taken", self._sending.sent
        )
