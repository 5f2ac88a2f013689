"""The limits from which on a metric raises an alert."""

from django.db import models

from e2edebug.django.fields import UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug_schema.tables import LAYERS


class PerformanceThreshold(models.Model):
    """Two limits of one metric of one layer, for each component ('') or for one."""

    id = models.BigAutoField(primary_key=True)
    metric_name = models.CharField(max_length=100)
    layer = models.CharField(max_length=16, choices=choices_of(LAYERS))
    component = models.CharField(max_length=150, default="", blank=True)
    warning_threshold = models.FloatField()
    critical_threshold = models.FloatField()
    enabled = models.BooleanField(default=True)
    alert_on_warning = models.BooleanField(default=True)
    alert_on_critical = models.BooleanField(default=True)
    aggregation = models.CharField(max_length=16, default="p95")
    window_s = models.IntegerField(default=300)
    pending_s = models.IntegerField(default=0)
    recovery_margin_pct = models.FloatField(default=10)
    created_at = UtcDateTimeField(auto_now_add=True)
    updated_at = UtcDateTimeField(auto_now=True)

    class Meta:
        managed = False
        db_table = "debugging_performance_threshold"
        verbose_name = "performance threshold"
        constraints = [
            models.UniqueConstraint(fields=["layer", "metric_name", "component"], name="uq_threshold_target"),
        ]

    def __str__(self) -> str:
        target = f"{self.layer} {self.component}".rstrip()
        return f"{target} {self.metric_name}: {self.warning_threshold:g} / {self.critical_threshold:g}"
