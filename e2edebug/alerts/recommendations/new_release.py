"""The trouble began with a new version."""

from datetime import timedelta
from typing import Final

from e2edebug.alerts.quantities import length
from e2edebug.alerts.recommendations.evidence import Evidence

REACH: Final = timedelta(minutes=30)


def advise(evidence: Evidence) -> str | None:
    """Name the last version that was first seen shortly before the alert."""
    before = [one for one in evidence.releases if timedelta() <= evidence.started_at - one.first_seen <= REACH]
    if not before:
        return None
    last = max(before, key=lambda one: (one.first_seen, one.service))
    after = length(evidence.started_at - last.first_seen)
    return (
        f"It began {after} after version {last.service_release} of {last.service or 'the service'} was first seen. Compare "
        "with the version before, and roll back if nothing else explains it."
    )
