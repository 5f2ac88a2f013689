"""What the evaluator remembers."""

from django.db import models

from e2edebug.django.fields import JsonTextField, UtcDateTimeField
from e2edebug.django.models.alert import Alert
from e2edebug.django.models.choices import choices_of
from e2edebug_schema.tables import LAYERS


class AlertTarget(models.Model):
    """One target that is not plainly well: its state, and what people were told."""

    id = models.BigAutoField(primary_key=True)
    layer = models.CharField(max_length=16, choices=choices_of(LAYERS))
    metric_name = models.CharField(max_length=100)
    component = models.CharField(max_length=150, default="", blank=True)
    alert = models.ForeignKey(
        Alert, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="targets", editable=False
    )
    state = models.CharField(max_length=16, default="ok")
    level = models.CharField(max_length=16, null=True, blank=True)
    memory = JsonTextField()
    told = JsonTextField()
    updated_at = UtcDateTimeField()

    class Meta:
        managed = False
        db_table = "debugging_alert_target"
        verbose_name = "alert target"

    def __str__(self) -> str:
        return f"{self.layer} {self.component} {self.metric_name}: {self.state}"
