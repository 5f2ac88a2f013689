"""Errors that are the same mistake."""

from django.db import models

from e2edebug.django.fields import UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug.django.querysets import ErrorGroupQuerySet
from e2edebug_schema.tables import GROUP_STATUSES, LAYERS


class ErrorGroup(models.Model):
    """All errors of one fingerprint, counted, with what has been decided about them."""

    id = models.BigAutoField(primary_key=True)
    fingerprint = models.CharField(max_length=32)
    fingerprint_version = models.SmallIntegerField(default=1)
    title = models.CharField(max_length=255, default="", blank=True)
    error_type = models.CharField(max_length=255, default="", blank=True)
    layer = models.CharField(max_length=16, choices=choices_of(LAYERS))
    component = models.CharField(max_length=150, default="", blank=True)
    first_seen = UtcDateTimeField()
    last_seen = UtcDateTimeField()
    first_release = models.CharField(max_length=64, null=True, blank=True)
    last_release = models.CharField(max_length=64, null=True, blank=True)
    occurrences = models.BigIntegerField(default=0)
    status = models.CharField(max_length=16, default="unresolved", choices=choices_of(GROUP_STATUSES))
    resolution_notes = models.TextField(null=True, blank=True)
    error_class = models.CharField(max_length=32, default="", blank=True)

    objects = ErrorGroupQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "debugging_error_group"
        verbose_name = "error group"
        constraints = [
            models.UniqueConstraint(fields=["fingerprint", "fingerprint_version"], name="uq_group_fingerprint"),
        ]

    def __str__(self) -> str:
        return f"{self.title or self.error_type} ({self.occurrences} times, {self.status})"
