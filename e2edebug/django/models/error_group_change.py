"""What became of an error group, and who decided it."""

from django.db import models

from e2edebug.django.fields import UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug_schema.tables import GROUP_STATUSES


class ErrorGroupChange(models.Model):
    """One change of an error group's status, by a person or by the error coming back."""

    id = models.BigAutoField(primary_key=True)
    fingerprint = models.CharField(max_length=32)
    fingerprint_version = models.SmallIntegerField(default=1)
    changed_at = UtcDateTimeField()
    old_status = models.CharField(max_length=16, choices=choices_of(GROUP_STATUSES))
    new_status = models.CharField(max_length=16, choices=choices_of(GROUP_STATUSES))
    changed_by = models.CharField(max_length=150, default="", blank=True)
    service_release = models.CharField(max_length=64, null=True, blank=True)
    notes = models.TextField(null=True, blank=True)

    error_group = models.ForeignObject(
        "debugging.ErrorGroup",
        on_delete=models.DO_NOTHING,
        from_fields=["fingerprint", "fingerprint_version"],
        to_fields=["fingerprint", "fingerprint_version"],
        null=True,
        editable=False,
        related_name="changes",
    )

    class Meta:
        managed = False
        db_table = "debugging_error_group_change"
        verbose_name = "error group change"

    def __str__(self) -> str:
        return f"{self.old_status} -> {self.new_status}"
