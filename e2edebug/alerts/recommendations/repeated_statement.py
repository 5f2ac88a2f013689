"""One statement runs once per row of another one: an N+1."""

from collections import Counter
from typing import Final

from e2edebug.alerts.recommendations.evidence import Evidence, at_line, shortened

FEWEST: Final = 5


def advise(evidence: Evidence) -> str | None:
    """Name the statement that one request repeats most, and the line that does it."""
    worst: tuple[int, str] | None = None
    for request in evidence.requests:
        counts = Counter(step.statement_digest for step in request.of_layer("database") if step.statement_digest)
        if not counts:
            continue
        digest, number = counts.most_common(1)[0]
        if number < FEWEST or (worst is not None and number <= worst[0]):
            continue
        runs = [step for step in request.steps if step.statement_digest == digest]
        total_ms = sum(step.duration_ms or 0.0 for step in runs)
        located = next((step for step in runs if step.code_location), runs[0])
        text = (
            f"One request runs `{shortened(runs[0].statement) or runs[0].component}` {number} times{at_line(located)} "
            f"({total_ms:.0f} ms together): an N+1. Fetch these rows at once, with select_related() or prefetch_related()."
        )
        worst = (number, text)
    return None if worst is None else worst[1]
