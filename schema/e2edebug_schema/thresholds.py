"""Performance thresholds: what one is, and those that hold where nobody has stored others."""

from dataclasses import dataclass, field
from typing import Final, Literal

Level = Literal["warning", "critical"]
AGGREGATIONS: Final = ("p50", "p95", "p99", "mean", "max", "min", "last")

DEFAULT_MIN_SAMPLES: Final = {"response_time": 5, "error_rate": 5}
"""How many values a window needs before it raises an alert where no threshold says: one slow request is no trend."""

_PERCENTAGES: Final = frozenset({"error_rate", "hit_rate", "cpu_usage", "memory_usage"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Two limits for one metric of one layer."""

    layer: str
    metric_name: str
    warning: float
    critical: float
    component: str = ""
    """'' holds for each component of the layer; a threshold that names one overrides it."""
    enabled: bool = True
    alert_on_warning: bool = True
    alert_on_critical: bool = True
    aggregation: str = "p95"
    """How the values of a window become one: `p50`, `p95`, `p99`, `mean`, `max`, `min` or `last`."""
    window_s: int = 300
    pending_s: int = 0
    """How long a limit must be passed without a break before it counts."""
    recovery_margin_pct: float = 10.0
    """How far back under the limit, in percent of it, a value must be to count as recovered."""
    min_samples: int = 1
    """How many values a window needs to raise an alert; one that fires may recover with fewer."""
    no_data_s: int = 0
    """Silence for so long is an alert of its own; 0: only an alert that fires notices that its data ends."""
    threshold_id: int | None = field(default=None, compare=False)
    """Its row; None for a default that is not stored."""

    @property
    def lower_is_worse(self) -> bool:
        """The direction is in the pair: a hit rate is critical below its warning."""
        return self.critical < self.warning

    def level_of(self, value: float) -> Level | None:
        """Return the limit that *value* has reached, or None."""
        for level, limit in (("critical", self.critical), ("warning", self.warning)):
            if value <= limit if self.lower_is_worse else value >= limit:
                return "critical" if level == "critical" else "warning"
        return None

    def limit_of(self, level: Level) -> float:
        """Return the limit that *level* stands for."""
        return self.critical if level == "critical" else self.warning

    def recovery_limit_of(self, level: Level) -> float:
        """Return the value at which an alert of *level* has recovered: the limit and its margin.

        Half of the way to 100 % is enough where a share cannot rise by the whole margin.
        """
        limit = self.limit_of(level)
        margin = abs(limit) * self.recovery_margin_pct / 100
        if not self.lower_is_worse:
            return limit - margin
        if self.metric_name in _PERCENTAGES and limit < 100:
            return min(limit + margin, (limit + 100) / 2)
        return limit + margin

    def has_recovered(self, level: Level, value: float) -> bool:
        """Tell whether *value* is far enough on the good side of the limit of *level*."""
        if self.level_of(value) == level or (level == "warning" and self.level_of(value) is not None):
            return False
        back = self.recovery_limit_of(level)
        return value >= back if self.lower_is_worse else value <= back


DEFAULT_THRESHOLDS: Final = (
    Threshold(layer="api", metric_name="response_time", warning=500, critical=2000, min_samples=5),
    Threshold(layer="database", metric_name="response_time", warning=100, critical=500, min_samples=5),
    Threshold(layer="frontend", metric_name="response_time", warning=200, critical=1000, min_samples=5),
    Threshold(layer="system", metric_name="memory_usage", warning=80, critical=95, aggregation="mean"),
    Threshold(layer="system", metric_name="cpu_usage", warning=70, critical=90, aggregation="mean"),
    Threshold(layer="api", metric_name="error_rate", warning=5, critical=10, aggregation="mean", min_samples=5),
    Threshold(layer="cache", metric_name="hit_rate", warning=80, critical=60, aggregation="mean"),
)
"""In milliseconds and percent."""
