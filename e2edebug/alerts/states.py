"""What the evaluator knows of a target between two looks at it, and what it says has changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, Self

from e2edebug_schema.thresholds import Level

State = Literal["ok", "pending", "firing", "no_data", "flapping"]
Kind = Literal[
    "pending", "cleared", "fired", "escalated", "deescalated", "resolved", "data_missing", "data_back", "flapping",
    "steadied", "withdrawn", "expired",
]  # fmt: skip

OPEN_STATES: Final = ("pending", "firing", "no_data", "flapping")
"""The states in which an alert is not over."""
ALARMING_STATES: Final = ("firing", "no_data", "flapping")
"""Those of which people are told."""


class Target(NamedTuple):
    """What one alert is about. The component '' stands for a whole layer, of which nothing was heard."""

    layer: str
    metric_name: str
    component: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a target measured in the time that its threshold looks at."""

    value: float
    """Aggregated as the threshold says, in the metric's unit."""
    count: int
    """How many values it was made of."""
    examples: tuple[str, ...] = ()
    """Correlation ids of real requests behind the worst of them, the worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """All that a restart must not forget of one target."""

    target: Target
    state: State
    since: datetime
    """When this state began."""
    seen_at: datetime
    """The last evaluation."""
    level: Level | None = None
    started_at: datetime | None = None
    """When the trouble began: the start of the pending period or of the alert."""
    held_s: float = 0.0
    """How long evaluations have seen it pending, recovering, or steady while it flaps: only time that was looked at."""
    silent_s: float = 0.0
    """How long evaluations have seen no data."""
    fires: tuple[datetime, ...] = ()
    """When it fired lately, for telling what flaps."""
    recovering_since: datetime | None = None
    """While it fires: since when its value is back behind the recovery margin."""
    is_over: bool = False
    """While it flaps: on which side of the limit it was last."""

    @property
    def is_open(self) -> bool:
        """An alert is not over."""
        return self.state in OPEN_STATES

    def as_json(self) -> dict[str, Any]:
        """Return what from_json() takes; state and level are columns of their own."""
        return {
            "since": self.since.isoformat(),
            "seen_at": self.seen_at.isoformat(),
            "started_at": None if self.started_at is None else self.started_at.isoformat(),
            "recovering_since": None if self.recovering_since is None else self.recovering_since.isoformat(),
            "held_s": round(self.held_s, 3),
            "silent_s": round(self.silent_s, 3),
            "fires": [moment.isoformat() for moment in self.fires],
            "is_over": self.is_over,
        }

    @classmethod
    def from_json(cls, target: Target, state: State, level: Level | None, memory: Mapping[str, Any]) -> Self:
        """Return the state that as_json() wrote."""
        started_at, recovering_since = memory.get("started_at"), memory.get("recovering_since")
        return cls(
            target=target,
            state=state,
            level=level,
            since=_moment(memory["since"]),
            seen_at=_moment(memory["seen_at"]),
            started_at=None if started_at is None else _moment(started_at),
            recovering_since=None if recovering_since is None else _moment(recovering_since),
            held_s=float(memory.get("held_s", 0)),
            silent_s=float(memory.get("silent_s", 0)),
            fires=tuple(_moment(text) for text in memory.get("fires", ())),
            is_over=bool(memory.get("is_over", False)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of one target, with its evidence."""

    target: Target
    kind: Kind
    at: datetime
    from_state: State
    to_state: State
    level: Level | None
    """The level after it; of a recovery, the level that was left."""
    value: float | None
    limit_value: float | None
    window_s: int
    samples: int
    examples: tuple[str, ...]
    started_at: datetime
    """When the trouble began."""

    @property
    def correlation_id(self) -> str | None:
        """A real request that shows it."""
        return self.examples[0] if self.examples else None


@dataclass(slots=True)
class Verdict:
    """What one evaluation found."""

    transitions: list[Transition] = field(default_factory=list)
    states: dict[Target, AlertState] = field(default_factory=dict)
    """Everything to remember; a target that is not in it is well and has been for long."""


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
