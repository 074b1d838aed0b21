"""Which traces a publication belongs to: those of the requests that have changed what it publishes."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, set_span_in_context

from tailslide_runtime.tracing.context import recorded

_tracer = trace.get_tracer("tailslide.tower")

_MOST_LINKS = 128
"""OpenTelemetry keeps no more of one span."""


class Causes:
    """Remembers, of changes that wait to be published, in which trace they were made."""

    def __init__(self) -> None:
        self._of: dict[str, SpanContext] = {}

    def note(self, key: str) -> None:
        """Note that what is under a key was changed just now, if that is recorded."""
        context = trace.get_current_span().get_span_context()
        if context.trace_flags.sampled:
            self._of[key] = context

    @contextmanager
    def publishing(self, keys: Iterable[str]) -> Iterator[None]:
        """Record what is done in it as part of the trace of one of the changes, with links to those of the others.

        Where it fails, the next try belongs to these traces as well.
        """
        noted = {key: context for key in keys if (context := self._of.pop(key, None)) is not None}
        contexts = list(noted.values())
        first = set_span_in_context(NonRecordingSpan(contexts[0])) if contexts else None
        links = [Link(context) for context in contexts[1 : _MOST_LINKS + 1]]
        with recorded(_tracer, "publish rulesets", first, links=links):
            try:
                yield
                noted.clear()
            finally:
                self._of = noted | self._of  # what was changed meanwhile has a newer trace
