"""The recorder itself: its options, and that no fault of ours or of an exception's reaches the application."""

import os
import subprocess
import sys
from typing import Any

import pytest
from instrumentation.database.recorded_spans import Recording, names

from e2edebug.policy.config import load_config
from e2edebug_instrumentation.database.database_target import database_target
from e2edebug_instrumentation.database.options import make_recorder
from e2edebug_instrumentation.database.query_span import QueryRecorder, is_executing

TARGET = database_target(system="mysql", name="default", namespace=b"shop", address="db.example", port="3306")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class UnreadableStatement:
    def __str__(self) -> str:
        raise ValueError("no text")


def test_the_target_of_a_connection_takes_what_drivers_have():
    assert TARGET.attributes == {
        "db.system.name": "mysql",
        "e2edebug.layer": "database",
        "db.namespace": "shop",
        "server.address": "db.example",
        "server.port": 3306,
    }


@pytest.mark.parametrize(
    ("path", "namespace"),
    [("/home/ann/shop.sqlite3", "shop.sqlite3"), (":memory:", ":memory:"), ("file:a?mode=memory", "file:a")],
)
def test_a_sqlite_file_is_named_without_its_folder(path: str, namespace: str):
    assert database_target(system="sqlite", namespace=path).attributes["db.namespace"] == namespace


def test_code_locations_and_the_longest_statement_come_from_the_configuration(recording: Recording):
    config = load_config({"capture_code_location": False, "value_max_bytes": 1024}, environ={})
    recorder = make_recorder({"config": config, "tracer_provider": recording.provider})

    query = recorder.begin_query(TARGET, "SELECT " + "1," * 1_000 + "1")
    assert query is not None
    query.succeed(1)

    (span,) = recording.take()
    assert span["attributes"]["e2edebug.db.statement_length"] == 2_008
    assert not [name for name in span["attributes"] if name.startswith("code.")]


def test_a_named_option_wins_over_the_configuration(recording: Recording):
    config = load_config({"capture_code_location": False}, environ={})
    recorder = make_recorder({"config": config, "capture_code_location": True, "tracer_provider": recording.provider})

    command = recorder.begin_command(TARGET, "COMMIT")
    assert command is not None
    command.succeed()

    (span,) = recording.take()
    assert span["name"] == "COMMIT default"
    assert span["attributes"]["code.function.name"].endswith("test_a_named_option_wins_over_the_configuration")


def test_a_query_within_a_query_has_no_span_of_its_own(recording: Recording):
    recorder = QueryRecorder(tracer_provider=recording.provider)

    outer = recorder.begin_query(TARGET, "SELECT 1")
    inner = QueryRecorder(tracer_provider=recording.provider).begin_query(TARGET, "SELECT 1")
    assert outer is not None
    outer.succeed()

    assert inner is None
    assert not is_executing()
    assert len(recording.take()) == 1


def test_an_exception_that_cannot_be_printed_is_recorded_by_its_type(recording: Recording):
    recorder = QueryRecorder(tracer_provider=recording.provider)

    query = recorder.begin_query(TARGET, "SELECT 1")
    assert query is not None
    query.fail(Unprintable())

    (span,) = recording.take()
    assert span["status"] == "ERROR"
    assert span["attributes"]["error.type"].endswith("Unprintable")
    assert len(span["events"]) == 1


def test_an_interruption_fails_the_span_and_is_no_exception_of_the_application(recording: Recording):
    recorder = QueryRecorder(tracer_provider=recording.provider)

    query = recorder.begin_query(TARGET, "SELECT SLEEP(9)")
    assert query is not None
    query.fail(SystemExit(1))

    (span,) = recording.take()
    assert (span["status"], span["events"]) == ("ERROR", [])
    assert span["attributes"]["error.type"] == "SystemExit"


def test_a_fault_of_ours_costs_the_span_and_not_the_query(recording: Recording, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("E2EDEBUG_RAISE_ERRORS", "0")
    recorder = QueryRecorder(tracer_provider=recording.provider)

    assert recorder.begin_query(TARGET, UnreadableStatement()) is None
    assert not is_executing()

    following = recorder.begin_query(TARGET, "SELECT 1")
    assert following is not None
    following.succeed()
    assert names(recording.take()) == ["SELECT default"]


@pytest.mark.parametrize("row_count", [-1, None, 2**64 - 1, "3"])
def test_an_unknown_number_of_rows_is_left_out(row_count: Any, recording: Recording):
    query = QueryRecorder(tracer_provider=recording.provider).begin_query(TARGET, "SELECT 1")
    assert query is not None
    query.succeed(row_count)

    (span,) = recording.take()
    assert not [name for name in span["attributes"] if name.endswith("rows")]


def test_switching_on_imports_no_framework_and_no_driver():
    """A program without Django or SQLAlchemy must not pay for them, and a later import must still be traced."""
    program = """
import sys
from opentelemetry import trace
from e2edebug_instrumentation.database.dbapi_drivers import DbApiInstrumentor
from e2edebug_instrumentation.database.django_database import DjangoDatabaseInstrumentor
from e2edebug_instrumentation.database.sqlalchemy_engine import SQLAlchemyEngineInstrumentor
for kind in (DbApiInstrumentor, DjangoDatabaseInstrumentor, SQLAlchemyEngineInstrumentor):
    kind().instrument()
    kind().instrument()
print(sorted({"django", "sqlalchemy", "pymysql", "sqlite3", "opentelemetry.sdk"} & set(sys.modules)))
from instrumentation.database.recorded_spans import Recording
recording = Recording(is_global=True)
import sqlite3
sqlite3.connect(":memory:").execute("SELECT 1")
import sqlalchemy
with sqlalchemy.create_engine("sqlite://").connect() as connection:
    connection.execute(sqlalchemy.text("SELECT 2"))
print([span["attributes"]["db.operation.name"] for span in recording.take()])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", "['CONNECT', 'SELECT', 'CONNECT', 'BEGIN', 'SELECT', 'ROLLBACK']"]
