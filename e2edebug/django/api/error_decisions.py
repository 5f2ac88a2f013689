"""What people decide about errors: resolved, ignored, open again. Each decision about a group is kept."""

from datetime import UTC, datetime

from django.db import transaction

from e2edebug.django import models
from e2edebug.django.api import recent_hours
from e2edebug.django.api.recording import clean_text
from e2edebug.django.store_alias import alias_of_store

LONGEST_NOTES = 8192


def resolve_error(error: models.ErrorLog, *, by: str, notes: str | None, whole_group: bool) -> None:
    """Mark one error as resolved, and its group if that is wanted. Resolving it again replaces the notes, if there are any."""
    shown = None if notes is None else clean_text(notes, LONGEST_NOTES)
    if not error.resolved or shown is not None:
        error.resolved = True
        error.resolved_at = datetime.now(UTC)
        error.resolved_by = by
        error.resolution_notes = shown if shown is not None else error.resolution_notes
        # By its time as well: the server then looks into one partition.
        models.ErrorLog.objects.filter(id=error.id, timestamp=error.timestamp).update(
            resolved=True,
            resolved_at=error.resolved_at,
            resolved_by=error.resolved_by,
            resolution_notes=error.resolution_notes,
        )
    if whole_group:
        group = models.ErrorGroup.objects.filter(
            fingerprint=error.fingerprint, fingerprint_version=error.fingerprint_version
        ).first()
        if group is not None:
            change_group(group, "resolved", by=by, notes=notes, release=None)
    recent_hours.forget()


def change_group(
    group: models.ErrorGroup, status: str, *, by: str, notes: str | None, release: str | None
) -> models.ErrorGroup:
    """Give *group* a new status and keep who did it, when, and why. Without news nothing changes.

    release: of a resolution, the last one that has the error; the last one seen unless told.
    """
    shown = None if notes is None else clean_text(notes, LONGEST_NOTES)
    with transaction.atomic(using=alias_of_store()):
        # Locked, so that the status before is the one before: a writer may be making it `regressed` just now.
        now = models.ErrorGroup.objects.select_for_update().get(pk=group.pk)
        if now.status == status and shown is None and release is None:
            return now
        before, now.status = now.status, status
        if shown is not None:
            now.resolution_notes = shown
        now.save(update_fields=["status", "resolution_notes"])
        models.ErrorGroupChange.objects.create(
            fingerprint=now.fingerprint,
            fingerprint_version=now.fingerprint_version,
            changed_at=datetime.now(UTC),
            old_status=before,
            new_status=status,
            changed_by=by,
            service_release=(release or now.last_release) if status == "resolved" else None,
            notes=shown,
        )
    return now
