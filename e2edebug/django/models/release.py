"""The versions that were seen."""

from django.db import models

from e2edebug.django.fields import UtcDateTimeField


class Release(models.Model):
    """One version of one service, as marks on every series."""

    id = models.BigAutoField(primary_key=True)
    service = models.CharField(max_length=100, default="", blank=True)
    service_release = models.CharField(max_length=64)
    first_seen = UtcDateTimeField()
    last_seen = UtcDateTimeField()

    class Meta:
        managed = False
        db_table = "debugging_release"
        verbose_name = "release"

    def __str__(self) -> str:
        return f"{self.service} {self.service_release}"
