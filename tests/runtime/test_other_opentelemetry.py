"""Beside an OpenTelemetry that somebody else has set up, and through its own doors."""

import shutil
import sys
from pathlib import Path

import sqlalchemy as sa
from support.site import Site

WORK = (
    "from opentelemetry import trace\nwith trace.get_tracer('theirs').start_as_current_span('their work'):\n    pass\n"
)


def operations(url: str) -> list[tuple]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text("SELECT operation FROM debugging_trace_step"))]


def test_a_provider_that_is_there_is_joined_not_fought(empty_store_url, tmp_path):
    site = Site(tmp_path / "site")
    code = (
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter\n"
        "theirs = InMemorySpanExporter(); provider = TracerProvider()\n"
        "provider.add_span_processor(SimpleSpanProcessor(theirs)); trace.set_tracer_provider(provider)\n"
        "import e2edebug.auto\n" + WORK + "assert trace.get_tracer_provider() is provider\n"
        "assert [span.name for span in theirs.get_finished_spans()] == ['their work']\n"
    )

    run = site.run("-c", code, environ={"E2EDEBUG_DATABASE_URL": empty_store_url})

    assert "joined the OpenTelemetry set-up that was there for traces" in run.stderr
    assert operations(empty_store_url) == [("their work",)]


def test_opentelemetry_instrument_stores_through_the_entry_points(empty_store_url, tmp_path):
    site = Site(tmp_path / "site")
    (site.folder / "program.py").write_text(
        WORK + "import logging\nfrom opentelemetry import metrics\n"
        "metrics.get_meter('theirs').create_histogram('basket.size').record(3)\n"
        "from e2edebug import ErrorLogger\nErrorLogger.log_error('api', 'Cart', 'Oops', 'it broke')\n"
    )
    program = shutil.which("opentelemetry-instrument", path=str(Path(sys.executable).parent))

    run = site.run_unchecked(
        sys.executable,
        "program.py",
        program=str(program),
        environ={
            "OTEL_TRACES_EXPORTER": "e2edebug",
            "OTEL_METRICS_EXPORTER": "e2edebug",
            "OTEL_LOGS_EXPORTER": "e2edebug",
            "OTEL_SERVICE_NAME": "theirs",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*",
            "E2EDEBUG_DATABASE_URL": empty_store_url,
        },
    )

    assert run.returncode == 0, run.stderr
    assert operations(empty_store_url) == [("their work",)]
    engine = sa.create_engine(empty_store_url)
    with engine.connect() as connection:
        metric = connection.execute(
            sa.text("SELECT metric_name, count, sum, service FROM debugging_performance_snapshot")
        ).all()
        errors = connection.execute(sa.text("SELECT error_type, component FROM debugging_error_log")).all()
    assert [tuple(row) for row in metric] == [("basket.size", 1, 3.0, "theirs")]
    assert [tuple(row) for row in errors] == [("Oops", "Cart")]


def test_shutdown_undoes_the_instrumentation_and_init_begins_anew(empty_store_url, tmp_path):
    site = Site(tmp_path / "site")
    code = (
        "import sqlite3, e2edebug\nbare = sqlite3.connect\n"
        "e2edebug.init()\nassert sqlite3.connect is not bare\n"
        "assert e2edebug.shutdown() and sqlite3.connect is bare\n"
        "from e2edebug import workflow\n"
        "with workflow('unseen'): pass\n"
        "e2edebug.init()\nwith workflow('seen'): pass\nassert e2edebug.flush()\n"
    )

    site.run("-c", code, environ={"E2EDEBUG_DATABASE_URL": empty_store_url})

    assert operations(empty_store_url) == [("seen",)]
