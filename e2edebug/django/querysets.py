"""Querysets that read like a question: `WorkflowSession.objects.failed().since(hours=1).slower_than(ms=500)`."""

from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.db import models

from e2edebug_schema.tables import SEVERITIES


class StoredRows(models.QuerySet[Any]):
    """Questions that every recorded table answers."""

    time_field = "timestamp"

    def since(
        self,
        moment: datetime | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> Self:
        """Rows from *moment* on, or of the last so many days, hours, minutes and seconds."""
        age = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if (moment is None) is (not age):
            raise ValueError("since() takes a moment, or how far back: since(hours=1)")
        return self.filter(**{f"{self.time_field}__gte": moment if moment is not None else _now() - age})

    def before(self, moment: datetime) -> Self:
        """Rows from before *moment*."""
        return self.filter(**{f"{self.time_field}__lt": moment})

    def newest(self) -> Self:
        """Newest first."""
        return self.order_by(f"-{self.time_field}", "-pk")

    def in_layer(self, layer: str) -> Self:
        """Rows of one layer: `frontend`, `api`, `database`, `cache`, `external` or `system`."""
        return self.filter(layer=layer)

    def of_component(self, component: str) -> Self:
        """Rows of one component, such as `ProductViewSet`."""
        return self.filter(component=component)

    def of_workflow(self, correlation_id: str) -> Self:
        """Rows of one correlation id."""
        return self.filter(correlation_id=correlation_id)


class WorkflowSessionQuerySet(StoredRows):
    """`WorkflowSession.objects`."""

    time_field = "start_time"

    def failed(self) -> Self:
        """Workflows that failed."""
        return self.filter(status="failed")

    def completed(self) -> Self:
        """Workflows that ended well."""
        return self.filter(status="completed")

    def in_progress(self) -> Self:
        """Workflows that have not ended."""
        return self.filter(status="in_progress")

    def timed_out(self) -> Self:
        """Workflows that nothing was heard of any more."""
        return self.filter(status="timeout")

    def slower_than(self, *, ms: float) -> Self:
        """Workflows that took longer, slow ones that go on included once they have a duration."""
        return self.filter(duration_ms__gt=ms)

    def of_type(self, workflow_type: str) -> Self:
        """Workflows of one type, such as `checkout`."""
        return self.filter(workflow_type=workflow_type)

    def of_user(self, user: Any) -> Self:
        """Workflows of one user: an object with a key, or the key."""
        return self.filter(user_id=str(getattr(user, "pk", user)))

    def with_errors(self) -> Self:
        """Workflows in which an error was recorded, whatever became of them."""
        return self.filter(error_count__gt=0)

    def with_repeated_queries(self, *, at_least: int = 5) -> Self:
        """Workflows that ran one statement so many times: an N+1, most likely."""
        return self.filter(repeat_count__gte=at_least)

    def in_layer(self, layer: str) -> Self:
        """Refused: a session crosses layers, its steps have one each."""
        raise TypeError(f"a session has no layer; TraceStep.objects.in_layer({layer!r}) has")

    def of_component(self, component: str) -> Self:
        """Refused: a session crosses components."""
        raise TypeError(f"a session has no component; TraceStep.objects.of_component({component!r}) has")


class TraceStepQuerySet(StoredRows):
    """`TraceStep.objects`."""

    time_field = "start_time"

    def failed(self) -> Self:
        """Steps that failed."""
        return self.filter(status="failed")

    def slower_than(self, *, ms: float) -> Self:
        """Steps that took longer."""
        return self.filter(duration_ms__gt=ms)

    def queries(self) -> Self:
        """Statements that went to a database."""
        return self.filter(layer="database")


class PerformanceSnapshotQuerySet(StoredRows):
    """`PerformanceSnapshot.objects`."""

    def of_metric(self, metric_name: str) -> Self:
        """One metric, such as `response_time`."""
        return self.filter(metric_name=metric_name)


class ErrorLogQuerySet(StoredRows):
    """`ErrorLog.objects`."""

    def unresolved(self) -> Self:
        """Errors that nobody has resolved."""
        return self.filter(resolved=False)

    def resolved(self) -> Self:
        """Errors that somebody has resolved."""
        return self.filter(resolved=True)

    def at_least(self, severity: str) -> Self:
        """Errors of *severity* and worse: `debug`, `info`, `warning`, `error`, `critical`."""
        return self.filter(severity__in=SEVERITIES[SEVERITIES.index(severity) :])

    def of_type(self, error_type: str) -> Self:
        """Errors of one type, such as `ValueError`; with its module or without."""
        return self.filter(models.Q(error_type=error_type) | models.Q(error_type__endswith=f".{error_type}"))


class ErrorGroupQuerySet(StoredRows):
    """`ErrorGroup.objects`."""

    time_field = "last_seen"

    def unresolved(self) -> Self:
        """Groups that want attention: new ones and those that came back."""
        return self.filter(status__in=("unresolved", "regressed"))

    def of_workflow(self, correlation_id: str) -> Self:
        """Groups of the errors of one correlation id."""
        return self.filter(error_logs__correlation_id=correlation_id).distinct()


class AlertQuerySet(StoredRows):
    """`Alert.objects`."""

    time_field = "last_seen_at"

    def unresolved(self) -> Self:
        """Alerts whose metric is not back within its limits."""
        return self.filter(resolved_at=None)

    def critical(self) -> Self:
        """Alerts of the higher level."""
        return self.filter(level="critical")


def _now() -> datetime:
    return datetime.now(UTC)
