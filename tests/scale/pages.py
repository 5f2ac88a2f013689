"""The admin's lists and the REST API's answers over a full store: how long they take, and what the server reads for them."""

from pathlib import Path
from typing import Any

from django_app.admin_project import APPS, MIDDLEWARE
from django_app.admin_project import FILES as ADMIN_FILES
from django_app.admin_project import SETTINGS as ADMIN_SETTINGS
from django_app.project import Project
from scale.report import Finding

ADMIN_BOUND_MS = 1000
API_BOUND_MS = 50

_URLS = """
    from django.contrib import admin
    from django.urls import include, path

    urlpatterns = [path("admin/", admin.site.urls), path("api/v1/debugging/", include("e2edebug.django.urls"))]
"""

_VISITS = """
import json, re, statistics, sys, time
import sqlalchemy as sa
from django.db import connections
from django.test.utils import CaptureQueriesContext
from e2edebug.django.models import ErrorGroup, ErrorLog, TraceStep, WorkflowSession
from e2edebug.django.store_alias import alias_of_store
from stranger.visit import MODELS, client, page

ROUNDS, PASSES = {rounds}, 4
browser = client()
store = connections[alias_of_store()]
session = WorkflowSession.objects.order_by("-step_count").first()
failed = WorkflowSession.objects.failed().order_by("-start_time").first()
step = TraceStep.objects.order_by("-start_time").first()
error, group = ErrorLog.objects.order_by("-timestamp").first(), ErrorGroup.objects.first()
a_day = "time=" + (step.start_time.date().isoformat())

ADMIN = [page(model) for model in MODELS] + [
    page("workflowsession", f"{{session.pk}}/change/"), page("tracestep", f"{{step.pk}}/change/"),
    page("errorlog", f"{{error.pk}}/change/"), page("errorgroup", f"{{group.pk}}/change/"),
    page("workflowsession", "?time=7d&trouble=repeated"), page("workflowsession", "?time=7d&status__exact=failed"),
    page("workflowsession", "?workflow_type=checkout"), page("workflowsession", f"?q={{failed.correlation_id[:8]}}"),
    page("tracestep", "?layer__exact=frontend"), page("tracestep", "?status__exact=failed"),
    page("tracestep", f"?{{a_day}}&layer__exact=external"), page("tracestep", f"?q={{failed.correlation_id}}"),
    page("tracestep", f"?q={{failed.trace_id}}"), page("performancesnapshot", "?metric_name=response_time&layer__exact=api"),
    page("errorlog", "?resolved__exact=0&time=7d"), page("workflowsession", f"of/?id={{failed.trace_id}}"),
]
API = "/api/v1/debugging/"
REST = [API + path for path in (
    "workflow-sessions/", "workflow-sessions/?status=failed", "workflow-sessions/?workflow_type=checkout",
    f"workflow-sessions/{{failed.pk}}/", f"workflow-sessions/{{failed.correlation_id}}/", "workflow-sessions/stats/",
    "trace-steps/", f"trace-steps/?correlation_id={{failed.correlation_id}}", "trace-steps/?layer=external", f"trace-steps/{{step.pk}}/",
    "performance-snapshots/", "performance-snapshots/alerts/", "error-logs/", f"error-logs/{{error.pk}}/", "error-logs/summary/",
    "error-groups/", "system-health/", "health/live/", "health/ready/", "debug-configurations/", "performance-thresholds/",
)]

statements = []
def note(connection, cursor, statement, parameters, context, many):
    statements.append((statement, parameters))
sa.event.listen(sa.Engine, "before_cursor_execute", note)

def plan(statement, parameters):
    text = re.sub(r"^SET STATEMENT .*? FOR ", "", statement)
    if not text.lstrip().upper().startswith(("SELECT", "WITH")):
        return []
    with store.connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + text, parameters or None)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]

every = [(kind, path) for kind, paths in (("admin", ADMIN), ("api", REST)) for path in paths]
passes, statuses = {{one: [] for one in every}}, {{}}
# In passes over all pages, of which the calmest counts for each page: another process that is busy for a second is not ours.
for number in range(PASSES):
    for one in every:
        times = []
        for turn in range(ROUNDS + (2 if number == 0 else 1)):
            began = time.perf_counter()
            response = browser.get(one[1])
            _ = b"".join(response.streaming_content) if response.streaming else response.content
            times.append((time.perf_counter() - began) * 1000)
        passes[one].append(sorted(times[-ROUNDS:]))
        statuses[one] = response.status_code
found = []
for kind, path in every:
        calmest = min(passes[kind, path], key=lambda times: times[-1])
        median, p95 = statistics.median(calmest), calmest[min(len(calmest) - 1, int(len(calmest) * 0.95))]
        statements.clear()
        with CaptureQueriesContext(store) as captured:
            browser.get(path)
        plans = [(sql, row) for sql, given in list(statements) for row in plan(sql, given)]
        plans += [(query["sql"], row) for query in captured for row in plan(query["sql"].replace("%", "%%"), ())]
        scans = sorted({{f"{{row['type']}} of {{row['rows']:,}} rows: {{sql[:160]}}" for sql, row in plans
            if row["table"] == "debugging_trace_step"
            and (row["type"] == "ALL" or (row["type"] == "index" and (row["rows"] or 0) > 100_000))}})
        found.append([kind, path, statuses[kind, path], median, p95, len(statements) + len(captured), scans])
print(json.dumps(found))
"""


def measure_pages(folder: Path, url: str, *, rounds: int) -> list[Finding]:
    """Return what each page took at the 95th percentile, and which statement reads a whole step table."""
    project = Project(
        folder,
        apps=(*APPS, "rest_framework", "django_filters", "drf_spectacular"),
        middleware=MIDDLEWARE,
        settings=ADMIN_SETTINGS,
        files=ADMIN_FILES | {"stranger/urls.py": _URLS},
    )
    environ = {"E2EDEBUG_DATABASE_URL": url}
    project.manage("migrate", "--verbosity", "0", "--skip-checks", environ=environ)
    found: list[Any] = project.python(_VISITS.format(rounds=rounds), environ=environ, timeout_s=3600)
    findings = []
    for kind, path, status, median_ms, p95_ms, queries, scans in found:
        bound_ms = ADMIN_BOUND_MS if kind == "admin" else API_BOUND_MS
        shown = path.replace("/admin/debugging/", "admin ").replace("/api/v1/debugging/", "api ")
        value = f"p50 {median_ms:.0f} ms, p95 {p95_ms:.0f} ms, {queries} queries, {status}"
        is_answered = status in (200, 302)
        findings.append(Finding(shown[:70], value, f"p95 {bound_ms} ms", is_answered and p95_ms <= bound_ms))
        findings += [Finding(f"{shown[:40]} reads every step", scan, "none", False) for scan in scans]
    return findings
