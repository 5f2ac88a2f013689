"""The cache does not have what it is asked for."""

from typing import Any, Final

from e2edebug.alerts.recommendations.evidence import Evidence
from e2edebug_schema.queries.alert_evidence import EvidenceStep

FEWEST: Final = 3
SHARE: Final = 0.5


def advise(evidence: Evidence) -> str | None:
    """Name the keys that the examples miss, if they miss most of what they ask for."""
    hits = misses = 0
    by_key: dict[str, int] = {}
    for step in evidence.steps:
        if step.layer != "cache":
            continue
        missed = _number(step, "cache.misses")
        hits += _number(step, "cache.hits")
        misses += missed
        if missed:
            by_key[_key(step)] = by_key.get(_key(step), 0) + missed
    if misses < FEWEST or misses / (hits + misses) < SHARE:
        return None
    key, number = max(by_key.items(), key=lambda item: (item[1], item[0]))
    return (
        f"The cache misses {misses} of {hits + misses} look-ups of these requests, most often `{key}` ({number} times). Look "
        "whether it was emptied, is too small, or whether the time to live of these keys is too short."
    )


def _attributes(step: EvidenceStep) -> dict[str, Any]:
    inner = step.metadata.get("attributes")
    return inner if isinstance(inner, dict) else step.metadata


def _number(step: EvidenceStep, name: str) -> int:
    value = _attributes(step).get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _key(step: EvidenceStep) -> str:
    for name in ("cache.key", "cache.key.shape", "cache.keys"):
        value = _attributes(step).get(name)
        if value:
            return str(value)[:120]
    return step.component
