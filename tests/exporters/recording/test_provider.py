"""When a process gets our spans, when the SDK's own, and what happens to spans under threads and forks."""

import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, NoOpTracer

from e2edebug_exporters.recording import provider as provider_module
from e2edebug_exporters.recording.provider import RecordingTracerProvider, make_tracer_provider
from e2edebug_exporters.recording.span import RecordingSpan

RESOURCE = Resource({"service.name": "shop"})


def test_the_installed_sdk_is_one_that_we_can_stand_in_for() -> None:
    assert type(make_tracer_provider(ALWAYS_ON, RESOURCE)) is RecordingTracerProvider


def test_an_sdk_whose_spans_can_do_more_keeps_its_own_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    class SpanOfTheFuture(provider_module.Span):
        def set_everything(self) -> None: ...

    monkeypatch.setattr(provider_module, "Span", SpanOfTheFuture)

    assert type(make_tracer_provider(ALWAYS_ON, RESOURCE)) is TracerProvider


def test_metrics_about_the_sdk_itself_are_left_to_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")

    assert type(make_tracer_provider(ALWAYS_ON, RESOURCE)) is TracerProvider


def test_a_disabled_sdk_records_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    assert isinstance(make_tracer_provider(ALWAYS_ON, RESOURCE).get_tracer("shop"), NoOpTracer)


def test_a_scope_has_one_tracer_and_a_disabled_one_records_nothing() -> None:
    made: Any = make_tracer_provider(ALWAYS_ON, RESOURCE)
    tracer = made.get_tracer("shop", "1.0")

    assert made.get_tracer("shop", "1.0") is tracer
    assert made.get_tracer("shop", "2.0") is not tracer
    assert isinstance(tracer.start_span("on"), RecordingSpan)

    made._set_tracer_configurator(tracer_configurator=disabling)

    assert isinstance(tracer.start_span("off"), NonRecordingSpan)


def disabling(_scope: object) -> Any:
    from opentelemetry.sdk.trace import _TracerConfig

    return _TracerConfig(is_enabled=False)


class Ending(SpanProcessor):
    """Follows the experimental hook as well."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []
        self.ended: list[ReadableSpan] = []

    def _on_ending(self, span: Any) -> None:
        self.calls.append(("ending", span.is_recording()))

    def on_end(self, span: ReadableSpan) -> None:
        self.calls.append(("end", span.end_time is None))
        self.ended.append(span)


def test_processors_hear_of_the_end_before_and_after() -> None:
    made = make_tracer_provider(ALWAYS_ON, RESOURCE)
    processor = Ending()
    made.add_span_processor(processor)

    made.get_tracer("shop").start_span("order").end()

    assert processor.calls == [("ending", False), ("end", False)]


def test_threads_that_write_to_one_span_lose_nothing_and_readers_are_not_disturbed() -> None:
    made = make_tracer_provider(ALWAYS_ON, RESOURCE)
    processor = Ending()
    made.add_span_processor(processor)
    span: Any = made.get_tracer("shop").start_span("order")
    faults: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for index in range(30):
                span.set_attribute(f"{number}.{index}", index)
                span.add_event(f"{number}.{index}")
                assert all(isinstance(value, int) for value in span.attributes.values())
        except BaseException as fault:
            faults.append(fault)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    span.end()

    assert faults == []
    (kept,) = processor.ended
    assert len(kept.attributes or {}) == 120
    assert len(kept.events) == 120


FORKING = """
import os
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from e2edebug_exporters.recording.provider import make_tracer_provider

provider = make_tracer_provider(ALWAYS_ON, Resource.create({"service.name": "shop"}))
tracer = provider.get_tracer("shop")
def show():
    print(tracer.start_span("order").resource.attributes["service.instance.id"], flush=True)
show()
if os.fork() == 0:
    show()
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_names_itself_in_its_spans() -> None:
    run = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True, timeout=180)

    assert len(set(run.stdout.split())) == 2
