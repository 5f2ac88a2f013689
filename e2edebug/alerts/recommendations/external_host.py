"""Requests wait for somebody else's server."""

from typing import Final

from e2edebug.alerts.quantities import amount
from e2edebug.alerts.recommendations.evidence import Evidence, at_line

SHARE: Final = 0.4


def advise(evidence: Evidence) -> str | None:
    """Name the host that the slowest example waits for, if that is a large part of it, or that fails."""
    for request in evidence.requests:
        by_host: dict[str, float] = {}
        for step in request.of_layer("external"):
            by_host[step.component] = by_host.get(step.component, 0.0) + (step.duration_ms or 0.0)
        if not by_host or not request.duration_ms:
            continue
        host, total_ms = max(by_host.items(), key=lambda item: (item[1], item[0]))
        calls = [step for step in request.of_layer("external") if step.component == host]
        failed = [step for step in calls if step.status == "failed"]
        share = total_ms / request.duration_ms
        if share < SHARE and not failed:
            continue
        said = f" and {len(failed)} of {len(calls)} calls fail" if failed else ""
        return (
            f"The request waits {amount(total_ms, 'response_time')} ({min(share, 1):.0%}) for {host}{at_line(calls[0])}{said}. "
            "Look at that service's status; give the call a short timeout and a fallback, or move it out of the request."
        )
    return None
