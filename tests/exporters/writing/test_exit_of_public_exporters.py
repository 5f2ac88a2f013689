"""A process with the SDK's own processors before our exporters ends in time, and what it recorded is on disk."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.mariadb import MariaDBServer
from support.spans import make_span

from e2edebug.policy.config import load_config
from e2edebug_exporters import process_lifecycle
from e2edebug_exporters.span_exporter import SQLSpanExporter
from e2edebug_exporters.spool.inspection import inspect_spools

EXIT_TIMEOUT_S = 2.0
BOUND_S = EXIT_TIMEOUT_S + 1.0 + 5.0
"""A hang lasts for a hundred seconds; the interpreter's own end comes on top of what is ours."""

IMPORTS = """
import os, time
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider, set_logger_provider, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from e2edebug_exporters.log_exporter import SQLLogRecordExporter
from e2edebug_exporters.metric_exporter import SQLMetricExporter
from e2edebug_exporters.span_exporter import SQLSpanExporter
"""

EXPORTERS_FIRST = """
spans, logs, points = SQLSpanExporter(), SQLLogRecordExporter(), SQLMetricExporter()
trace.set_tracer_provider(TracerProvider())
set_logger_provider(LoggerProvider())
trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(spans))
get_logger_provider().add_log_record_processor(BatchLogRecordProcessor(logs))
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(points)]))
"""

WORK = """
counter = metrics.get_meter("test").create_counter("orders")
def work(name):
    for _ in range(600):
        trace.get_tracer("test").start_span(name).end()
        counter.add(1)
    failed = {"exception.type": "ValueError", "exception.message": "no such product"}
    get_logger_provider().get_logger("test").emit(severity_number=SeverityNumber.ERROR, attributes=failed)
work("work")
if UNDER_WAY:
    time.sleep(1.0)
print("end", flush=True)
"""

SET_UPS = {"exporters before providers": EXPORTERS_FIRST, "from the environment": ""}


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    ("set_up", "durability", "is_export_under_way"),
    [
        ("exporters before providers", "spool", False),
        ("exporters before providers", "memory", True),
        ("from the environment", "spool", True),
        pytest.param("exporters before providers", "spool", True, marks=pytest.mark.long),
        pytest.param("from the environment", "memory", False, marks=pytest.mark.long),
    ],
)
def test_beside_a_frozen_store_a_process_ends_in_time(
    set_up: str, durability: str, is_export_under_way: bool, server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(IMPORTS + SET_UPS[set_up] + f"UNDER_WAY = {is_export_under_way}\n" + WORK)
    environment = os.environ | {
        "E2EDEBUG_DATABASE_URL": url,
        "E2EDEBUG_DURABILITY": durability,
        "E2EDEBUG_SPOOL_DIR": str(tmp_path / "spools"),
        "E2EDEBUG_EXIT_TIMEOUT_S": str(EXIT_TIMEOUT_S),
        "E2EDEBUG_CONNECT_TIMEOUT_S": "100",
        "E2EDEBUG_READ_TIMEOUT_S": "100",
        "OTEL_BSP_SCHEDULE_DELAY": "100" if is_export_under_way else "60000",
        "OTEL_BLRP_SCHEDULE_DELAY": "100" if is_export_under_way else "60000",
    }
    command = [sys.executable, "program.py"]
    if set_up == "from the environment":
        command.insert(0, str(Path(sys.executable).parent / "opentelemetry-instrument"))
        environment |= dict.fromkeys(
            ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "e2edebug"
        )
    with (
        server.frozen(),
        subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as running,
    ):
        assert running.stdout is not None
        assert running.stdout.readline() == "end\n"
        begun_at = time.monotonic()
        code = running.wait(120)
        took_s = time.monotonic() - begun_at

    assert code == 0
    assert took_s < BOUND_S
    on_disk = sum(report.rows for report in inspect_spools(tmp_path / "spools"))
    assert on_disk >= 602 if durability == "spool" else on_disk == 0


def test_after_an_end_that_was_none_an_exporter_stores_again(
    server: MariaDBServer, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`flush_worker()` may be called by a process that goes on."""
    settings = {"exit_timeout_s": 0.5, "read_timeout_s": 100.0, "spool_dir": str(tmp_path / "spools")}
    exporter = SQLSpanExporter(url, config=load_config(settings, environ={}))
    exporter.export([make_span(span_id=1)])
    with server.frozen():
        monkeypatch.setattr(process_lifecycle, "_exit_began_at", time.monotonic())
        exporter.export([make_span(span_id=2)])
        at_the_end = exporter.stats()
        monkeypatch.setattr(process_lifecycle, "_exit_began_at", None)

    exporter.export([make_span(span_id=3)])

    afterwards = exporter.stats()
    exporter.shutdown()
    assert (at_the_end["stored"], at_the_end["spooled"], at_the_end["queued"]) == (1, 1, 0)
    settled = afterwards["stored"] + afterwards["already_there"] + afterwards["spooled"]
    assert (settled, afterwards["emitted"], afterwards["queued"], afterwards["dropped"]) == (3, 3, 0, {})
    assert afterwards["stored"] >= 2
