"""One metric of one component over a whole hour, all processes together."""

from django.db import models

from e2edebug.django.fields import JsonTextField, UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug_schema.tables import LAYERS


class PerformanceRollup(models.Model):
    """What the snapshots of an hour come to: a copy, made to be read quickly. It holds while its RollupHour does."""

    id = models.BigAutoField(primary_key=True)
    period_start = UtcDateTimeField()
    service = models.CharField(max_length=100, default="", blank=True)
    layer = models.CharField(max_length=16, choices=choices_of(LAYERS))
    component = models.CharField(max_length=150, default="", blank=True)
    metric_name = models.CharField(max_length=100)
    unit = models.CharField(max_length=16, default="", blank=True)
    count = models.BigIntegerField(default=0)
    sum = models.FloatField(null=True, blank=True)
    min = models.FloatField(null=True, blank=True)
    max = models.FloatField(null=True, blank=True)
    error_count = models.BigIntegerField(default=0)
    buckets = JsonTextField(null=True, blank=True)
    correlation_id = models.CharField(max_length=64, null=True, blank=True)

    class Meta:
        managed = False
        db_table = "debugging_performance_rollup"
        verbose_name = "performance roll-up"

    def __str__(self) -> str:
        return f"{self.period_start} {self.layer} {self.component} {self.metric_name}"
