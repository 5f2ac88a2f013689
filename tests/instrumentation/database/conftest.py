"""Instrumentors that are undone at the end of each test, and a place for their spans."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from instrumentation.database.recorded_spans import Recording
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
def instrument(recording: Recording) -> Iterator[Callable[..., Any]]:
    """Switch an instrumentor on, with spans going to `recording`, until the test ends."""
    used: list[Any] = []

    def switch_on(kind: type[BaseInstrumentor], **options: Any) -> Any:
        instrumentor = kind()
        instrumentor.instrument(tracer_provider=recording.provider, **options)
        used.append(instrumentor)
        return instrumentor

    yield switch_on
    for instrumentor in used:
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
