"""What people were told."""

from django.db import models

from e2edebug.django.fields import JsonTextField, UtcDateTimeField
from e2edebug.django.models.choices import choices_of
from e2edebug_schema.alert_tables import NOTIFICATION_STATUSES


class Notification(models.Model):
    """One message of one route, and how its delivery went."""

    id = models.BigAutoField(primary_key=True)
    event_key = models.CharField(max_length=32, unique=True)
    route = models.CharField(max_length=100)
    kind = models.CharField(max_length=16)
    status = models.CharField(max_length=16, default="waiting", choices=choices_of(NOTIFICATION_STATUSES))
    level = models.CharField(max_length=16, null=True, blank=True)
    alert_ids = JsonTextField()
    subject = models.CharField(max_length=255, default="", blank=True)
    message = models.TextField()
    payload = JsonTextField()
    created_at = UtcDateTimeField()
    next_attempt_at = UtcDateTimeField()
    attempts = models.IntegerField(default=0)
    claimed_by = models.CharField(max_length=150, default="", blank=True)
    claimed_until = UtcDateTimeField(null=True, blank=True)
    sent_at = UtcDateTimeField(null=True, blank=True)
    is_possible_repeat = models.BooleanField(default=False)
    last_error = models.CharField(max_length=1024, default="", blank=True)

    class Meta:
        managed = False
        db_table = "debugging_notification"
        verbose_name = "notification"

    def __str__(self) -> str:
        return f"{self.route}: {self.subject}"
