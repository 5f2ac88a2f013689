"""The writing thread lets others run between rows; the application's own threads never rest for us."""

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult
from support.spans import make_span

from e2edebug.policy.config import load_config
from e2edebug_exporters import giving_way
from e2edebug_exporters.giving_way import TURN_S, give_way, take_turns
from e2edebug_exporters.span_exporter import SQLSpanExporter
from e2edebug_exporters.writing_thread import NAME

from .pipelines import pipeline_on


class Clock:
    """Stands in for `time`: it moves by what each look at it takes, and counts the rests of each thread."""

    def __init__(self, look_s: float) -> None:
        self._look_s = look_s
        self._now = 0.0
        self.rests: Counter[str] = Counter()

    def perf_counter(self) -> float:
        self._now += self._look_s
        return self._now

    def sleep(self, seconds: float) -> None:
        self.rests[threading.current_thread().name] += 1
        time.sleep(seconds)


@pytest.fixture
def own_turns() -> Iterator[None]:
    yield
    take_turns(False)


@pytest.mark.usefixtures("own_turns")
def test_a_thread_that_takes_turns_rests_after_each(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(look_s=TURN_S / 10)
    monkeypatch.setattr(giving_way, "time", clock)
    here = threading.current_thread().name

    for _ in range(100):
        give_way()
    assert clock.rests[here] == 0
    take_turns(True)
    for _ in range(110):
        give_way()
    assert clock.rests[here] == 10
    take_turns(False)
    for _ in range(100):
        give_way()
    assert clock.rests[here] == 10


def test_a_batch_is_mapped_and_written_with_rests_of_the_writing_thread_alone(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(look_s=TURN_S)
    with pipeline_on(store_url) as pipeline:
        pipeline.put_span(make_span(span_id=1))
        assert pipeline.flush(20)  # the tables are looked up, and the connection is made
        monkeypatch.setattr(giving_way, "time", clock)
        for number in range(2, 202):
            pipeline.put_span(make_span(span_id=number))
        assert pipeline.flush(20)
        monkeypatch.undo()

    assert clock.rests.keys() == {NAME}
    assert clock.rests[NAME] >= 200  # mapping alone looks once a span, each look is a turn here


def test_an_exporter_behind_the_sdk_rests_in_its_own_thread(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(look_s=TURN_S)
    exporter = SQLSpanExporter(store_url, config=load_config({}, environ={}))
    monkeypatch.setattr(giving_way, "time", clock)

    result = exporter.export([make_span(span_id=number) for number in range(1, 101)])
    monkeypatch.undo()
    exporter.shutdown()

    assert result is SpanExportResult.SUCCESS
    assert clock.rests.total() >= 100
    assert threading.current_thread().name not in clock.rests


def test_a_thread_that_is_behind_does_not_rest(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than half of the queue is full: rows would be lost by waiting."""
    clock = Clock(look_s=TURN_S)
    with pipeline_on(store_url, queue_max_items=100, batch_max_items=10, flush_interval_s=3600.0) as pipeline:
        pipeline.put_span(make_span(span_id=1))
        assert pipeline.flush(20)
        rested_while: list[int] = []

        def look(seconds: float) -> None:
            rested_while.append(len(pipeline._queue))
            time.sleep(seconds)

        monkeypatch.setattr(clock, "sleep", look)
        monkeypatch.setattr(giving_way, "time", clock)
        with pipeline._gate.working():  # the thread waits until all is there
            for number in range(2, 92):
                pipeline.put_span(make_span(span_id=number))
        assert pipeline.flush(20)
        monkeypatch.undo()

    assert rested_while
    assert max(rested_while) <= 50
