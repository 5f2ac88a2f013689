"""One metric of one component over one interval, or one recorded value."""

from django.db import models

from e2edebug.django.fields import JsonTextField, UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug.django.models.relations import SessionRelation
from e2edebug.django.querysets import PerformanceSnapshotQuerySet
from e2edebug_schema.tables import LAYERS, METRIC_KINDS


class PerformanceSnapshot(models.Model):
    """What a metric was; the correlation id is that of its worst request."""

    id = models.BigAutoField(primary_key=True)
    event_key = models.CharField(max_length=32)
    correlation_id = models.CharField(max_length=64, null=True, blank=True)
    trace_id = models.CharField(max_length=32, null=True, blank=True)
    timestamp = UtcDateTimeField()
    interval_s = models.FloatField(default=0)
    service = models.CharField(max_length=100, default="", blank=True)
    service_instance = models.CharField(max_length=64, default="", blank=True)
    layer = models.CharField(max_length=16, choices=choices_of(LAYERS))
    component = models.CharField(max_length=150, default="", blank=True)
    metric_name = models.CharField(max_length=100)
    metric_kind = models.CharField(max_length=16, default="point", choices=choices_of(METRIC_KINDS))
    metric_value = models.FloatField(null=True, blank=True)
    unit = models.CharField(max_length=16, default="", blank=True)
    count = models.BigIntegerField(default=1)
    sum = models.FloatField(null=True, blank=True)
    min = models.FloatField(null=True, blank=True)
    max = models.FloatField(null=True, blank=True)
    p50 = models.FloatField(null=True, blank=True)
    p95 = models.FloatField(null=True, blank=True)
    p99 = models.FloatField(null=True, blank=True)
    error_count = models.BigIntegerField(default=0)
    buckets = JsonTextField(null=True, blank=True)
    threshold_warning = models.FloatField(null=True, blank=True)
    threshold_critical = models.FloatField(null=True, blank=True)
    metadata = JsonTextField(default=dict)

    workflow_session = SessionRelation(related_name="performance_snapshots")

    objects = PerformanceSnapshotQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "debugging_performance_snapshot"
        verbose_name = "performance snapshot"

    def __str__(self) -> str:
        return f"{self.layer} {self.component} {self.metric_name} {self.metric_value} {self.unit}".rstrip()
