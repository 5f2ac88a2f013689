"""When nobody wants to be told."""

from django.db import models

from e2edebug.django.fields import UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug_schema.tables import LAYERS


class MaintenanceWindow(models.Model):
    """A time in which alerts of a layer or component send no messages."""

    id = models.BigAutoField(primary_key=True)
    layer = models.CharField(max_length=16, default="", blank=True, choices=choices_of(LAYERS))
    component = models.CharField(max_length=150, default="", blank=True)
    starts_at = UtcDateTimeField()
    ends_at = UtcDateTimeField()
    reason = models.CharField(max_length=255, default="", blank=True)
    created_by = models.CharField(max_length=150, default="", blank=True)
    created_at = UtcDateTimeField()

    class Meta:
        managed = False
        db_table = "debugging_maintenance_window"
        verbose_name = "maintenance window"

    def __str__(self) -> str:
        return f"{self.layer or 'every layer'} {self.component}: {self.reason}"
