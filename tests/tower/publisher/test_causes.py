"""Which traces a publication belongs to."""

import asyncio
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from tailslide_tower.publisher import causes
from tailslide_tower.publisher.causes import Causes


class Scene:
    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self.exporter, provider = InMemorySpanExporter(), TracerProvider(sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("test")
        self.causes = Causes()

    def change(self, key: str) -> int:
        """Change something in a request; return its trace."""
        with self.tracer.start_as_current_span("request") as span:
            self.causes.note(key)
            return span.get_span_context().trace_id

    def publications(self) -> Sequence[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == "publish rulesets"]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene()
    monkeypatch.setattr(causes, "_tracer", scene.tracer)
    return scene


def traces_of(span: ReadableSpan) -> list[int]:
    assert span.context is not None
    return [span.context.trace_id, *(link.context.trace_id for link in span.links)]


def test_a_publication_belongs_to_the_first_change_and_is_linked_to_the_others(scene: Scene) -> None:
    traces = [scene.change("a.f"), scene.change("a.g")]
    with scene.causes.publishing(["a.f", "a.g", "a.h"]):
        pass
    (publication,) = scene.publications()
    assert traces_of(publication) == traces
    with scene.causes.publishing(["a.f", "a.g"]):
        pass
    again = scene.publications()[-1]
    assert again.parent is None
    assert again.links == ()


@pytest.mark.parametrize("error", [RuntimeError("s3cret"), asyncio.CancelledError()], ids=["fails", "given-up"])
def test_the_try_after_one_that_failed_belongs_to_the_same_traces(scene: Scene, error: BaseException) -> None:
    older, other = scene.change("a.f"), scene.change("a.g")
    newer = 0

    def fail() -> None:
        nonlocal newer
        with scene.causes.publishing(["a.f", "a.g"]):
            newer = scene.change("a.f")
            raise error

    with pytest.raises(type(error)):
        fail()
    with scene.causes.publishing(["a.f", "a.g"]):
        pass
    first, second = scene.publications()
    assert traces_of(first) == [older, other]
    assert sorted(traces_of(second)) == sorted([newer, other])
    assert "s3cret" not in first.to_json()


def test_changes_that_are_not_recorded_are_not_noted(scene: Scene) -> None:
    unrecorded = Scene(ALWAYS_OFF)
    unrecorded.causes = scene.causes
    unrecorded.change("a.f")
    with scene.causes.publishing(["a.f"]):
        pass
    (publication,) = scene.publications()
    assert publication.parent is None
