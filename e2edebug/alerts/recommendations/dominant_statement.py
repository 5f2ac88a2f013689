"""One statement takes most of the time."""

from typing import Final

from e2edebug.alerts.quantities import amount
from e2edebug.alerts.recommendations.evidence import Evidence, at_line, shortened
from e2edebug.alerts.recommendations.repeated_statement import FEWEST

SHARE: Final = 0.4


def advise(evidence: Evidence) -> str | None:
    """Name the statement that takes the largest part of the slowest example, if that part is large."""
    for request in evidence.requests:
        by_statement: dict[str, list[float]] = {}
        for step in request.of_layer("database"):
            if step.statement_digest:
                by_statement.setdefault(step.statement_digest, []).append(step.duration_ms or 0.0)
        if not by_statement or not request.duration_ms:
            continue
        digest, durations = max(by_statement.items(), key=lambda item: (sum(item[1]), item[0]))
        share = sum(durations) / request.duration_ms
        if share < SHARE or len(durations) >= FEWEST:
            continue
        step = max(
            (one for one in request.steps if one.statement_digest == digest), key=lambda one: one.duration_ms or 0.0
        )
        return (
            f"One statement takes {min(share, 1):.0%} of the request: `{shortened(step.statement) or step.component}`"
            f"{at_line(step)}, {amount(step.duration_ms or 0.0, 'response_time')}. Run EXPLAIN on it: an index for its "
            "WHERE and ORDER BY columns is missing, or it reads more rows than the page needs."
        )
    return None
