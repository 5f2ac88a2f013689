"""Requests wait for each other's row locks."""

from typing import Final

from e2edebug.alerts.recommendations.evidence import Evidence, at_line, shortened

_SIGNS: Final = (
    ("lock wait timeout", "waited for a row lock until the time was up"),
    ("deadlock", "was ended by a deadlock"),
    ("database is locked", "found the SQLite file locked"),
    ("could not obtain lock", "could not get its lock"),
)


def advise(evidence: Evidence) -> str | None:
    """Name the statement that could not get its lock."""
    for request in evidence.requests:
        for step in request.of_layer("database"):
            said = step.status_message.lower()
            for sign, happened in _SIGNS:
                if sign in said:
                    return (
                        f"A statement {happened}: `{shortened(step.statement) or step.component}`{at_line(step)}. Find the "
                        "transaction that holds its rows for long, make it shorter, and lock rows in one order everywhere."
                    )
    hits = [error for error in evidence.errors if any(sign in error.error_message.lower() for sign, _ in _SIGNS)]
    if hits:
        return (
            f"{len(hits)} of the errors of that time are about locks: {hits[0].error_type}: "
            f"{shortened(hits[0].error_message)}. Make the transactions shorter that change these rows."
        )
    return None
