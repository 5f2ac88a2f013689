"""How an alert came about."""

from django.db import models

from e2edebug.django.fields import UtcDateTimeField
from e2edebug.django.models.alert import Alert


class AlertEvent(models.Model):
    """One change of an alert with its evidence, or what somebody did about it."""

    id = models.BigAutoField(primary_key=True)
    alert = models.ForeignKey(Alert, on_delete=models.DO_NOTHING, db_constraint=False, related_name="events")
    occurred_at = UtcDateTimeField()
    kind = models.CharField(max_length=16)
    from_state = models.CharField(max_length=16, default="", blank=True)
    to_state = models.CharField(max_length=16, default="", blank=True)
    level = models.CharField(max_length=16, null=True, blank=True)
    value = models.FloatField(null=True, blank=True)
    limit_value = models.FloatField(null=True, blank=True)
    window_s = models.IntegerField(default=0)
    samples = models.BigIntegerField(default=0)
    correlation_id = models.CharField(max_length=64, null=True, blank=True)
    actor = models.CharField(max_length=150, default="", blank=True)
    note = models.TextField(null=True, blank=True)

    class Meta:
        managed = False
        db_table = "debugging_alert_event"
        verbose_name = "alert event"

    def __str__(self) -> str:
        return f"{self.kind} at {self.occurred_at}"
