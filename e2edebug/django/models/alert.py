"""A threshold that was passed."""

from django.db import models

from e2edebug.django.fields import UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug.django.models.performance_threshold import PerformanceThreshold
from e2edebug.django.models.relations import SessionRelation
from e2edebug.django.querysets import AlertQuerySet
from e2edebug_schema.tables import LAYERS


class Alert(models.Model):
    """What passed which limit, since when, and what to do about it."""

    id = models.BigAutoField(primary_key=True)
    threshold = models.ForeignKey(
        PerformanceThreshold, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="alerts"
    )
    layer = models.CharField(max_length=16, choices=choices_of(LAYERS))
    component = models.CharField(max_length=150, default="", blank=True)
    metric_name = models.CharField(max_length=100)
    level = models.CharField(max_length=16)
    state = models.CharField(max_length=16)
    value = models.FloatField(null=True, blank=True)
    limit_value = models.FloatField(null=True, blank=True)
    started_at = UtcDateTimeField()
    last_seen_at = UtcDateTimeField()
    resolved_at = UtcDateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, null=True, blank=True)
    acknowledged_at = UtcDateTimeField(null=True, blank=True)
    snoozed_until = UtcDateTimeField(null=True, blank=True)
    correlation_id = models.CharField(max_length=64, null=True, blank=True)
    recommendation = models.TextField(null=True, blank=True)

    workflow_session = SessionRelation(related_name="alerts")

    objects = AlertQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "debugging_alert"
        verbose_name = "alert"

    def __str__(self) -> str:
        return f"{self.level}: {self.layer} {self.component} {self.metric_name}"
