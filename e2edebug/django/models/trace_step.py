"""One step of a workflow: a span."""

from django.db import models

from e2edebug.django.fields import JsonTextField, UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug.django.models.relations import SessionRelation
from e2edebug.django.querysets import TraceStepQuerySet
from e2edebug_schema.tables import LAYERS, STEP_STATUSES


class TraceStep(models.Model):
    """An operation of one component in one layer, with its duration."""

    id = models.BigAutoField(primary_key=True)
    correlation_id = models.CharField(max_length=64)
    trace_id = models.CharField(max_length=32)
    span_id = models.CharField(max_length=16)
    parent_span_id = models.CharField(max_length=16, null=True, blank=True)
    layer = models.CharField(max_length=16, choices=choices_of(LAYERS))
    component = models.CharField(max_length=150, default="", blank=True)
    operation = models.CharField(max_length=255, default="", blank=True)
    kind = models.CharField(max_length=16, default="internal")
    service = models.CharField(max_length=100, default="", blank=True)
    start_time = UtcDateTimeField()
    end_time = UtcDateTimeField(null=True, blank=True)
    duration_ms = models.FloatField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=choices_of(STEP_STATUSES))
    status_message = models.CharField(max_length=1024, default="", blank=True)
    statement = models.TextField(null=True, blank=True)
    statement_digest = models.CharField(max_length=32, null=True, blank=True)
    code_location = models.CharField(max_length=255, null=True, blank=True)
    metadata = JsonTextField(default=dict)

    workflow_session = SessionRelation(related_name="trace_steps")

    objects = TraceStepQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "debugging_trace_step"
        verbose_name = "trace step"

    def __str__(self) -> str:
        return f"{self.layer} {self.component} {self.operation} ({self.status})"
