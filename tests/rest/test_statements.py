"""How many statements an endpoint needs, and that none of them reads the tables of steps and sessions from end to end."""

import uuid
from typing import Any

import pytest
from rest.api_project import Site

CAPTURE = """
import django
from contextlib import contextmanager
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from sqlalchemy import event
from e2edebug.django.store_alias import alias_of_store
from e2edebug.django import store_engine

client = Client()
client.force_login(User.objects.get(username="root"))
alias = alias_of_store()
seen = []

def of_django(execute, sql, params, many, context):
    seen.append((sql, params))
    return execute(sql, params, many, context)

with store_engine.store_for_reading() as connection:
    engine = connection.engine

@event.listens_for(engine, "before_cursor_execute")
def of_sqlalchemy(connection, cursor, statement, parameters, context, many):
    seen.append((statement, parameters))

def statements_of(path):
    seen.clear()
    with connections[alias].execute_wrapper(of_django):
        response = client.get("/api/v1/debugging/" + path)
    assert response.status_code == 200, (path, response.content)
    return list(seen)
"""

PATHS = [
    "workflow-sessions/", "workflow-sessions/?status=failed", "workflow-sessions/?workflow_type=login",
    "workflow-sessions/?ordering=-duration_ms", "workflow-sessions/?correlation_id={key}",
    "workflow-sessions/?trace_id={trace}", "workflow-sessions/?user_id=7", "workflow-sessions/{key}/",
    "workflow-sessions/{trace}/", "workflow-sessions/stats/", "trace-steps/", "trace-steps/?correlation_id={key}",
    "trace-steps/?trace_id={trace}", "trace-steps/?layer=database&min_duration_ms=100", "trace-steps/{step}/",
    "trace-steps/{key}/", "performance-snapshots/", "performance-snapshots/?layer=api&metric_name=response_time",
    "performance-snapshots/?correlation_id={key}", "performance-snapshots/alerts/",
    "performance-snapshots/series/?layer=api&metric_name=response_time", "error-logs/",
    "error-logs/?severity=critical", "error-logs/?correlation_id={key}", "error-logs/?fingerprint={fingerprint}",
    "error-logs/{key}/", "error-logs/summary/", "error-groups/", "error-groups/?status=unresolved",
    "error-groups/{fingerprint}/", "error-groups/{fingerprint}/occurrences/", "system-health/", "health/ready/",
]  # fmt: skip
RECORDED = (
    "debugging_trace_step", "debugging_workflow_session", "debugging_performance_snapshot", "debugging_error_log",
    "debugging_error_group",
)  # fmt: skip
"""Tables that grow with the traffic. The others have a row for each thing that people set up: reading them whole is right."""


@pytest.fixture
def known(site: Site) -> dict[str, Any]:
    """Ids of rows that there are."""
    key, trace = f"known-{uuid.uuid4().hex}", uuid.uuid4().hex
    site.client.post("workflow-sessions/", {"workflow_type": "login", "correlation_id": key, "trace_id": trace})
    step = site.client.post(
        "trace-steps/", {"correlation_id": key, "layer": "api", "component": "A", "operation": "b", "duration_ms": 1}
    )
    error = site.client.post(
        "error-logs/",
        {"layer": "api", "component": "A", "error_type": "E", "error_message": "m", "correlation_id": key},
    )
    return {"key": key, "trace": trace, "step": step.body["id"], "fingerprint": error.body["fingerprint"]}


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_no_statement_of_an_endpoint_reads_a_recorded_table_from_end_to_end(site: Site, known: dict[str, Any]) -> None:
    """EXPLAIN of each statement, on a store with enough rows for the server to prefer its indexes."""
    _fill(site)

    found = site.project.python(
        CAPTURE + f"PATHS = {[path.format(**known) for path in PATHS]!r}\nRECORDED = {RECORDED!r}\n" + EXPLAIN,
        environ=site.environ,
    )

    assert found["offenders"] == []
    assert found["explained"] > len(PATHS)


EXPLAIN = """
offenders, explained = [], 0
for path in PATHS:
    for sql, params in statements_of(path):
        text = sql
        if text.startswith("SET STATEMENT "):
            text = text.partition(" FOR ")[2]
        if not text.lstrip().startswith("SELECT"):
            continue
        with connections[alias].cursor() as cursor:
            cursor.execute("EXPLAIN " + text, params or None)
            names = [column[0] for column in cursor.description]
            plan = [dict(zip(names, row)) for row in cursor.fetchall()]
        explained += 1
        for step in plan:
            table = str(step["table"])
            scans = step["type"] in ("ALL", "index") and table in RECORDED
            if scans and table.startswith("debugging_") and step["type"] == "index" and " LIMIT " in text:
                scans = False  # along the index, from its end, until there are enough rows
            if scans and table.startswith("debugging_") and "LIMIT 1" in text and "WHERE" not in text:
                scans = False  # one row, whichever it is
            if scans:
                offenders.append([path, table, step["type"], step["key"], text[:300]])
print(json.dumps({"offenders": offenders, "explained": explained}))
"""


def _fill(site: Site) -> None:
    """Rows of the last days: sessions, ten times as many steps, metrics and errors (MariaDB's table of numbers)."""
    now = "UTC_TIMESTAMP(6) - INTERVAL (seq * 40) SECOND"
    columns = "correlation_id, workflow_type, user_id, start_time, end_time, duration_ms, status"
    site.execute(
        f"INSERT INTO debugging_workflow_session ({columns}) SELECT CONCAT('fill-', UUID_SHORT(), seq), "
        f"IF(seq % 7, 'browse', 'login'), seq % 900, {now}, {now}, seq % 1000, IF(seq % 20, 'completed', 'failed') "
        "FROM seq_1_to_6000",
        "INSERT INTO debugging_trace_step (correlation_id, trace_id, span_id, layer, component, operation, start_time, "
        "end_time, duration_ms, status, metadata) SELECT CONCAT('fill-', seq DIV 10), MD5(CONCAT(UUID_SHORT(), seq DIV 10)), "
        "LEFT(MD5(seq), 16), ELT(1 + seq % 3, 'api', 'database', 'cache'), CONCAT('C', seq % 50), 'o', "
        "UTC_TIMESTAMP(6) - INTERVAL (seq * 4) SECOND, UTC_TIMESTAMP(6), seq % 300, 'completed', '{}' FROM seq_1_to_60000",
        "INSERT INTO debugging_performance_snapshot (event_key, timestamp, layer, component, metric_name, metric_value, "
        f"unit, metadata) SELECT MD5(CONCAT(UUID_SHORT(), seq)), {now}, ELT(1 + seq % 3, 'api', 'database', 'cache'), "
        "CONCAT('C', seq % 50), 'response_time', 10, 'ms', '{}' FROM seq_1_to_6000",
        "INSERT INTO debugging_error_log (event_key, timestamp, layer, component, error_type, error_message, stack_trace, "
        f"fingerprint, metadata) SELECT MD5(CONCAT(UUID_SHORT(), seq)), {now}, 'api', 'C', 'E', 'm', 's', MD5(seq % 40), "
        "'{}' FROM seq_1_to_6000",
        "INSERT INTO debugging_error_group (fingerprint, layer, first_seen, last_seen, status) "
        "SELECT MD5(CONCAT('g', UUID_SHORT(), seq)), 'api', UTC_TIMESTAMP(6) - INTERVAL seq HOUR, "
        "UTC_TIMESTAMP(6) - INTERVAL seq HOUR, IF(seq % 5, 'resolved', 'unresolved') FROM seq_1_to_2000",
        "ANALYZE TABLE debugging_workflow_session, debugging_trace_step, debugging_performance_snapshot, "
        "debugging_error_log, debugging_error_group",
    )


LISTS = {"workflow-sessions/": 1, "trace-steps/": 2, "error-logs/": 1, "error-groups/": 1, "performance-snapshots/": 1}
"""How many statements a page takes. Of the largest tables the end of a page is looked up in an index first."""


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_a_page_takes_as_many_statements_with_many_rows_as_with_one(site: Site) -> None:
    keys = [f"many-{uuid.uuid4().hex}" for _ in range(2)]
    for key, count in zip(keys, (1, 8), strict=True):
        site.client.post("workflow-sessions/", {"workflow_type": "many", "correlation_id": key})
        for number in range(count):
            step = {"correlation_id": key, "layer": "api", "component": "A", "operation": "b"}
            error = {"layer": "api", "component": "A", "error_type": f"E{chr(65 + number)}", "error_message": "m"}
            site.client.post("trace-steps/", step)
            site.client.post("error-logs/", error | {"correlation_id": key})
            site.client.post(
                "performance-snapshots/", {"layer": "api", "component": "A", "metric_name": "m", "metric_value": 1}
            )
    paths = [f"{path}?page_size={size}" for path in LISTS for size in (1, 8)]
    paths += [f"workflow-sessions/{key}/" for key in keys]

    source = (
        CAPTURE + f"print(json.dumps([len(statements_of(path)) for path in ['workflow-sessions/', *{paths!r}]][1:]))"
    )
    found = site.project.python(source, environ=site.environ)

    assert found == [count for count in LISTS.values() for _ in range(2)] + [3, 3]
