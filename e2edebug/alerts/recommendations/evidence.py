"""What a rule may look at: one alert, example requests with their steps, errors and releases of the time."""

from dataclasses import dataclass
from datetime import datetime

from e2edebug.alerts.states import Target
from e2edebug_schema.queries.alert_evidence import EvidenceError, EvidenceStep, SeenRelease


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The facts about one alert. A rule says nothing where they do not show what it would say."""

    target: Target
    started_at: datetime
    steps: tuple[EvidenceStep, ...] = ()
    """Those of the example requests."""
    errors: tuple[EvidenceError, ...] = ()
    """Those of the example requests and of the target's component during the window."""
    releases: tuple[SeenRelease, ...] = ()
    """Versions that were first seen shortly before."""

    @property
    def requests(self) -> list["ExampleRequest"]:
        """Return the example requests, the longest first."""
        by_id: dict[str, list[EvidenceStep]] = {}
        for step in self.steps:
            by_id.setdefault(step.correlation_id, []).append(step)
        found = [ExampleRequest(correlation_id, tuple(steps)) for correlation_id, steps in by_id.items()]
        return sorted(found, key=lambda one: (-one.duration_ms, one.correlation_id))


@dataclass(frozen=True, slots=True)
class ExampleRequest:
    """One request behind the alert."""

    correlation_id: str
    steps: tuple[EvidenceStep, ...]

    @property
    def duration_ms(self) -> float:
        """How long it took: the longest of its steps, which is the request itself where it was recorded."""
        return max((step.duration_ms or 0.0 for step in self.steps), default=0.0)

    def of_layer(self, layer: str) -> list[EvidenceStep]:
        """Return its steps of one layer."""
        return [step for step in self.steps if step.layer == layer]


def shortened(statement: str | None, most: int = 160) -> str:
    """Return a statement on one line, cut where it is long."""
    text = " ".join((statement or "").split())
    return text if len(text) <= most else text[: most - 1] + "…"


def at_line(step: EvidenceStep) -> str:
    """Return ` at shop/views.py:31`, or nothing where the line is not known."""
    return f" at {step.code_location}" if step.code_location else ""
