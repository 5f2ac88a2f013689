"""The writing thread lets others run between rows; the application's own threads never rest for us."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult
from support.spans import make_span

from e2edebug.policy.config import load_config
from e2edebug_exporters import giving_way
from e2edebug_exporters.giving_way import TURN_S, give_way, take_turns
from e2edebug_exporters.row_mapper import SPANS_OF_A_LOOK
from e2edebug_exporters.span_exporter import SQLSpanExporter
from e2edebug_exporters.writing_thread import NAME

from .pipelines import pipeline_on


class Clock:
    """Stands in for `time`: it moves by what each look at it takes, and counts the rests of each thread.

    others_ns: what all other threads compute between two looks.
    """

    def __init__(self, look_s: float, others_ns: int = 100_000) -> None:
        self._look_s = look_s
        self._now = 0.0
        self.others_ns = others_ns
        self._process_ns = 0
        self.rests: Counter[str] = Counter()

    def perf_counter(self) -> float:
        self._now += self._look_s
        return self._now

    def process_time_ns(self) -> int:
        self._process_ns += self.others_ns
        return self._process_ns

    def thread_time_ns(self) -> int:
        return 0

    def sleep(self, seconds: float) -> None:
        self.rests[threading.current_thread().name] += 1
        time.sleep(seconds)


@pytest.fixture
def own_turns() -> Iterator[None]:
    yield
    take_turns(False)


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work, name=NAME)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def use_a_turn() -> None:
    take_turns(True)
    for _ in range(110):
        give_way()


@pytest.mark.parametrize(("others_ns", "rests"), [(0, 0), (1_000, 0), (20_000, 10)])
def test_a_thread_rests_for_others_that_run(monkeypatch: pytest.MonkeyPatch, others_ns: int, rests: int) -> None:
    clock = Clock(look_s=TURN_S / 10, others_ns=others_ns)
    monkeypatch.setattr(giving_way, "time", clock)

    in_a_thread(use_a_turn)

    assert clock.rests[NAME] == rests


@pytest.mark.usefixtures("own_turns")
def test_where_threads_are_greenlets_the_clock_of_the_thread_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(look_s=TURN_S / 10, others_ns=0)
    monkeypatch.setattr(giving_way, "time", clock)

    use_a_turn()  # in the main thread, as a greenlet of ours is

    assert clock.rests.total() == 10


_GREENLETS = """
from gevent import monkey; monkey.patch_all()
import threading, time
from e2edebug_exporters.giving_way import give_way, take_turns

requests = []
def serve():
    while True:
        requests.append(1)
        time.sleep(0.0005)

def write():
    take_turns(True)
    until = time.perf_counter() + 0.5
    while time.perf_counter() < until:
        give_way()

threading.Thread(target=serve, daemon=True).start()
time.sleep(0.01)
before = len(requests)
writer = threading.Thread(target=write)
writer.start()
writer.join()
print(len(requests) - before)
"""


def test_a_greenlet_lets_the_others_of_its_thread_run() -> None:
    out = subprocess.check_output([sys.executable, "-c", _GREENLETS], text=True, timeout=60)

    assert int(out) > 10  # 0 or 1 without


def test_a_request_that_comes_back_from_a_wait_is_seen() -> None:
    """With the clocks of this machine, and a thread that computes for 0.1 ms after each wait."""
    seen: list[bool] = []
    is_over = threading.Event()

    def request() -> None:
        while not is_over.wait(0.001):
            until = time.perf_counter() + 0.0001
            while time.perf_counter() < until:
                pass

    def write() -> None:
        take_turns(True)
        until = time.perf_counter() + 0.5
        while time.perf_counter() < until:
            begun = time.perf_counter()
            while time.perf_counter() < begun + 0.002:
                pass
            time.sleep(0.0002)  # so that it can come back at all
            seen.append(giving_way._have_others_run())

    application = threading.Thread(target=request)
    application.start()
    in_a_thread(write)
    is_over.set()
    application.join()

    assert any(seen)  # how often hangs on what else the machine does


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
    assert clock.rests[NAME] >= 200 // SPANS_OF_A_LOOK  # mapping alone looks so often, and each look is a turn here


def test_a_span_like_none_before_is_a_reason_to_look(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(look_s=TURN_S)
    with pipeline_on(store_url) as pipeline:
        pipeline.put_span(make_span(span_id=1))
        assert pipeline.flush(20)
        monkeypatch.setattr(giving_way, "time", clock)
        for number in range(2, 202):
            pipeline.put_span(make_span(span_id=number, attributes={f"name.{number}": number}))
        assert pipeline.flush(20)
        monkeypatch.undo()

    assert clock.rests[NAME] >= 200


def test_an_exporter_behind_the_sdk_rests_in_its_own_thread(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(look_s=TURN_S)
    exporter = SQLSpanExporter(store_url, config=load_config({}, environ={}))
    monkeypatch.setattr(giving_way, "time", clock)

    result = exporter.export([make_span(span_id=number) for number in range(1, 101)])
    monkeypatch.undo()
    exporter.shutdown()

    assert result is SpanExportResult.SUCCESS
    assert clock.rests.total() >= 100 // SPANS_OF_A_LOOK
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
