"""What a benchmark found, in the form that is printed, stored as JSON, compared and put into the documentation."""

from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any, Literal, Self


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of some measurements and their quartiles."""

    median: float
    low: float
    high: float
    unit: str
    """UCUM where it has one: `us`, `ms`, `s`, `By`; else what is counted: `rows/s`, `instructions`."""

    @classmethod
    def of(cls, values: list[float], unit: str) -> Self:
        """Return the figure of *values*; one alone is its own quartiles."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0], unit)
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(median(values), low, high, unit)


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a benchmark's table: e2edebug, a peer, or the thing without either."""

    name: str
    who: Literal["base", "peer", "ours"]
    figures: dict[str, Figure]
    """By the heading of the column, the same for all cases of a benchmark; one that does not apply is absent."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to reach, and what it was."""

    claim: str
    """In plain words: `CPU added to a request, of what OpenTelemetry's own instrumentation adds`."""
    value: float
    bound: float
    is_upper: bool = True
    unit: str = ""

    @property
    def is_held(self) -> bool:
        """Say whether the value is on the right side of the bound."""
        return self.value <= self.bound if self.is_upper else self.value >= self.bound


@dataclass(frozen=True, slots=True)
class Result:
    """What one benchmark found."""

    name: str
    """That of its module below `benchmarks`."""
    title: str
    explanation: str
    """What was measured, how, and what the figures mean, for somebody who does not know the code. Markdown."""
    cases: list[Case]
    targets: list[Target] = field(default_factory=list)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Further tables by their title: rows of heading and value.

    One called `Growth` (`rows`, then one number a column, in ascending order of rows) is drawn as the chart of growth.
    """
    failures: dict[str, str] = field(default_factory=dict)
    """Cases that could not be measured, and why. The run counts as failed; what else was measured is kept."""

    def as_json(self) -> dict[str, Any]:
        """Return what `json.dumps` takes and :meth:`from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Return the result that :meth:`as_json` gave."""
        cases = [
            Case(case["name"], case["who"], {name: Figure(**figure) for name, figure in case["figures"].items()})
            for case in stored["cases"]
        ]
        return cls(**{**stored, "cases": cases, "targets": [Target(**target) for target in stored["targets"]]})
