"""What a person decides in the admin, with who and when: an error is resolved, a group ignored, an alert acknowledged."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from e2edebug.django.models import Alert, AlertEvent, ErrorGroup, ErrorGroupChange, ErrorLog
from e2edebug.django.store_alias import alias_of_store


def resolve_error(error: Any, *, by: str, notes: str | None) -> None:
    """Mark one error as resolved."""
    _write_error(error, resolved=True, resolved_at=timezone.now(), resolved_by=by[:150], resolution_notes=notes)


def reopen_error(error: Any, *, notes: str | None) -> None:
    """Take the mark away."""
    _write_error(error, resolved=False, resolved_at=None, resolved_by=None, resolution_notes=notes)


def _write_error(error: Any, **values: Any) -> None:
    # By its time as well, so that the server looks into one partition.
    ErrorLog.objects.filter(id=error.id, timestamp=error.timestamp).update(**values)
    for name, value in values.items():
        setattr(error, name, value)


def change_group(group: Any, status: str, *, by: str, notes: str | None) -> bool:
    """Give a group a status and keep who did it, when and why. False when there is nothing new in it."""
    with transaction.atomic(using=alias_of_store()):
        # Locked, because a writer may be making it `regressed` at this moment.
        now = ErrorGroup.objects.select_for_update().get(pk=group.pk)
        if now.status == status and (notes or None) == (now.resolution_notes or None):
            return False
        before, now.status, now.resolution_notes = now.status, status, notes or None
        now.save(update_fields=["status", "resolution_notes"])
        ErrorGroupChange.objects.create(
            fingerprint=now.fingerprint,
            fingerprint_version=now.fingerprint_version,
            changed_at=timezone.now(),
            old_status=before,
            new_status=status,
            changed_by=by[:150],
            service_release=now.last_release if status == "resolved" else None,
            notes=notes or None,
        )
    return True


def acknowledge_alert(alert: Any, *, by: str) -> bool:
    """Say that somebody has seen it; False when somebody had before."""
    with transaction.atomic(using=alias_of_store()):
        changed = Alert.objects.filter(pk=alert.pk, acknowledged_at=None).update(
            acknowledged_by=by[:150], acknowledged_at=timezone.now()
        )
        if changed:
            _tell(alert, "acknowledged", by)
    return bool(changed)


def snooze_alert(alert: Any, *, until: datetime, by: str) -> None:
    """Let it be silent until then."""
    with transaction.atomic(using=alias_of_store()):
        Alert.objects.filter(pk=alert.pk).update(snoozed_until=until)
        _tell(alert, "snoozed", by)


def _tell(alert: Any, kind: str, by: str) -> None:
    AlertEvent.objects.create(
        alert_id=alert.pk,
        occurred_at=timezone.now(),
        kind=kind,
        from_state=alert.state,
        to_state=alert.state,
        level=alert.level,
        value=alert.value,
        limit_value=alert.limit_value,
        correlation_id=alert.correlation_id,
        actor=by[:150],
    )
