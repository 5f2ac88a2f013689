"""Which hours of metrics are summed up."""

from django.db import models

from e2edebug.django.fields import UtcDateTimeField


class RollupHour(models.Model):
    """One hour whose roll-up holds while `summed_version` is `version`."""

    id = models.BigAutoField(primary_key=True)
    period_start = UtcDateTimeField(unique=True)
    claimed_at = UtcDateTimeField()
    version = models.BigIntegerField(default=1)
    summed_version = models.BigIntegerField(null=True, blank=True)

    class Meta:
        managed = False
        db_table = "debugging_rollup_hour"
        verbose_name = "rolled up hour"

    def __str__(self) -> str:
        return f"{self.period_start}"
