"""Who may do the work that must be done once."""

from django.db import models

from e2edebug.django.fields import UtcDateTimeField


class Lease(models.Model):
    """A right that one process at a time holds, until it expires."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    holder = models.CharField(max_length=150, default="", blank=True)
    fence = models.BigIntegerField(default=0)
    acquired_at = UtcDateTimeField()
    renewed_at = UtcDateTimeField()
    expires_at = UtcDateTimeField()

    class Meta:
        managed = False
        db_table = "debugging_lease"
        verbose_name = "lease"

    def __str__(self) -> str:
        return f"{self.name}: {self.holder or 'free'}"
