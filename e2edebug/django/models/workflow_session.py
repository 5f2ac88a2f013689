"""One workflow: everything that happened under one correlation id."""

from django.db import models

from e2edebug.django.fields import JsonTextField, UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug.django.models.relations import SessionRelation
from e2edebug.django.querysets import WorkflowSessionQuerySet
from e2edebug_schema.tables import SESSION_STATUSES


class WorkflowSession(models.Model):
    """A workflow from its first request to its last, with the summary of its steps."""

    id = models.BigAutoField(primary_key=True)
    correlation_id = models.CharField(max_length=64, unique=True)
    workflow_type = models.CharField(max_length=100, default="api_call")
    user_id = models.CharField(max_length=64, null=True, blank=True)
    user_label = models.CharField(max_length=150, null=True, blank=True)
    session_key = models.CharField(max_length=64, null=True, blank=True)
    trace_id = models.CharField(max_length=32, null=True, blank=True)
    parent_correlation_id = models.CharField(max_length=64, null=True, blank=True)
    root_operation = models.CharField(max_length=255, default="", blank=True)
    service = models.CharField(max_length=100, default="", blank=True)
    service_release = models.CharField(max_length=64, null=True, blank=True)
    start_time = UtcDateTimeField()
    end_time = UtcDateTimeField(null=True, blank=True)
    duration_ms = models.FloatField(null=True, blank=True)
    status = models.CharField(max_length=16, default="in_progress", choices=choices_of(SESSION_STATUSES))
    status_rank = models.SmallIntegerField(default=0)
    step_count = models.IntegerField(default=0)
    query_count = models.IntegerField(default=0)
    error_count = models.IntegerField(default=0)
    repeat_count = models.IntegerField(default=0)
    repeat_digest = models.CharField(max_length=32, null=True, blank=True)
    repeat_statement = models.CharField(max_length=255, null=True, blank=True)
    slowest_step = models.CharField(max_length=255, null=True, blank=True)
    slowest_ms = models.FloatField(null=True, blank=True)
    metadata = JsonTextField(null=True, blank=True)

    parent = SessionRelation(column="parent_correlation_id", related_name="children")

    objects = WorkflowSessionQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "debugging_workflow_session"
        verbose_name = "workflow session"
        permissions = [("view_personal_data", "Can see who it was: users, addresses, browsers")]

    def __str__(self) -> str:
        return f"{self.workflow_type} {self.correlation_id} ({self.status})"
