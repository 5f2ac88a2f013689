"""The queue and its thread: what is emitted is stored or counted, and the caller never waits."""

import gc
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind
from support.spans import exception_event, make_span
from support.waiting import wait_until

import e2edebug.workflow_tracer
from e2edebug.decorators import workflow
from e2edebug.policy import attributes as names
from e2edebug.policy.config import load_config
from e2edebug.policy.correlation_id import CONTEXT_KEY
from e2edebug_exporters.bounded_queue import Kind
from e2edebug_exporters.log_processor import LogPipelineProcessor
from e2edebug_exporters.metric_reader import PipelineMetricReader
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.span_processor import SpanPipelineProcessor

from .pipelines import NOWHERE, RESOURCE, HeldMapper, assert_balanced, pipeline_on, tracer_of
from .rows_by_hand import count, session


def test_everything_emitted_before_a_flush_is_in_the_store_after_it(store_url: str, engine: sa.Engine) -> None:
    with pipeline_on(store_url) as pipeline:
        tracer = tracer_of(pipeline)
        for _ in range(1200):
            tracer.start_span("work").end()

        is_flushed = pipeline.flush(20)

        assert is_flushed
        assert count(engine, "debugging_trace_step") == 1200
        assert pipeline.ledger.read().queued == 0
        assert_balanced(pipeline)


def test_spans_of_many_threads_arrive_exactly_once(store_url: str, engine: sa.Engine) -> None:
    with pipeline_on(store_url) as pipeline:
        tracer = tracer_of(pipeline)

        def work() -> None:
            for _ in range(300):
                tracer.start_span("work").end()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert_balanced(pipeline)
        assert pipeline.flush(20)

        assert count(engine, "debugging_trace_step") == 2400


def test_an_empty_database_gets_its_tables_with_the_first_batch(empty_store_url: str) -> None:
    with pipeline_on(empty_store_url) as pipeline:
        pipeline.put_span(make_span())

        assert pipeline.flush(30)
        assert pipeline.stats()["stored"] >= 1


def test_what_comes_while_a_batch_is_written_waits_to_become_one_too(store_url: str, engine: sa.Engine) -> None:
    """It was a transaction for each handful of spans, without a pause, as long as requests came."""
    batches: list[int] = []
    is_busy = False

    class Busy(RowMapper):
        def add_spans(self, batch: RowBatch, spans: Sequence[ReadableSpan]) -> int:
            batches.append(len(spans))
            if is_busy and len(batches) < 5:
                pipeline.put_span(make_span(span_id=1000 + len(batches)))
            return super().add_spans(batch, spans)

    with pipeline_on(store_url, flush_interval_s=3600.0, batch_max_items=50) as pipeline:
        pipeline._delivery._make_mapper = Busy
        # A thread that has just been started sends what is there by then, however little; one that sleeps waits for more.
        pipeline.put_span(make_span(span_id=999))
        assert pipeline.flush(20)
        batches.clear()
        is_busy = True
        for number in range(50):
            pipeline.put_span(make_span(span_id=number + 1))
        wait_until(lambda: count(engine, "debugging_trace_step") == 1 + 50)
        for number in range(5):
            pipeline.put_span(make_span(span_id=101 + number))
        assert pipeline.flush(20)

        assert batches[:2] == [50, 6]
        assert_balanced(pipeline)
    assert count(engine, "debugging_trace_step") == 1 + 50 + 5 + 4


@pytest.mark.fault(38)
def test_processes_that_find_an_empty_database_at_once_all_write(empty_store_url: str) -> None:
    from e2edebug_schema.engine import create_store_engine

    with ExitStack() as stack:
        pipelines = [stack.enter_context(pipeline_on(empty_store_url)) for _ in range(4)]
        for number, pipeline in enumerate(pipelines):
            pipeline.put_span(make_span(span_id=number + 1))

        assert all(pipeline.flush(40) for pipeline in pipelines)

    engine = create_store_engine(empty_store_url)
    assert count(engine, "debugging_trace_step") == 4
    engine.dispose()


@pytest.mark.fault(39)
def test_without_automatic_migration_rows_are_kept_and_the_command_is_named(
    empty_store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pipeline_on(empty_store_url, auto_migrate=False) as pipeline:
        pipeline.put_span(make_span())

        is_flushed = pipeline.flush(0.7)

        assert not is_flushed
        assert [record.message for record in caplog.records if "e2edebug migrate" in record.message].__len__() == 1
        assert pipeline.stats()["queued"] >= 1
        assert_balanced(pipeline)


@pytest.mark.fault(39)
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_rows_kept_for_want_of_tables_arrive_after_the_migration(empty_store_url: str) -> None:
    from e2edebug_schema.engine import create_store_engine
    from e2edebug_schema.migrate import migrate

    with pipeline_on(empty_store_url, auto_migrate=False) as pipeline:
        pipeline.put_span(make_span())
        assert not pipeline.flush(0.3)
        engine = create_store_engine(empty_store_url)
        migrate(engine)

        assert pipeline.flush(20)
        assert count(engine, "debugging_trace_step") == 1
        engine.dispose()


@pytest.mark.fault(18)
def test_a_full_queue_drops_the_oldest_plain_spans_counts_them_and_says_it_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pipeline_on(NOWHERE, queue_max_items=100, batch_max_items=1, flush_interval_s=3600.0) as pipeline:
        pipeline.put_span(make_span("taken at once", span_id=1))
        assert not pipeline.flush(0.2)
        wait_until(lambda: pipeline.stats()["store_away"])  # from here on one batch is held
        for number in range(5):
            pipeline.put_span(make_span(span_id=1000 + number, events=[exception_event(ValueError("x"))]))
        for number in range(300):
            pipeline.put_span(make_span(span_id=2 + number))

        stats = pipeline.stats()
        waiting = [payload for _, _, payload, _, _ in pipeline._queue.take(1000, 1 << 40)]
        pipeline._queue.settle()

    drops = [record for record in caplog.records if "queue is full" in record.message]
    assert len(drops) == 1
    span_ids = [span.context.span_id for span in waiting if isinstance(span, ReadableSpan)]
    assert len(waiting) == 100
    assert span_ids[:5] == [1000, 1001, 1002, 1003, 1004]
    assert span_ids[-1] == 301
    assert stats["dropped"]["queue_full"] >= 205
    assert stats["emitted"] == stats["queued"] + sum(stats["dropped"].values())


@pytest.mark.fault(18)
def test_the_queue_is_bounded_in_bytes_as_well() -> None:
    with pipeline_on(NOWHERE, queue_max_bytes=3_000_000, flush_interval_s=3600.0) as pipeline:
        for number in range(10):
            pipeline.put_span(make_span(span_id=number + 1, attributes={"text": "x" * 1_000_000}))

        assert pipeline.stats()["queue_bytes"] <= 3_000_000
        assert pipeline.stats()["dropped"] == {"queue_full": 8}
        assert_balanced(pipeline)


def test_a_put_takes_microseconds_whatever_the_store_does() -> None:
    with pipeline_on(NOWHERE, queue_max_items=1000) as pipeline:
        spans = [
            make_span(span_id=number + 1, attributes={f"k{i}": "v" * 20 for i in range(12)}) for number in range(3000)
        ]
        times: list[float] = []
        gc.disable()
        for span in spans:
            begin = time.thread_time()
            pipeline.put_span(span)
            times.append(time.thread_time() - begin)
        gc.enable()

    assert sorted(times)[len(times) // 2] < 50e-6


@pytest.mark.fault(25)
def test_the_thread_survives_whatever_a_batch_does_to_it(
    store_url: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = RowMapper.add_spans
    failures: list[BaseException] = [SystemExit("1"), MemoryError(), KeyboardInterrupt()]

    def fail_first(self: RowMapper, *arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return original(self, *arguments)

    monkeypatch.setattr(RowMapper, "add_spans", fail_first)
    with pipeline_on(store_url) as pipeline:
        for number in range(5):
            pipeline.put_span(make_span(span_id=number + 1))
            assert pipeline.flush(20)

        assert pipeline.stats()["dropped"]["internal_error"] >= 3
        assert count(engine, "debugging_trace_step") == 2
        assert_balanced(pipeline)


def test_a_chore_that_fails_costs_neither_rows_nor_the_chores_after_it(store_url: str, engine: sa.Engine) -> None:
    done = threading.Event()

    def fail() -> None:
        raise OSError("the disk is gone")

    with pipeline_on(store_url) as pipeline:
        pipeline.add_chore(fail)
        pipeline.add_chore(done.set)
        pipeline.put_span(make_span())

        assert done.wait(20)
        assert pipeline.flush(20)
        assert pipeline.stats()["last_error"] == "OSError: the disk is gone"
        assert pipeline.stats()["dropped"] == {}
        assert count(engine, "debugging_trace_step") == 1


@pytest.mark.fault(25)
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_thread_that_died_is_replaced_by_the_next_put(store_url: str, engine: sa.Engine) -> None:
    with pipeline_on(store_url) as pipeline:
        pipeline.put_span(make_span(span_id=1))
        assert pipeline.flush(20)
        first = pipeline._thread.latest
        assert first is not None
        pipeline._is_abandoned = True
        first.join(60)
        pipeline._is_abandoned = False

        pipeline.put_span(make_span(span_id=2))

        assert pipeline.flush(20)
        assert pipeline._thread.latest is not first
        assert count(engine, "debugging_trace_step") == 2


@pytest.mark.fault(24)
def test_what_a_shutdown_leaves_is_dropped_and_counted() -> None:
    with pipeline_on(NOWHERE) as pipeline:
        for number in range(10):
            pipeline.put_span(make_span(span_id=number + 1))

        begin = time.monotonic()
        is_all_written = pipeline.shutdown(0.5)
        pipeline.put_span(make_span(span_id=99))

        assert not is_all_written
        assert time.monotonic() - begin < 20
        stats = pipeline.stats()
        assert (stats["queued"], stats["stored"]) == (0, 0)
        assert stats["dropped"]["shutdown"] == stats["emitted"] >= 11
        assert not pipeline.flush(1) or stats["queued"] == 0


def test_a_shutdown_in_the_middle_of_a_batch_still_stores_the_durations(store_url: str, engine: sa.Engine) -> None:
    held = HeldMapper()
    config = load_config({"flush_interval_s": 0.01, "metric_interval_s": 3600.0}, environ={})
    pipeline = Pipeline(store_url, config, resource=RESOURCE, make_mapper=held)
    tracer = tracer_of(pipeline)
    for _ in range(5):
        tracer.start_span("work", attributes={names.COMPONENT: "Cart", names.LAYER: "api"}).end()
    assert held.is_reached.wait(30)
    ending = threading.Thread(target=pipeline.shutdown, args=(30,))
    ending.start()
    while not pipeline._end.has_begun:
        time.sleep(0.001)

    held.may_go_on.set()
    ending.join()

    assert count(engine, "debugging_trace_step") == 5
    assert count(engine, "debugging_performance_snapshot", "metric_name = 'response_time' AND count = 5") == 1
    assert_balanced(pipeline)


def test_durations_that_a_shutdown_leaves_uncollected_are_dropped_and_counted(store_url: str) -> None:
    held = HeldMapper()
    config = load_config({"flush_interval_s": 0.01, "metric_interval_s": 3600.0}, environ={})
    pipeline = Pipeline(store_url, config, resource=RESOURCE, make_mapper=held)
    tracer_of(pipeline).start_span("work", attributes={names.COMPONENT: "Cart", names.LAYER: "api"}).end()
    assert held.is_reached.wait(30)

    is_all_written = pipeline.shutdown(0.0)
    held.may_go_on.set()

    assert not is_all_written
    assert pipeline.stats()["dropped"] == {"shutdown": 4}, "the span, its duration, error rate and throughput"
    assert_balanced(pipeline)


def test_a_workflow_that_a_request_in_another_trace_continues_is_in_progress_until_its_end(
    store_url: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pipeline_on(store_url) as pipeline:
        monkeypatch.setattr(e2edebug.workflow_tracer, "_tracer", tracer_of(pipeline))
        statuses = []

        @workflow("checkout")
        def checkout() -> None:
            request = {names.CORRELATION_ID: str(otel_context.get_value(CONTEXT_KEY))}
            pipeline.put_span(make_span("POST /pay", trace_id=77, kind=SpanKind.SERVER, attributes=request))
            assert pipeline.flush(30)
            statuses.append(only_status(engine))

        token = otel_context.attach(otel_context.set_value(CONTEXT_KEY, "order-18"))
        checkout()
        otel_context.detach(token)
        assert pipeline.flush(30)

        assert [*statuses, only_status(engine)] == ["in_progress", "completed"]


def only_status(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(sa.text("SELECT status FROM debugging_workflow_session")).scalar_one())


def test_a_second_shutdown_does_nothing(store_url: str, engine: sa.Engine) -> None:
    with pipeline_on(store_url) as pipeline:
        pipeline.put_span(make_span())

        assert pipeline.shutdown(20)
        assert pipeline.shutdown(20)
        assert count(engine, "debugging_trace_step") == 1


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_the_correlation_id_of_the_context_stands_on_every_span(store_url: str, engine: sa.Engine) -> None:
    with pipeline_on(store_url) as pipeline:
        tracer = tracer_of(pipeline)
        token = otel_context.attach(otel_context.set_value(CONTEXT_KEY, "order-17"))
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
            pass
        otel_context.detach(token)
        tracer.start_span("elsewhere").end()

        assert pipeline.flush(20)
        assert count(engine, "debugging_trace_step", "correlation_id = 'order-17'") == 2
        assert session(engine, "order-17")["step_count"] == 2


def test_a_pending_span_is_seen_while_it_runs(store_url: str, engine: sa.Engine) -> None:
    with pipeline_on(store_url) as pipeline:
        tracer = tracer_of(pipeline)
        span = tracer.start_span("checkout", attributes={names.PENDING: True})

        assert pipeline.flush(20)
        running = count(engine, "debugging_trace_step", "status = 'started' AND end_time IS NULL")
        span.end()
        assert pipeline.flush(20)

        assert running == 1
        assert (
            count(engine, "debugging_trace_step", "status = 'completed'") == count(engine, "debugging_trace_step") == 1
        )
        assert count(engine, "debugging_workflow_session", "status = 'completed' AND step_count = 1") == 1
        assert_balanced(pipeline)


class RecordOnly(Sampler):
    """Records every span and samples none: what a caller's `not sampled` flag makes of our default sampler."""

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        *_: Any,
        **__: Any,
    ) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY, attributes)

    def get_description(self) -> str:
        return "RecordOnly"


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_spans_that_are_not_sampled_are_counted_and_not_stored(store_url: str, engine: sa.Engine) -> None:
    with pipeline_on(store_url) as pipeline:
        tracer = tracer_of(pipeline, sampler=RecordOnly())
        for _ in range(10):
            tracer.start_span("GET", attributes={names.LAYER: "api", names.COMPONENT: "CartView"}).end()

        assert pipeline.flush(20)
        assert count(engine, "debugging_trace_step") == 0
        where = "metric_name = 'response_time' AND layer = 'api' AND component = 'CartView' AND count = 10"
        assert count(engine, "debugging_performance_snapshot", where) == 1


def test_metrics_of_the_sdk_and_our_own_books_become_snapshots(store_url: str, engine: sa.Engine) -> None:
    from opentelemetry.sdk.metrics import MeterProvider

    with pipeline_on(store_url) as pipeline:
        provider = MeterProvider([PipelineMetricReader(pipeline)], resource=RESOURCE, shutdown_on_exit=False)
        histogram = provider.get_meter("test").create_histogram("basket_value", unit="EUR")
        for value in (1.0, 2.0, 300.0):
            histogram.record(value)

        assert pipeline.flush(20)
        assert pipeline.flush(20)
        provider.shutdown()

        where = "metric_name = 'basket_value' AND count = 3"
        assert count(engine, "debugging_performance_snapshot", where) == 1
        own = "layer = 'system' AND component = 'e2edebug' AND metric_name = 'emitted' AND service = 'shop'"
        assert count(engine, "debugging_performance_snapshot", own) >= 1
        assert_balanced(pipeline)


def test_an_exception_in_a_log_is_stored_once_and_our_own_logs_never(store_url: str, engine: sa.Engine) -> None:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.sdk._logs import LoggerProvider

    with pipeline_on(store_url) as pipeline:
        provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
        provider.add_log_record_processor(LogPipelineProcessor(pipeline))
        failed = {"exception.type": "ValueError", "exception.message": "no such product"}
        for scope in ("shop.cart", "e2edebug.writer", "sqlalchemy.pool"):
            provider.get_logger(scope).emit(timestamp=1, severity_number=SeverityNumber.ERROR, attributes=failed)
        provider.get_logger("shop.cart").emit(timestamp=2, severity_number=SeverityNumber.INFO, body="just so")

        assert pipeline.flush(20)
        assert count(engine, "debugging_error_log") == 1
        assert_balanced(pipeline)


def test_a_processor_keeps_its_own_failures_from_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("E2EDEBUG_RAISE_ERRORS")
    with pipeline_on(NOWHERE) as pipeline:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SpanPipelineProcessor(pipeline))
        monkeypatch.setattr(pipeline, "put_span", lambda _: 1 / 0)
        monkeypatch.setattr(pipeline.span_metrics, "record", lambda _: 1 / 0)

        with provider.get_tracer("test").start_as_current_span("work", attributes={names.PENDING: True}):
            pass


def test_a_workflow_without_news_times_out_and_may_come_back(store_url: str, engine: sa.Engine) -> None:
    from datetime import UTC, datetime, timedelta

    from e2edebug.policy.config import load_config
    from e2edebug_exporters.batch_writer import BatchWriter
    from e2edebug_exporters.rows import RowBatch
    from e2edebug_exporters.store_connection import StoreConnection
    from e2edebug_exporters.workflow_timeouts import WorkflowTimeouts

    from .rows_by_hand import root, step

    BatchWriter(engine).write(RowBatch(steps=[step(1, trace=1), root(2, trace=2)]), deadline=time.monotonic() + 30)
    news = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    store = StoreConnection.of(engine, load_config(environ={}))

    def sweep(after_s: float) -> int:
        return WorkflowTimeouts(store, timeout_s=60, now=lambda: news + timedelta(seconds=after_s)).sweep()

    assert (sweep(59), sweep(62), sweep(62)) == (0, 1, 0)
    assert (session(engine, "c-1")["status"], session(engine, "c-2")["status"]) == ("timeout", "completed")
    BatchWriter(engine).write(RowBatch(steps=[root(9, trace=1)]), deadline=time.monotonic() + 30)
    assert session(engine, "c-1")["status"] == "completed"


class ToOpenTelemetry(logging.Handler):
    """What an OpenTelemetry set-up puts on the root logger, in the form that would be stored as an error."""

    def __init__(self, provider: Any) -> None:
        super().__init__()
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        told = {"exception.type": "Warning", "exception.message": record.getMessage()}
        self._provider.get_logger(record.name).emit(timestamp=time.time_ns(), attributes=told)


def test_logging_our_own_failures_does_not_feed_the_pipeline(caplog: pytest.LogCaptureFixture) -> None:
    from opentelemetry.sdk._logs import LoggerProvider

    with pipeline_on(NOWHERE) as pipeline:
        provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
        provider.add_log_record_processor(LogPipelineProcessor(pipeline))
        handler = ToOpenTelemetry(provider)
        logging.getLogger().addHandler(handler)
        try:
            pipeline.put_span(make_span())
            assert not pipeline.flush(0.5)
            wait_until(lambda: pipeline.stats()["store_away"])  # from here on a batch is held, and none is taken
            logging.getLogger("shop").error("a failure of the host is taken over")
        finally:
            logging.getLogger().removeHandler(handler)
        kinds = [kind for _, kind, _, _, _ in pipeline._queue.take(100, 1 << 30)]

    assert any("takes no rows" in record.message for record in caplog.records)
    assert kinds.count(Kind.LOG) == 1


def test_where_no_thread_can_be_started_a_flush_does_the_work_itself(
    store_url: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.12.0 to 3.12.2 start no thread once exit handlers run."""

    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr("e2edebug.policy.thread_signals.start_new_thread", refuse)
    with pipeline_on(store_url) as pipeline:
        pipeline.put_span(make_span())

        assert pipeline.flush(5)
        pipeline.put_span(make_span(span_id=3))
        pipeline.shutdown(5)

    assert count(engine, "debugging_trace_step") == 2
