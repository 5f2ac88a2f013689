"""Errors happen at the same time and in the same place."""

from collections import Counter

from e2edebug.alerts.recommendations.evidence import Evidence, shortened


def advise(evidence: Evidence) -> str | None:
    """Name the error that happens most where the alert is."""
    if not evidence.errors:
        return None
    fingerprint, number = Counter(error.fingerprint for error in evidence.errors).most_common(1)[0]
    error = next(one for one in evidence.errors if one.fingerprint == fingerprint)
    where = f"{error.component} ({error.layer})" if error.component else error.layer
    times = "once" if number == 1 else f"{number} times"
    example = f" `e2edebug show {error.correlation_id} --stack` shows where." if error.correlation_id else ""
    return f"{error.error_type} happened {times} in {where} meanwhile: {shortened(error.error_message)}.{example}"
