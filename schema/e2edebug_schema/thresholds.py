"""Performance thresholds: what one is, and those that hold where nobody has stored others."""

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["warning", "critical"]


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


DEFAULT_THRESHOLDS: Final = (
    Threshold(layer="api", metric_name="response_time", warning=500, critical=2000),
    Threshold(layer="database", metric_name="response_time", warning=100, critical=500),
    Threshold(layer="frontend", metric_name="response_time", warning=200, critical=1000),
    Threshold(layer="system", metric_name="memory_usage", warning=80, critical=95, aggregation="mean"),
    Threshold(layer="system", metric_name="cpu_usage", warning=70, critical=90, aggregation="mean"),
    Threshold(layer="api", metric_name="error_rate", warning=5, critical=10, aggregation="mean"),
    Threshold(layer="cache", metric_name="hit_rate", warning=80, critical=60, aggregation="mean"),
)
"""In milliseconds and percent."""
