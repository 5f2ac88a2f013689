"""The exporters behind any OpenTelemetry set-up: constructed by hand, or by the SDK from the environment."""

import concurrent.futures
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from support.spans import make_span

from e2edebug.policy.config import load_config
from e2edebug_exporters import direct_export, process_lifecycle
from e2edebug_exporters.log_exporter import SQLLogRecordExporter
from e2edebug_exporters.metric_exporter import SQLMetricExporter
from e2edebug_exporters.span_exporter import SQLSpanExporter

from .pipelines import NOWHERE, RESOURCE
from .rows_by_hand import count


def test_spans_arrive_through_the_stock_batch_processor(store_url: str, engine: sa.Engine) -> None:
    exporter = SQLSpanExporter(store_url)
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for _ in range(600):
        tracer.start_span("work").end()

    provider.force_flush()
    stats = exporter.stats()
    provider.shutdown()

    assert count(engine, "debugging_trace_step") == 600
    assert (stats["emitted"], stats["stored"], stats["queued"]) == (600, 600, 0)


def test_metrics_arrive_through_the_stock_reader_and_its_shutdown_keyword(store_url: str, engine: sa.Engine) -> None:
    """The reader calls shutdown(timeout=...), whatever the interface says."""
    exporter = SQLMetricExporter(store_url)
    provider = MeterProvider(
        [PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)],
        resource=RESOURCE,
        shutdown_on_exit=False,
    )
    provider.get_meter("test").create_histogram("basket_value", unit="EUR").record(12.0)

    provider.force_flush()
    provider.shutdown()

    assert count(engine, "debugging_performance_snapshot", "metric_name = 'basket_value' AND count = 1") == 1


def test_errors_arrive_through_the_stock_log_processor_and_plain_logs_do_not(store_url: str, engine: sa.Engine) -> None:
    exporter = SQLLogRecordExporter(store_url)
    provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger("shop.cart")
    failed = {"exception.type": "ValueError", "exception.message": "no such product"}
    logger.emit(timestamp=1, severity_number=SeverityNumber.ERROR, attributes=failed)
    logger.emit(timestamp=2, severity_number=SeverityNumber.INFO, body="just so")

    provider.force_flush()
    provider.shutdown()

    assert (
        count(engine, "debugging_error_log", "error_type = 'ValueError'") == count(engine, "debugging_error_log") == 1
    )


def test_an_engine_that_is_not_ours_serves_as_an_address(store_url: str, engine: sa.Engine) -> None:
    """With SQLAlchemy's default flags a row that is there counts as new, and a session would count it twice."""
    theirs = sa.create_engine(store_url)
    exporter = SQLSpanExporter(theirs)

    results = [exporter.export([make_span()]), exporter.export([make_span()])]
    stats = exporter.stats()
    exporter.shutdown()
    theirs.dispose()

    assert results == [SpanExportResult.SUCCESS, SpanExportResult.SUCCESS]
    assert (stats["stored"], stats["already_there"]) == (1, 1)
    assert count(engine, "debugging_workflow_session", "step_count = 1") == 1


def test_an_export_that_cannot_succeed_fails_in_bounded_time_and_is_counted() -> None:
    exporter = SQLSpanExporter(NOWHERE, timeout_s=0.3)

    result = exporter.export([make_span(span_id=1), make_span(span_id=2)])
    stats = exporter.stats()
    exporter.shutdown()

    assert result is SpanExportResult.FAILURE
    assert stats["dropped"] == {"store_unavailable": 2}
    assert (stats["emitted"], stats["queued"]) == (2, 0)


@pytest.mark.parametrize(
    ("exit_timeout_s", "exit_left_s", "longest_s"), [("5", None, 0.25), ("0.1", None, 0.1), ("5", 3.0, 0.05)]
)
def test_a_caller_that_waits_is_woken_up_no_more_often_than_an_exit_asks_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    exit_timeout_s: str,
    exit_left_s: float | None,
    longest_s: float,
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(process_lifecycle, "exit_time_left", lambda _timeout_s: exit_left_s)
    monkeypatch.setattr(
        direct_export, "wait", lambda futures, *, timeout: waits.append(timeout) or concurrent.futures.wait(futures)
    )
    config = load_config({}, environ={"E2EDEBUG_EXIT_TIMEOUT_S": exit_timeout_s})
    exporter = SQLSpanExporter(f"sqlite:///{tmp_path / 'store.sqlite3'}", config=config)

    assert exporter.export([make_span()]).name == "SUCCESS"
    exporter.shutdown()

    assert waits == [longest_s]


def test_after_its_shutdown_an_exporter_refuses_and_counts() -> None:
    exporter = SQLSpanExporter(NOWHERE)
    exporter.shutdown()

    assert exporter.export([make_span()]) is SpanExportResult.FAILURE
    assert exporter.stats()["dropped"] == {"shutdown": 1}


PROGRAM = """
import os
from opentelemetry import trace
tracer = trace.get_tracer("test")
for _ in range(20):
    tracer.start_span("before").end()
pid = os.fork()
for _ in range(5):
    tracer.start_span("child" if pid == 0 else "parent").end()
if pid:
    os.waitpid(pid, 0)
"""


def test_the_sdk_makes_them_from_the_environment_and_they_survive_a_fork(
    store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    environment: dict[str, Any] = os.environ | {
        "OTEL_TRACES_EXPORTER": "e2edebug",
        "OTEL_METRICS_EXPORTER": "e2edebug",
        "OTEL_LOGS_EXPORTER": "e2edebug",
        "OTEL_SERVICE_NAME": "shop",
        "E2EDEBUG_DATABASE_URL": store_url,
        "E2EDEBUG_EXIT_TIMEOUT_S": "30",
    }
    (tmp_path / "program.py").write_text(PROGRAM)

    finished = subprocess.run(
        [str(Path(sys.executable).parent / "opentelemetry-instrument"), sys.executable, "program.py"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=180,
    )  # fmt: skip

    assert finished.returncode == 0, finished.stderr
    found = {
        name: count(engine, "debugging_trace_step", f"operation = '{name}'") for name in ("before", "child", "parent")
    }
    assert found == {"before": 20, "child": 5, "parent": 5}, finished.stderr
