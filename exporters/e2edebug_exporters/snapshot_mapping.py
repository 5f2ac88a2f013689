"""Metric data points become performance snapshots."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    DataPointT,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    MetricsData,
    Sum,
)

from e2edebug.policy import attributes as names
from e2edebug.policy import correlation_id
from e2edebug_exporters.attribute_json import AttributeEncoder, Facts
from e2edebug_exporters.column_limits import column_limits
from e2edebug_exporters.column_text import ColumnText
from e2edebug_exporters.fingerprint import digest
from e2edebug_exporters.metadata_json import MetadataWriter
from e2edebug_exporters.metric_names import stored_metric
from e2edebug_exporters.resource_facts import ResourceFacts, ResourceReader
from e2edebug_exporters.rows import SnapshotRow
from e2edebug_exporters.sanitize import Sanitizer
from e2edebug_exporters.span_reading import plain_mapping
from e2edebug_exporters.step_mapping import StepMapper
from e2edebug_exporters.step_naming import component_of
from e2edebug_exporters.stored_histogram import of_explicit, of_exponential
from e2edebug_exporters.time_text import EARLIEST, time_text
from e2edebug_schema.histogram import Histogram

TRACE_ID: Final = "trace_id"
"""On a data point that was recorded by hand within a trace."""

Point = tuple[Metric, DataPointT, ResourceFacts]


class SnapshotMapper:
    """Makes the rows of data points."""

    def __init__(
        self,
        *,
        texts: ColumnText,
        encoder: AttributeEncoder,
        sanitizer: Sanitizer,
        resources: ResourceReader,
        steps: StepMapper,
        metadata: MetadataWriter,
    ) -> None:
        self._texts = texts
        self._encoder = encoder
        self._sanitizer = sanitizer
        self._resources = resources
        self._steps = steps
        self._metadata_writer = metadata
        self._limits = column_limits().snapshot

    def points(self, data: MetricsData) -> Iterator[Point]:
        """Yield every data point with what it belongs to."""
        for of_resource in data.resource_metrics:
            resource = self._resources.facts(of_resource.resource)
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    for point in metric.data.data_points:
                        yield metric, point, resource

    def map(self, metric: Metric, point: DataPointT, resource: ResourceFacts) -> SnapshotRow:
        """Return the row of one data point."""
        attributes = plain_mapping(point.attributes)
        facts: Facts = {}
        parts: dict[str, str] = {}
        self._encoder.read(
            {key: value for key, value in attributes.items() if key not in _COLUMNS},
            of_server=False,
            facts=facts,
            parts=parts,
        )
        stored = stored_metric(metric.name, metric.unit or "", attributes)
        given_component = attributes.get(names.COMPONENT)
        if given_component is None:
            given_component = component_of(stored.layer, facts, "", "", "")
        component = self._texts.name(given_component, self._limits["component"])
        start_unix_ns, is_interval = _interval(metric, point)
        trace_id, correlation = self._workflow(attributes, point.exemplars)
        metric_name = self._texts.name(stored.name, self._limits["metric_name"])
        unit = self._texts.name(stored.unit, self._limits["unit"])
        # What makes a series: everything but what a point says about its own interval.
        series = ",".join(sorted(part for name, part in parts.items() if name != names.METADATA))
        event_key = digest(
            resource.service,
            resource.instance,
            stored.layer,
            component,
            metric_name,
            unit,
            str(start_unix_ns),
            series,
            self._sanitizer.as_text(attributes.get(names.POINT, "")),
        )
        kind, values = self._values(metric, point, attributes, stored.factor)
        given_metadata = attributes.get(names.METADATA)
        return SnapshotRow(
            event_key=event_key,
            correlation_id=correlation,
            trace_id=trace_id,
            timestamp=time_text(start_unix_ns) if start_unix_ns > 0 else EARLIEST,
            interval_s=self._interval_s(attributes, point, is_interval=is_interval),
            service=resource.service,
            service_instance=resource.instance,
            layer=stored.layer,
            component=component,
            metric_name=metric_name,
            metric_kind=kind,
            metric_value=values.value,
            unit=unit,
            count=values.count,
            sum=values.sum,
            min=values.min,
            max=values.max,
            p50=values.p50,
            p95=values.p95,
            p99=values.p99,
            error_count=self._sanitizer.count(attributes.get(names.ERROR_COUNT, 0)),
            buckets=values.buckets,
            threshold_warning=self._optional_number(attributes.get(names.THRESHOLD_WARNING)),
            threshold_critical=self._optional_number(attributes.get(names.THRESHOLD_CRITICAL)),
            metadata=self._metadata_writer.finished(
                {} if given_metadata is None else {names.METADATA: given_metadata}, parts
            ),
        )

    def _values(self, metric: Metric, point: DataPointT, attributes: Any, factor: float) -> tuple[str, "_Values"]:
        if isinstance(point, ExponentialHistogramDataPoint):
            return "histogram", self._of_histogram(of_exponential(point, factor), point.sum, factor)
        if isinstance(point, HistogramDataPoint):
            return "histogram", self._of_histogram(of_explicit(point, factor), point.sum, factor)
        value = self._sanitizer.number(point.value)
        if value is not None:
            value *= factor
        kind = "point" if names.POINT in attributes else "sum" if _is_total(metric) else "gauge"
        return kind, _Values(value=value, count=1, sum=value, min=value, max=value)

    def _of_histogram(self, histogram: Histogram, total: float, factor: float) -> "_Values":
        finite_total = self._sanitizer.number(total)
        p95 = histogram.percentile(95)
        return _Values(
            value=p95,
            count=self._sanitizer.count(histogram.count),
            sum=None if finite_total is None else finite_total * factor,
            min=histogram.minimum,
            max=histogram.maximum,
            p50=histogram.percentile(50),
            p95=p95,
            p99=histogram.percentile(99),
            buckets=histogram.encode(),
        )

    def _workflow(self, attributes: Any, exemplars: Sequence[Exemplar] | None) -> tuple[str | None, str | None]:
        """Trace id and correlation id behind the number: those of the point, else of its worst exemplar."""
        given = correlation_id.accept(attributes.get(names.CORRELATION_ID))
        trace_id = attributes.get(TRACE_ID)
        if (
            isinstance(trace_id, str)
            and len(trace_id) == _TRACE_ID_LENGTH
            and trace_id.isalnum()
            and trace_id.isascii()
        ):
            return trace_id, given
        traced = [one for one in exemplars or () if one.trace_id]
        if not traced:
            return None, given
        worst = max(traced, key=_comparable_value)
        assert worst.trace_id is not None
        of_exemplar = correlation_id.accept((worst.filtered_attributes or {}).get(names.CORRELATION_ID))
        return (
            f"{worst.trace_id & _TRACE_ID_BITS:032x}",
            given or of_exemplar or self._steps.correlation_of_trace(worst.trace_id),
        )

    def _interval_s(self, attributes: Any, point: DataPointT, *, is_interval: bool) -> float:
        explicit = self._optional_number(attributes.get(names.INTERVAL_S))
        if explicit is not None:
            return max(0.0, explicit)
        start = point.start_time_unix_nano
        if not is_interval or not start or point.time_unix_nano <= start:
            return 0.0
        return (point.time_unix_nano - start) / 1e9

    def _optional_number(self, value: Any) -> float | None:
        return None if value is None else self._sanitizer.number(value)


class _Values:
    """The numbers of one row."""

    __slots__ = ("buckets", "count", "max", "min", "p50", "p95", "p99", "sum", "value")

    def __init__(
        self,
        *,
        value: float | None,
        count: int,
        sum: float | None,  # noqa: A002 - the column's name
        min: float | None,  # noqa: A002 - the column's name
        max: float | None,  # noqa: A002 - the column's name
        p50: float | None = None,
        p95: float | None = None,
        p99: float | None = None,
        buckets: str | None = None,
    ) -> None:
        self.value = value
        self.count = count
        self.sum = sum
        self.min = min
        self.max = max
        self.p50 = p50
        self.p95 = p95
        self.p99 = p99
        self.buckets = buckets


def _interval(metric: Metric, point: DataPointT) -> tuple[int, bool]:
    """When the point's interval began, and whether it has one: a reading, or a total since the process began, has none."""
    temporality = getattr(metric.data, "aggregation_temporality", None)
    if temporality == AggregationTemporality.DELTA and point.start_time_unix_nano:
        return point.start_time_unix_nano, True
    return point.time_unix_nano or 0, False


def _is_total(metric: Metric) -> bool:
    """Tell whether a number grows; one that goes up and down is a reading, whatever made it."""
    return isinstance(metric.data, Sum) and (
        metric.data.is_monotonic or metric.data.aggregation_temporality == AggregationTemporality.DELTA
    )


def _comparable_value(exemplar: Exemplar) -> float:
    value = exemplar.value
    return float(value) if value == value and abs(value) != float("inf") else 0.0


_TRACE_ID_LENGTH: Final = 32
_TRACE_ID_BITS: Final = 2**128 - 1
_COLUMNS: Final = frozenset(
    {
        names.LAYER,
        names.COMPONENT,
        names.CORRELATION_ID,
        names.POINT,
        names.ERROR_COUNT,
        names.INTERVAL_S,
        names.THRESHOLD_WARNING,
        names.THRESHOLD_CRITICAL,
        names.METADATA,
        TRACE_ID,
    }
)
"""Attributes that are columns; the rest goes to the metadata and tells series apart."""
