"""One occurrence of an error."""

from django.db import models

from e2edebug.django.fields import JsonTextField, UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug.django.models.relations import SessionRelation
from e2edebug.django.querysets import ErrorLogQuerySet
from e2edebug_schema.tables import LAYERS, SEVERITIES


class ErrorLog(models.Model):
    """An exception or error with its stack, the request it happened in, and whether it is resolved."""

    id = models.BigAutoField(primary_key=True)
    event_key = models.CharField(max_length=32)
    correlation_id = models.CharField(max_length=64, null=True, blank=True)
    trace_id = models.CharField(max_length=32, null=True, blank=True)
    span_id = models.CharField(max_length=16, null=True, blank=True)
    timestamp = UtcDateTimeField()
    layer = models.CharField(max_length=16, choices=choices_of(LAYERS))
    component = models.CharField(max_length=150, default="", blank=True)
    severity = models.CharField(max_length=16, default="error", choices=choices_of(SEVERITIES))
    error_type = models.CharField(max_length=255)
    error_message = models.TextField()
    stack_trace = models.TextField()
    fingerprint = models.CharField(max_length=32)
    fingerprint_version = models.SmallIntegerField(default=1)
    user_id = models.CharField(max_length=64, null=True, blank=True)
    request_path = models.CharField(max_length=1024, null=True, blank=True)
    request_method = models.CharField(max_length=16, null=True, blank=True)
    user_agent = models.CharField(max_length=512, null=True, blank=True)
    ip_address = models.CharField(max_length=45, null=True, blank=True)
    resolved = models.BooleanField(default=False)
    resolution_notes = models.TextField(null=True, blank=True)
    resolved_at = UtcDateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=150, null=True, blank=True)
    service = models.CharField(max_length=100, default="", blank=True)
    service_release = models.CharField(max_length=64, null=True, blank=True)
    metadata = JsonTextField(default=dict)
    error_class = models.CharField(max_length=32, default="", blank=True)

    workflow_session = SessionRelation(related_name="error_logs")
    error_group = models.ForeignObject(
        "debugging.ErrorGroup",
        on_delete=models.DO_NOTHING,
        from_fields=["fingerprint", "fingerprint_version"],
        to_fields=["fingerprint", "fingerprint_version"],
        null=True,
        editable=False,
        related_name="error_logs",
    )

    objects = ErrorLogQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "debugging_error_log"
        verbose_name = "error log"

    def __str__(self) -> str:
        return f"{self.error_type} in {self.component or self.layer}"
