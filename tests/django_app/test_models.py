"""The models read like questions, and hang together by correlation id, on both dialects."""

from collections.abc import Callable

import pytest
from django_app.project import Project

QUESTIONS = """
    from datetime import UTC, datetime, timedelta
    from e2edebug.django.models import *
    now = datetime.now(UTC).replace(microsecond=0)
    hex32, hex16 = "a" * 32, "b" * 16

    def session(correlation_id, **fields):
        WorkflowSession.objects.create(correlation_id=correlation_id, **{
            "start_time": now - timedelta(minutes=30), "status": "failed", "duration_ms": 900, "user_id": "7",
            "workflow_type": "checkout", "repeat_count": 9, "error_count": 1, "metadata": {"plan": "gold", "n": [1, None]},
        } | fields)

    def step(correlation_id, number, **fields):
        TraceStep.objects.create(correlation_id=correlation_id, trace_id=hex32, span_id=f"{number:016x}", **{
            "layer": "database", "component": "shop_cart", "operation": "SELECT", "status": "completed",
            "start_time": now, "duration_ms": 250, "statement": "SELECT 1",
        } | fields)

    session("c-1")
    session("c-2", start_time=now - timedelta(hours=5))
    session("c-3", status="completed", duration_ms=10, repeat_count=0, error_count=0, parent_correlation_id="c-1")
    step("c-1", 1)
    step("c-1", 2, layer="external", status="failed", duration_ms=40)
    step("not-yet", 3)
    ErrorGroup.objects.create(fingerprint=hex32, layer="api", first_seen=now, last_seen=now, occurrences=1)
    for number, severity in enumerate(("info", "error", "critical")):
        ErrorLog.objects.create(
            event_key=f"{number:032x}", correlation_id="c-1", timestamp=now, layer="api", severity=severity,
            error_type="shop.errors.Refused", error_message="no", stack_trace="", fingerprint=hex32, metadata={},
        )
    PerformanceSnapshot.objects.create(
        event_key=hex32, correlation_id="c-1", timestamp=now, layer="api", metric_name="response_time", metadata={}
    )
    threshold = PerformanceThreshold.objects.create(
        metric_name="response_time", layer="api", warning_threshold=1, critical_threshold=2
    )
    Alert.objects.create(
        threshold=threshold, layer="api", metric_name="response_time", level="critical", state="firing",
        started_at=now, last_seen_at=now, correlation_id="c-1",
    )

    def ids(rows):
        return sorted(row.correlation_id for row in rows)

    one = WorkflowSession.objects.get(correlation_id="c-1")
    steps = TraceStep.objects
    print(json.dumps({
        "failed, recent, slow": ids(WorkflowSession.objects.failed().since(hours=1).slower_than(ms=500)),
        "of a user": ids(WorkflowSession.objects.of_user(7).completed()),
        "repeated": ids(WorkflowSession.objects.of_type("checkout").with_repeated_queries().newest()[:1]),
        "with errors": ids(WorkflowSession.objects.with_errors().before(now - timedelta(hours=1))),
        "children": ids(one.children.all()), "parent": WorkflowSession.objects.get(correlation_id="c-3").parent.pk == one.pk,
        "steps": one.trace_steps.count(), "slow queries": one.trace_steps.queries().slower_than(ms=100).count(),
        "failed calls": steps.in_layer("external").failed().since(minutes=10).count(),
        "no session yet": [
            row.workflow_session for row in steps.select_related("workflow_session").filter(correlation_id="not-yet")
        ],
        "all joined": steps.select_related("workflow_session").count(),
        "prefetched": [len(row.trace_steps.all()) for row in WorkflowSession.objects.prefetch_related("trace_steps").order_by("id")],
        "across": ids(WorkflowSession.objects.filter(trace_steps__layer="external")),
        "errors": one.error_logs.at_least("error").unresolved().count(),
        "by type": ErrorLog.objects.of_type("Refused").of_workflow("c-1").count(),
        "group": ErrorLog.objects.select_related("error_group").first().error_group.occurrences,
        "of the group": ErrorGroup.objects.unresolved().of_workflow("c-1").get().error_logs.count(),
        "snapshots": one.performance_snapshots.of_metric("response_time").count(),
        "alerts": one.alerts.unresolved().critical().get().threshold_id == threshold.pk == threshold.alerts.get().threshold_id,
        "metadata": one.metadata,
        "whole seconds": steps.filter(start_time=now).count(),
        "times": (one.start_time == now - timedelta(minutes=30), steps.filter(start_time__gt=now).count()),
        "shown": [str(one), str(steps.first()), str(ErrorLog.objects.first()), str(threshold)],
    }))
"""


@pytest.fixture
def project(make_project: Callable[..., Project], store_url: str) -> Project:
    return make_project(settings=f'E2EDEBUG = {{"DATABASE_URL": {store_url!r}}}')


def test_questions_are_answered(project: Project) -> None:
    found = project.python(QUESTIONS, environ={"E2EDEBUG_ENABLED": "0"})

    assert found == {
        "failed, recent, slow": ["c-1"],
        "of a user": ["c-3"],
        "repeated": ["c-1"],
        "with errors": ["c-2"],
        "children": ["c-3"],
        "parent": True,
        "steps": 2,
        "slow queries": 1,
        "failed calls": 1,
        "no session yet": [None],
        "all joined": 3,
        "prefetched": [2, 0, 0],
        "across": ["c-1"],
        "errors": 2,
        "by type": 3,
        "group": 1,
        "of the group": 3,
        "snapshots": 1,
        "alerts": True,
        "metadata": {"plan": "gold", "n": [1, None]},
        "whole seconds": 3,
        "times": [True, 0],
        "shown": [
            "checkout c-1 (failed)",
            "database shop_cart SELECT (completed)",
            "shop.errors.Refused in api",
            "api response_time: 1 / 2",
        ],
    }


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_since_wants_to_know_how_far_back(project: Project) -> None:
    told = project.python(
        """
    from e2edebug.django.models import TraceStep, WorkflowSession
    told = []
    for ask in (lambda: TraceStep.objects.since(), lambda: WorkflowSession.objects.in_layer("api")):
        try:
            ask()
        except (TypeError, ValueError) as error:
            told.append(str(error))
    print(json.dumps(told))
    """,
        environ={"E2EDEBUG_ENABLED": "0"},
    )

    assert told == [
        "since() takes a moment, or how far back: since(hours=1)",
        "a session has no layer; TraceStep.objects.in_layer('api') has",
    ]
