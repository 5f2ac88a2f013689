"""The admin: every page opens, costs a handful of queries, shows no more than one may see, and is inert."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from django_app.admin_project import Audit, admin_project
from django_app.hostile_rows import insert_hostile_rows
from django_app.project import Project

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.loader import load
from e2edebug_schema.migrate import migrate
from e2edebug_schema.tables import trace_step, workflow_session

HEAD = "from stranger.visit import client, page, MODELS\nimport json\n"


@pytest.fixture
def store(empty_store_url: str) -> Iterator[sa.Engine]:
    engine = create_store_engine(empty_store_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return admin_project(tmp_path_factory.mktemp("admin") / "project")


@pytest.fixture
def ask(project: Project, store: sa.Engine, empty_store_url: str) -> Callable[[str], Any]:
    """Run Python in the project, over the store of this test, and return the JSON that it prints last."""
    return lambda source: project.python(HEAD + source, environ={"E2EDEBUG_DATABASE_URL": empty_store_url})


def test_hostile_strings_in_every_text_column_are_inert_on_every_page(
    store: sa.Engine, ask: Callable[[str], Any]
) -> None:
    insert_hostile_rows(store)

    pages = ask("""
from django.apps import apps
browser, found = client(), {}
paths = ["/admin/", "/admin/debugging/"]
for model in MODELS:
    paths += [page(model), page(model, "?time=24h&q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"), page(model, "?o=1&before=1-1")]
    rows = apps.get_model("debugging", model).objects.all()
    paths += [page(model, f"{row.pk}/change/") for row in rows] + [page(model, f"{rows[0].pk}/history/")]
paths += [page("performancethreshold", "add/"), page("debugconfiguration", "add/"),
          page("workflowsession", "of/?id=%3Cscript%3Ealert(1)%3C/script%3E")]
for path in paths:
    response = browser.get(path, follow=True)
    found[path] = [response.status_code, response.content.decode()]
print(json.dumps(found))
""")

    assert {path: status for path, (status, _) in pages.items() if status != 200} == {}
    assert {path: findings for path, (_, html) in pages.items() if (findings := Audit(html).findings)} == {}
    tree = next(html for path, (_, html) in pages.items() if "e2e-tree" in html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in tree
    assert "49{% debug %}" not in tree
    assert len(pages) > 80


def test_pages_cost_a_constant_number_of_queries_and_count_nothing(store: sa.Engine, ask: Callable[[str], Any]) -> None:
    load(store, sessions=300, days=0.5, seed=3)

    found = ask("""
from django.db import connections
from django.test.utils import CaptureQueriesContext
from e2edebug.django.models import WorkflowSession
from e2edebug.django.store_alias import alias_of_store
browser, found = client(), {}
slowest = WorkflowSession.objects.order_by("-step_count").first()
paths = [page(model) for model in MODELS] + [page("workflowsession", f"{slowest.pk}/change/")]
for path in paths:
    with CaptureQueriesContext(connections[alias_of_store()]) as queries:
        html = browser.get(path).content.decode()
    found[path] = [[query["sql"] for query in queries], html.count('class="field-state')]
print(json.dumps(found))
""")

    settings = ("threshold", "configuration", "maintenance")  # few rows, which Django may count
    recorded = [path for path in found if not any(name in path for name in settings)]
    assert {path: len(queries) for path, (queries, _) in found.items() if len(queries) > 8} == {}
    assert [sql for path in recorded for sql in found[path][0] if "COUNT(" in sql.upper()] == []
    assert found["/admin/debugging/workflowsession/"][1] == 50
    assert found["/admin/debugging/tracestep/"][1] == 50


def test_a_list_is_paged_by_key_to_its_end(store: sa.Engine, ask: Callable[[str], Any]) -> None:
    load(store, sessions=120, days=0.2, seed=3)

    pages = ask("""
import re
browser, seen, path = client(), [], page("workflowsession")
while path:
    html = browser.get(path).content.decode()
    seen.append(re.findall(r'workflowsession/(\\d+)/change', html))
    older = re.search(r'e2e-older" href="([^"]+)"', html)
    path = page("workflowsession", older[1].replace("&amp;", "&")) if older else None
print(json.dumps(seen))
""")

    ids = [int(row_id) for one in pages for row_id in one]
    assert [len(one) for one in pages] == [50, 50, 20]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 120


def test_a_workflow_is_found_by_its_ids_and_by_nothing_else(store: sa.Engine, ask: Callable[[str], Any]) -> None:
    load(store, sessions=60, days=0.1, seed=3)

    found = ask("""
import re
from e2edebug.django.models import WorkflowSession
browser = client()
one = WorkflowSession.objects.order_by("id")[30]
def rows(model, term):
    return len(set(re.findall(model + r"/(\\d+)/change", browser.get(page(model), {"q": term}).content.decode())))
of = browser.get(page("workflowsession", "of/"), {"id": one.trace_id})
print(json.dumps({
    "whole": rows("workflowsession", one.correlation_id), "prefix": rows("workflowsession", one.correlation_id[:8]),
    "trace": rows("workflowsession", one.trace_id), "inside": rows("workflowsession", one.correlation_id[4:20]),
    "short": rows("workflowsession", one.correlation_id[:4]), "percent": rows("workflowsession", "%"),
    "foreign": rows("workflowsession", "é" * 10), "steps": rows("tracestep", one.correlation_id) == min(one.step_count, 50),
    "of": of.url == page("workflowsession", f"{one.pk}/change/"),
    "nobody": browser.get(page("workflowsession", "of/"), {"id": "nobody-has-it"}).url == page("workflowsession"),
}))
""")

    assert found == {
        "whole": 1, "prefix": 1, "trace": 1, "inside": 0, "short": 0, "percent": 0, "foreign": 0, "steps": True,
        "of": True, "nobody": True,
    }  # fmt: skip


def test_the_tree_shows_steps_errors_and_repetitions_in_place(store: sa.Engine, ask: Callable[[str], Any]) -> None:
    load(store, sessions=400, days=0.5, seed=3)

    html = ask("""
from e2edebug.django.models import WorkflowSession
browser = client()
failed = WorkflowSession.objects.failed().first()
repeated = WorkflowSession.objects.with_repeated_queries(at_least=15).first()
print(json.dumps({"failed": browser.get(page("workflowsession", f"{failed.pk}/change/")).content.decode(),
    "repeated": browser.get(page("workflowsession", f"{repeated.pk}/change/")).content.decode(),
    "count": repeated.repeat_count}))
""")

    assert html["failed"].count('class="e2e-step') >= 3
    assert '<li class="e2e-step e2e-failed">' in html["failed"]
    assert '<details class="e2e-error' in html["failed"]
    assert "Traceback (most recent call last)" in html["failed"]
    assert f'<b class="e2e-count">\u00d7 {html["count"]}</b>' in html["repeated"]


def test_errors_groups_and_alerts_are_decided_with_who_and_why(store: sa.Engine, ask: Callable[[str], Any]) -> None:
    load(store, sessions=600, days=0.5, seed=3)

    found = ask("""
from datetime import datetime, UTC
from e2edebug.django.models import Alert, AlertEvent, ErrorGroup, ErrorLog
browser = client("ada")
error, group = ErrorLog.objects.first(), ErrorGroup.objects.first()
browser.post(page("errorlog", f"{error.pk}/change/"), {"resolved": "on", "resolution_notes": "password=hunter2 was wrong"})
browser.post(page("errorgroup", f"{group.pk}/change/"), {"status": "ignored", "resolution_notes": "known"})
browser.post(page("errorgroup"), {"action": "mark_resolved", "_selected_action": [group.pk]})
Alert.objects.create(layer="api", metric_name="response_time", level="warning", state="firing",
    started_at=datetime.now(UTC), last_seen_at=datetime.now(UTC))
alert = Alert.objects.get()
for action in ("acknowledge", "acknowledge", "snooze_for_an_hour"):
    browser.post(page("alert"), {"action": action, "_selected_action": [alert.pk]})
over = Alert.objects.create(layer="api", metric_name="error_rate", level="warning", state="resolved",
    started_at=datetime.now(UTC), last_seen_at=datetime.now(UTC), resolved_at=datetime.now(UTC))
refused = browser.post(page("alert"), {"action": "snooze_for_a_day", "_selected_action": [over.pk]}, follow=True)
over.refresh_from_db()
error.refresh_from_db(), group.refresh_from_db(), alert.refresh_from_db()
changed = error.event_key, error.stack_trace != ""
print(json.dumps({
    "error": [error.resolved, error.resolved_by, error.resolution_notes, error.resolved_at is not None],
    "group": [group.status, group.resolution_notes],
    "changes": list(group.changes.order_by("id").values_list("old_status", "new_status", "changed_by", "notes")),
    "alert": [alert.acknowledged_by, alert.snoozed_until > datetime.now(UTC)],
    "over": [over.snoozed_until, "those alerts are over" in refused.content.decode()],
    "events": list(AlertEvent.objects.order_by("id").values_list("kind", "actor")),
}))
""")

    assert found == {
        "error": [True, "ada", "password=[redacted] was wrong", True],
        "group": ["resolved", "known"],
        "changes": [["unresolved", "ignored", "ada", "known"], ["ignored", "resolved", "ada", None]],
        "alert": ["ada", True],
        "over": [None, True],
        "events": [["acknowledged", "ada"], ["snoozed", "ada"]],
    }


def test_thresholds_and_configurations_are_checked_as_processes_do(ask: Callable[[str], Any]) -> None:
    found = ask("""
import re
from e2edebug.django.models import DebugConfiguration, PerformanceThreshold
browser = client()
def errors(model, **data):
    html = browser.post(page(model, "add/"), data).content.decode()
    return re.findall(r'<ul class="errorlist"[^>]*>(?:<li>)(.*?)</li>', html)
limits = {"layer": "api", "metric_name": "response_time", "aggregation": "p95", "window_s": 300, "pending_s": 0,
          "recovery_margin_pct": 10, "enabled": "on", "option-TOTAL_FORMS": 0, "option-INITIAL_FORMS": 0}
found = {
    "equal": errors("performancethreshold", **limits, warning_threshold=5, critical_threshold=5),
    "negative": errors("performancethreshold", **limits, warning_threshold=-1, critical_threshold=5),
    "good": errors("performancethreshold", **limits, warning_threshold=500, critical_threshold=2000),
    "twice": errors("performancethreshold", **limits, warning_threshold=500, critical_threshold=2000),
    "ratio": errors("debugconfiguration", name="a", config_type="tracing", config_data='{"sample_ratio": 7}'),
    "field": errors("debugconfiguration", name="a", config_type="tracing", config_data='{"sampel_ratio": 1}'),
    "json": errors("debugconfiguration", name="a", config_type="tracing", config_data='{'),
    "saved": errors("debugconfiguration", name="a", config_type="tracing", config_data='{"sample_ratio": 0.25}', enabled="on"),
}
one = DebugConfiguration.objects.get()
found["stored"] = [PerformanceThreshold.objects.count(), one.config_data, one.enabled]
found["shown"] = "sample_ratio&quot;: 0.25" in browser.get(page("debugconfiguration", f"{one.pk}/change/")).content.decode()
print(json.dumps(found))
""")

    assert found["good"] == found["saved"] == []
    assert found["stored"] == [1, {"sample_ratio": 0.25}, True]
    assert found["shown"]
    assert "The two limits must differ" in found["equal"][0]
    assert "not negative" in found["negative"][0]
    assert "already" in found["twice"][0]
    assert found["ratio"] == ["sample_ratio: must be a number from 0 to 1"]
    assert "did you mean sample_ratio?" in found["field"][0]
    assert found["json"] == ["Enter a valid JSON."]


def test_nobody_sees_or_changes_more_than_their_permissions_say(store: sa.Engine, ask: Callable[[str], Any]) -> None:
    load(store, sessions=400, days=0.5, seed=3)

    found = ask("""
from e2edebug.django.models import ErrorLog, WorkflowSession
failed, error = WorkflowSession.objects.failed().first(), ErrorLog.objects.first()
sessions, viewer = client("bob", "view_workflowsession"), client("eve", "view_errorlog", "view_errorgroup")
root, nobody = client(), client("mallory", "view_alert")
one = sessions.get(page("workflowsession", f"{failed.pk}/change/"))
with_steps = client("sam", "view_workflowsession", "view_tracestep").get(page("workflowsession", f"{failed.pk}/change/"))
viewer.post(page("errorlog", f"{error.pk}/change/"), {"resolved": "on"})
viewer.post(page("errorlog"), {"action": "mark_resolved", "_selected_action": [error.pk]})
error.refresh_from_db()
print(json.dumps({
    "session": [one.status_code, "e2e-tree" in one.content.decode()],
    "steps, no errors": ["e2e-tree" in with_steps.content.decode(), "Traceback" in with_steps.content.decode()],
    "other lists": [sessions.get(page(model)).status_code for model in ("tracestep", "errorlog", "alert")],
    "of": nobody.get(page("workflowsession", "of/"), {"id": failed.correlation_id}).status_code,
    "resolved by a viewer": error.resolved,
    "root may not delete or add": [root.get(page("workflowsession", f"{failed.pk}/delete/")).status_code,
        root.get(page("tracestep", "add/")).status_code, root.post(page("workflowsession", f"{failed.pk}/change/"), {}).status_code],
}))
""")

    assert found == {
        "session": [200, False], "steps, no errors": [True, False], "other lists": [403, 403, 403], "of": 403,
        "resolved by a viewer": False, "root may not delete or add": [403, 403, 403],
    }  # fmt: skip


def test_a_workflow_of_ten_thousand_steps_opens(store: sa.Engine, ask: Callable[[str], Any]) -> None:
    began = datetime.now(UTC) - timedelta(minutes=1)
    steps = [
        {"correlation_id": "big", "trace_id": "1" * 32, "span_id": f"{number:016x}", "layer": "database",
         "parent_span_id": None if number == 0 else f"{number // 7:016x}", "component": f"table{number}",
         "operation": "SELECT", "status": "completed", "metadata": "{}", "duration_ms": 1.0,
         "start_time": began + timedelta(milliseconds=number), "end_time": began + timedelta(milliseconds=number + 1)}
        for number in range(10_500)
    ]  # fmt: skip
    with store.begin() as connection:
        connection.execute(workflow_session.insert(), {"correlation_id": "big", "start_time": began})
        for first in range(0, len(steps), 1000):
            connection.execute(trace_step.insert(), steps[first : first + 1000])

    html = ask("""
from e2edebug.django.models import WorkflowSession
print(json.dumps(client().get(page("workflowsession", f"{WorkflowSession.objects.get().pk}/change/")).content.decode()))
""")

    assert 0 < html.count('class="e2e-step') <= 400
    assert "Only the first 10000 steps are read" in html
    assert len(html) < 2_000_000
