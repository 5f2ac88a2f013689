"""What people decide about errors, in the admin and over REST. Each decision about a group is kept, without secrets."""

from datetime import UTC, datetime
from typing import Any, Final

from django.db import transaction

from e2edebug.django import models
from e2edebug.django.api import recent_hours
from e2edebug.django.api.recording import clean_text
from e2edebug.django.store_alias import alias_of_store

LONGEST_NOTES: Final = 8192
_LONGEST_NAME: Final = 150


def resolve_error(error: models.ErrorLog, *, by: str, notes: str | None, whole_group: bool = False) -> None:
    """Mark one error as resolved, and its group if that is wanted. Resolving it again replaces the notes, if there are any.

    notes: None leaves those that are there.
    """
    shown = _clean(notes)
    if not error.resolved or shown is not None:
        values: dict[str, Any] = {"resolved": True, "resolved_at": datetime.now(UTC), "resolved_by": by[:_LONGEST_NAME]}
        _write(error, values, shown)
    if whole_group:
        group = models.ErrorGroup.objects.filter(
            fingerprint=error.fingerprint, fingerprint_version=error.fingerprint_version
        ).first()
        if group is not None:
            change_group(group, "resolved", by=by, notes=notes)
    recent_hours.forget()


def reopen_error(error: models.ErrorLog, *, notes: str | None) -> None:
    """Take the mark away. notes: None leaves those that are there."""
    _write(error, {"resolved": False, "resolved_at": None, "resolved_by": None}, _clean(notes))
    recent_hours.forget()


def change_group(
    group: models.ErrorGroup, status: str, *, by: str, notes: str | None, release: str | None = None
) -> bool:
    """Give *group* a new status and keep who did it, when, and why. Returns False, and changes nothing, without news.

    notes: None leaves those that are there. release: of a resolution, the last one that has the error; the last one
    seen unless told.
    """
    shown = _clean(notes)
    with transaction.atomic(using=alias_of_store()):
        # Locked, so that the status before is the one before: a writer may be making it `regressed` just now.
        now = models.ErrorGroup.objects.select_for_update().get(pk=group.pk)
        if now.status == status and release is None and shown in (None, now.resolution_notes or ""):
            return False
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
            changed_by=by[:_LONGEST_NAME],
            service_release=(release or now.last_release) if status == "resolved" else None,
            notes=shown,
        )
    return True


def _clean(notes: str | None) -> str | None:
    return None if notes is None else clean_text(notes, LONGEST_NOTES)


def _write(error: models.ErrorLog, values: dict[str, Any], notes: str | None) -> None:
    if notes is not None:
        values["resolution_notes"] = notes
    # By its time as well: the server then looks into one partition.
    models.ErrorLog.objects.filter(id=error.id, timestamp=error.timestamp).update(**values)
    for name, value in values.items():
        setattr(error, name, value)
