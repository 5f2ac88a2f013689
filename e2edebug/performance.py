"""Metrics by hand, and what the stored ones say: over which limits, in which direction."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Literal, Self, TypedDict

from opentelemetry import trace

from e2edebug.policy import attributes
from e2edebug.policy import correlation_id as correlation_ids
from e2edebug.policy.plain_values import plain, text_of
from e2edebug.policy.self_report import internal_error
from e2edebug.workflow_tracer import checked_layer
from e2edebug_instrumentation.correlation.current import current_correlation_id

UNITS: Final = {
    "response_time": "ms",
    "error_rate": "%",
    "cpu_usage": "%",
    "memory_usage": "%",
    "hit_rate": "%",
    "throughput": "1/s",
}
"""The units of the metrics that thresholds know."""

_STEADY_FRACTION: Final = 0.05
"""A trend smaller than this part of the average over the whole span of time is `stable`."""


class Alert(TypedDict):
    """A limit that is passed now."""

    level: Literal["warning", "critical"]
    layer: str
    component: str
    metric_name: str
    value: float
    """In the metric's unit: ms or percent."""
    threshold: float
    """The limit that was reached."""
    correlation_id: str | None
    """A workflow behind the worst value, to look at."""


class DataPoint(TypedDict):
    """One period of a trend."""

    timestamp: datetime
    """Its start, UTC."""
    value: float
    count: int


class Compared(TypedDict):
    """One value for a whole period."""

    value: float | None
    samples: int
    change_pct: float | None
    """How much more it is now than then."""


class ReleaseMark(TypedDict):
    """A version that was new."""

    timestamp: datetime
    service: str
    release: str


class AlertMark(TypedDict):
    """An alert that began."""

    timestamp: datetime
    level: str
    resolved_at: datetime | None


class Trend(TypedDict):
    """How a metric developed."""

    direction: Literal["increasing", "decreasing", "stable", "no_data"]
    average: float | None
    min: float | None
    max: float | None
    data_points: list[DataPoint]
    """Oldest first; periods without values are left out."""
    compared: dict[str, Compared]
    """The whole period as `now`, and the same length `before` it, `yesterday` and `last_week`."""
    releases: list[ReleaseMark]
    """Versions that were first seen meanwhile, oldest first."""
    alerts: list[AlertMark]
    """Alerts of this target that began meanwhile, oldest first."""


class PerformanceMonitor:
    """Record metrics that no instrumentation sees, and ask what the stored ones say."""

    @staticmethod
    def record_metric(
        layer: str,
        component: str,
        metric_name: str,
        metric_value: float,
        correlation_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        *,
        unit: str | None = None,
        threshold_warning: float | None = None,
        threshold_critical: float | None = None,
    ) -> None:
        """Store one value as one row of `debugging_performance_snapshot`.

        layer: frontend, api, database, cache, external or system. correlation_id: the current workflow's, unless
        given. unit: known for the metrics of UNITS. Raises ValueError for an unknown layer and TypeError for a value
        that is no number, mistakes in the code; never for what goes wrong on the way.
        """
        if isinstance(metric_value, bool) or not isinstance(metric_value, (int, float)):
            raise TypeError(f"metric_value={metric_value!r} of {metric_name!r} is not a number")
        point = _Point(
            layer=checked_layer(layer),
            component=text_of(component),
            metric_name=text_of(metric_name),
            value=metric_value,
            unit=UNITS.get(metric_name, "") if unit is None else unit,
            correlation_id=correlation_ids.accept(correlation_id) or current_correlation_id(),
        )
        if threshold_warning is not None:
            point.attributes[attributes.THRESHOLD_WARNING] = float(threshold_warning)
        if threshold_critical is not None:
            point.attributes[attributes.THRESHOLD_CRITICAL] = float(threshold_critical)
        if metadata:
            point.attributes[attributes.METADATA] = plain(metadata)
        try:
            _send(point)
        except Exception as error:  # noqa: BLE001 - telemetry never breaks its host
            internal_error("record a metric", error)

    @staticmethod
    def check_thresholds() -> list[Alert]:
        """Return what is over its limit now, critical first, worst first within a level.

        While an evaluator runs (`e2edebug evaluate`), its alerts are returned: those with a pending period, a recovery
        margin and a least number of samples behind them. Else each threshold is judged here by its own window (five
        minutes by default). Raises StoreUnavailable when the store cannot be read.
        """
        from e2edebug.runtime.store_access import open_for_reading

        with open_for_reading() as engine:
            return limits_passed(engine, now=datetime.now(UTC))

    @staticmethod
    def analyze_trends(layer: str, component: str, metric_name: str, hours: float = 24) -> Trend:
        """Return how a metric of a component developed over the last *hours*.

        The points are p95 of each twenty-fourth of that time (at least a minute) for times, the mean for other
        metrics. The direction is that of the straight line through the points, `stable` while the line rises or falls
        by less than 5 % of the average. Beside the points stand the same period before, yesterday and last week, and what
        happened meanwhile: new releases, and alerts as the evaluator keeps them. Raises StoreUnavailable when the store cannot be read.
        """
        from e2edebug.alerts import trends
        from e2edebug.runtime.store_access import open_for_reading
        from e2edebug_schema.queries.snapshots import merged_histograms

        if hours <= 0:
            raise ValueError(f"hours={hours!r} is not a positive number of hours")
        now = datetime.now(UTC)
        since = now - timedelta(hours=hours)
        aggregation = "p95" if metric_name == "response_time" else "mean"
        target = {"layer": checked_layer(layer), "component": component, "metric_name": metric_name}
        stored_as = "response_time" if metric_name == "error_rate" else metric_name
        with open_for_reading() as engine:
            summaries = merged_histograms(
                engine,
                since=since,
                metric_name=stored_as,
                layer=checked_layer(layer),
                component=component,
                period_s=max(60, round(hours * 3600 / 24)),
            )
            compared = trends.compare(engine, **target, aggregation=aggregation, since=since, until=now)
            marks = trends.marks(engine, **target, since=since, until=now)
        points = [
            DataPoint(timestamp=summary.period_start, value=value, count=summary.count)
            for summary in summaries
            if summary.period_start is not None
            and (value := _aggregated(summary, metric_name, aggregation)) is not None
        ]
        values = [point["value"] for point in points]
        return Trend(
            direction=_direction(points) if points else "no_data",
            average=sum(values) / len(values) if values else None,
            min=min(values, default=None),
            max=max(values, default=None),
            data_points=points,
            compared={
                name: Compared(value=one.value, samples=one.samples, change_pct=one.change_pct)
                for name, one in compared.items()
            },
            releases=[
                ReleaseMark(timestamp=one.first_seen, service=one.service, release=one.service_release)
                for one in marks.releases
            ],
            alerts=[
                AlertMark(timestamp=one.started_at, level=one.level, resolved_at=one.resolved_at)
                for one in marks.alerts
            ],
        )

    @staticmethod
    def track_memory_usage(operation_name: str, correlation_id: str | None = None) -> "MemoryTracking":
        """Record this process's memory now, as `memory_usage` in percent of the machine's.

        In a `with` statement the end is recorded as well, with the growth in bytes in its metadata.
        """
        return MemoryTracking(operation_name, correlation_id)


def limits_passed(source: Any, *, now: datetime) -> list[Alert]:
    """Return what is over its limit at *now*, as check_thresholds() does. source: an engine or connection."""
    from e2edebug.alerts.current import current_alerts

    return [
        Alert(
            level=one.level,
            layer=one.target.layer,
            component=one.target.component,
            metric_name=one.target.metric_name,
            value=one.value,
            threshold=one.limit,
            correlation_id=one.correlation_id,
        )
        for one in current_alerts(source, now=now)
    ]


class MemoryTracking:
    """What `track_memory_usage` returns."""

    def __init__(self, operation_name: str, correlation_id: str | None) -> None:
        self._operation_name = operation_name
        self._correlation_id = correlation_id
        self._rss_bytes_at_start = self._record({"at": "start"})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._record({"at": "end"}, since_bytes=self._rss_bytes_at_start)

    def _record(self, metadata: dict[str, object], *, since_bytes: int | None = None) -> int | None:
        try:
            import psutil

            rss_bytes = int(psutil.Process().memory_info().rss)
            percent = 100.0 * rss_bytes / psutil.virtual_memory().total
        except Exception as error:  # noqa: BLE001 - /proc may be hidden from us; telemetry never breaks its host
            internal_error("read this process's memory", error)
            return None
        metadata["rss_bytes"] = rss_bytes
        if since_bytes is not None:
            metadata["growth_bytes"] = rss_bytes - since_bytes
        PerformanceMonitor.record_metric(
            "system", self._operation_name, "memory_usage", percent, self._correlation_id, metadata
        )
        return rss_bytes


@dataclass(slots=True)
class _Point:
    layer: str
    component: str
    metric_name: str
    value: float
    unit: str
    correlation_id: str | None
    attributes: dict[str, Any] = field(default_factory=dict)


def _send(point: _Point) -> None:
    """Hand *point* over as the OpenTelemetry metric that it is; its own id keeps equal values apart."""
    from e2edebug.runtime import lifecycle

    runtime = lifecycle.current()
    if runtime is None:
        return
    from opentelemetry.sdk.metrics.export import Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics
    from opentelemetry.sdk.metrics.export import ScopeMetrics as MetricsOfScope
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    now = time.time_ns()
    ids = trace.get_current_span().get_span_context()
    fields: dict[str, Any] = {
        attributes.LAYER: point.layer,
        attributes.COMPONENT: point.component,
        attributes.POINT: uuid.uuid4().hex,
        **point.attributes,
    }
    if point.correlation_id is not None:
        fields[attributes.CORRELATION_ID] = point.correlation_id
    if ids.is_valid:
        fields["trace_id"] = format(ids.trace_id, "032x")
    data_point = NumberDataPoint(
        attributes=fields, start_time_unix_nano=now, time_unix_nano=now, value=point.value, exemplars=[]
    )
    metric = Metric(name=point.metric_name, description="", unit=point.unit, data=Gauge(data_points=[data_point]))
    scope = MetricsOfScope(scope=InstrumentationScope("e2edebug.performance"), metrics=[metric], schema_url="")
    runtime.pipeline.put_metrics(
        MetricsData([ResourceMetrics(resource=runtime.resource, scope_metrics=[scope], schema_url="")])
    )


def _aggregated(summary: Any, metric_name: str, aggregation: str) -> float | None:
    """One value for a window: an error rate is counted, everything else comes from the merged histogram."""
    if metric_name == "error_rate":
        return 100.0 * summary.error_count / summary.count if summary.count else None
    value: float | None = getattr(summary, aggregation, None) if aggregation != "last" else summary.mean
    return value


def _direction(points: list[DataPoint]) -> Literal["increasing", "decreasing", "stable"]:
    """The sign of the least-squares line through *points*, unless it is nearly level."""
    times = [point["timestamp"].timestamp() for point in points]
    values = [point["value"] for point in points]
    middle, average = sum(times) / len(times), sum(values) / len(values)
    spread = sum((moment - middle) ** 2 for moment in times)
    if not spread:
        return "stable"
    slope = sum((t - middle) * (v - average) for t, v in zip(times, values, strict=True)) / spread
    change = slope * (times[-1] - times[0])
    if abs(change) < _STEADY_FRACTION * abs(average):
        return "stable"
    return "increasing" if change > 0 else "decreasing"
