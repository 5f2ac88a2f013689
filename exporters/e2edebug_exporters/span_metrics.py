"""How long operations took and how they ended, counted for every span that ended, whether or not it was sampled.

One histogram per layer and component and interval, at the one scale of the store, with the *worst* span that is stored
as exemplar: the SDK's reservoir picks a random one and kept the one slow request in 1 of 40 intervals.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics._internal.point import Buckets  # not among the public names, and a point needs it
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Metric,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, StatusCode

from e2edebug.policy import attributes as names
from e2edebug.policy.self_report import internal_error
from e2edebug_exporters import query_counts
from e2edebug_exporters.giving_way import give_way
from e2edebug_exporters.hit_rates import HitRates
from e2edebug_exporters.query_counts import QueryCounts
from e2edebug_exporters.rates import Counted, rates
from e2edebug_exporters.recording.span import NOTHING_PREPARED, UNSET, RecordingSpan
from e2edebug_exporters.span_naming import layer_and_component
from e2edebug_exporters.span_reading import is_stored, raw_attributes
from e2edebug_exporters.step_mapping import is_client_error
from e2edebug_schema.histogram import SCALE, bucket_index
from e2edebug_schema.tables import LAYERS

METRIC_NAME: Final = "response_time"
UNIT: Final = "ms"
SCOPE: Final = InstrumentationScope("e2edebug")
MAX_SERIES: Final = 1000
OTHER_COMPONENTS: Final = "(other)"
"""Where durations go once an interval has seen MAX_SERIES components: a client must not fill the memory with names."""

_METRICS_OF_SERIES: Final = 3
"""Durations, error rate, throughput."""
_NS_PER_MS: Final = 1e6
_COUNT_AT: Final = 2000
"""So many ended spans may wait to be counted; the pipeline's thread does so every second, and normally long before."""
_COUNT_TOGETHER: Final = 64
"""Before others get a chance to: the interpreter, and the lock."""
_LAYERS: Final = frozenset(LAYERS)
# A member looked up on its enum class, or a name in a module, costs more than a global.
_LAYER: Final = names.LAYER
_COMPONENT: Final = names.COMPONENT
_ERROR: Final = StatusCode.ERROR
_SERVER: Final = SpanKind.SERVER


class _Series:
    """The values of one layer and component."""

    __slots__ = ("buckets", "count", "error_count", "maximum", "minimum", "sum", "worst", "worst_value", "zero_count")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.zero_count = 0
        self.error_count = 0
        self.sum = 0.0
        self.minimum = float("inf")
        self.maximum = -1.0
        self.worst: ReadableSpan | None = None
        """The span with the highest value that is stored."""
        self.worst_value = -1.0

    def add(self, value: float, *, is_error: bool) -> None:
        self.count += 1
        self.sum += value
        if value:
            index = bucket_index(value)
            self.buckets[index] = self.buckets.get(index, 0) + 1
        else:
            self.zero_count += 1
        if is_error:
            self.error_count += 1
        if value < self.minimum:
            self.minimum = value
        if value > self.maximum:
            self.maximum = value


class SpanMetrics:
    """Records ended spans and gives what came together as delta histograms. Safe for threads and signal handlers."""

    def __init__(self, *, now_unix_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_unix_ns = now_unix_ns
        self.keeps_trace: Callable[[int], bool] | None = None
        """Whether the steps of a trace id are stored; None while all are."""
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._ended: deque[ReadableSpan] = deque()
        self._series: dict[tuple[str, str], _Series] = {}
        self._hit_rates = HitRates()
        self._query_counts = QueryCounts()
        self._queries_of: dict[tuple[str, str], _Series] = {}
        self.resource: Resource | None = None
        """That of the spans; a process has one."""
        self._since_unix_ns = self._now_unix_ns()

    def reset(self) -> None:
        """Forget everything and take a new lock: a forked child reports its own operations only."""
        self._begin()

    def record(self, span: ReadableSpan) -> None:
        """Count one ended span, soon. Spans that take their layer from their parent are part of its duration and not counted."""
        ended = self._ended
        ended.append(span)
        # Where the lock is held, perhaps by the very code that a signal handler has interrupted to end this span,
        # whoever holds it counts this span as well, or the next one does.
        if len(ended) >= _COUNT_AT and not self._lock.locked():
            self.count_ended()

    def count_ended(self) -> None:
        """Add the spans that ended so far to their histograms."""
        while self._ended:
            with self._lock:
                self._count_ended(_COUNT_TOGETHER)
            give_way()

    def _count_ended(self, most: int = sys.maxsize) -> None:
        while self._ended and most > 0:
            most -= 1
            span = self._ended.popleft()
            try:
                self._count(span)
            except Exception as error:  # noqa: BLE001 # one strange span must not cost the others
                internal_error("count the duration of a span", error)

    def _count(self, span: ReadableSpan) -> None:
        start, end = span.start_time, span.end_time
        # What is prepared says both, where it says the layer: then the rest of the attributes need not be looked at.
        attributes: Mapping[str, Any] = span._prepared if type(span) is RecordingSpan else NOTHING_PREPARED
        if _LAYER not in attributes:
            attributes = raw_attributes(span)
        layer, component = attributes.get(_LAYER), attributes.get(_COMPONENT)
        key: tuple[str, str] | None
        if type(component) is str and component and type(layer) is str and layer in _LAYERS:
            key = (layer, component)
        else:
            key = layer_and_component(span)
        if start is None or end is None or key is None:
            return
        duration_ms = (end - start) / _NS_PER_MS if end > start else 0.0
        status = span.status
        is_error = (
            status is not UNSET
            and status.status_code is _ERROR
            and not (span.kind is _SERVER and _is_client_error(raw_attributes(span)))
        )
        series = self._series.get(key)
        if series is None:
            series = self._open(key, span)
        if key[0] == "cache":
            counted_for = key[1] if series is self._series.get(key) else OTHER_COMPONENTS
            self._hit_rates.count(counted_for, raw_attributes(span))
        self._add(series, duration_ms, span, is_error=is_error)
        query_count = self._query_counts.take(span)
        if query_count is not None:
            key = key if key in self._series else (key[0], OTHER_COMPONENTS)
            self._add(self._queries_of.setdefault(key, _Series()), query_count, span, is_error=is_error)

    def _add(self, series: _Series, value: float, span: ReadableSpan, *, is_error: bool) -> None:
        series.add(value, is_error=is_error)
        # Only what is stored can be looked at: with a sampler, the worst of all is mostly nowhere to be found.
        if value > series.worst_value and is_stored(span, self.keeps_trace):
            series.worst_value = value
            series.worst = span

    def _open(self, key: tuple[str, str], span: ReadableSpan) -> _Series:
        if len(self._series) >= MAX_SERIES:
            key = (key[0], OTHER_COMPONENTS)
        if not self._series:
            self.resource = span.resource
        return self._series.setdefault(key, _Series())

    def close(self) -> int:
        """Return how many rows nobody will collect any more. Waits for nothing: a signal handler may call it."""
        if self._lock.acquire(blocking=False):
            try:
                self._count_ended()
            finally:
                self._lock.release()
        uncollected = _METRICS_OF_SERIES * len(self._series) + len(self._queries_of)
        self._series, self._queries_of = {}, {}
        return uncollected

    def collect(self) -> MetricsData | None:
        """Return what was recorded since the last call, and begin again. None: nothing was."""
        with self._lock:
            self._count_ended()
            now = self._now_unix_ns()
            since, series, resource = self._since_unix_ns, self._series, self.resource
            self._series, self._since_unix_ns = {}, now
            queries_of, self._queries_of = self._queries_of, {}
            hit_rate = self._hit_rates.collect(since, now)
        if not series:
            return None
        counted = [Counted(layer, component, one.count, one.error_count) for (layer, component), one in series.items()]
        found = [
            Metric(METRIC_NAME, "duration of operations", UNIT, _histogram(series, since, now)),
            *rates(counted, since, now),
        ]
        if queries_of:
            described = "database statements of a request"
            found.append(
                Metric(query_counts.METRIC_NAME, described, query_counts.UNIT, _histogram(queries_of, since, now))
            )
        if hit_rate is not None:
            found.append(hit_rate)
        scope = ScopeMetrics(SCOPE, found, "")
        return MetricsData([ResourceMetrics(resource or Resource.get_empty(), [scope], "")])


def _histogram(series: Mapping[tuple[str, str], _Series], since: int, now: int) -> ExponentialHistogram:
    points = [_point(layer, component, one, since, now) for (layer, component), one in series.items()]
    return ExponentialHistogram(points, AggregationTemporality.DELTA)


def _point(layer: str, component: str, series: _Series, since: int, now: int) -> ExponentialHistogramDataPoint:
    first = min(series.buckets, default=0)
    counts = [series.buckets.get(index, 0) for index in range(first, max(series.buckets, default=-1) + 1)]
    return ExponentialHistogramDataPoint(
        attributes={
            names.LAYER: layer,
            names.COMPONENT: component,
            names.ERROR_COUNT: series.error_count,
            names.INTERVAL_S: (now - since) / 1e9,
        },
        start_time_unix_nano=since,
        time_unix_nano=now,
        count=series.count,
        sum=series.sum,
        scale=SCALE,
        zero_count=series.zero_count,
        positive=Buckets(first, counts),
        negative=Buckets(0, []),
        flags=0,
        min=series.minimum,
        max=series.maximum,
        exemplars=[] if series.worst is None else [_exemplar(series.worst, series.worst_value)],
    )


def _is_client_error(attributes: Mapping[str, Any]) -> bool:
    """Say of a failed server span whether it is the client who failed, as its step is judged."""
    status = attributes.get("http.response.status_code", attributes.get("http.status_code"))
    return is_client_error({"http.response.status_code": status})


def _exemplar(span: ReadableSpan, duration_ms: float) -> Exemplar:
    context = span.context
    correlation_id = raw_attributes(span).get(names.CORRELATION_ID)
    return Exemplar(
        filtered_attributes={} if correlation_id is None else {names.CORRELATION_ID: correlation_id},
        value=duration_ms,
        time_unix_nano=span.end_time or 0,
        span_id=None if context is None else context.span_id,
        trace_id=None if context is None else context.trace_id,
    )
