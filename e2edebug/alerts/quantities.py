"""Values, limits and times in the words of a message."""

from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {
    "response_time": "ms", "error_rate": "%", "cpu_usage": "%", "memory_usage": "%", "hit_rate": "%", "throughput": "/s",
}  # fmt: skip
_METRICS: Final = {
    "response_time": "response time", "error_rate": "error rate", "cpu_usage": "CPU usage",
    "memory_usage": "memory usage", "hit_rate": "hit rate", "query_count": "queries per request",
    "connection_pool": "use of the connection pool",
}  # fmt: skip
_AGGREGATIONS: Final = {
    "p50": "median", "p95": "95th percentile", "p99": "99th percentile", "mean": "mean", "max": "highest value",
    "min": "lowest value", "last": "last value",
}  # fmt: skip


def metric_in_words(metric_name: str) -> str:
    """`response_time` is `response time`."""
    return _METRICS.get(metric_name, metric_name.replace("_", " "))


def aggregation_in_words(aggregation: str) -> str:
    """`p95` is `95th percentile`."""
    return _AGGREGATIONS.get(aggregation, aggregation)


def amount(value: float, metric_name: str) -> str:
    """Return *value* with its unit: `2.31 s`, `180 ms`, `12 %`, `4.5`."""
    unit = _UNITS.get(metric_name, "")
    if unit == "ms":
        return f"{_digits(value / 1000)} s" if abs(value) >= 999.5 else f"{_digits(value)} ms"
    return f"{_digits(value)} {unit}".strip() if unit != "/s" else f"{_digits(value)}/s"


def length(span: timedelta | float) -> str:
    """Return a length of time with one or two units: `40 seconds`, `14 minutes`, `2 hours 5 minutes`, `3 days`."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds < 90:
        return _counted(round(seconds), "second")
    minutes = round(seconds / 60)
    if minutes < 90:
        return _counted(minutes, "minute")
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _counted(hours, "hour") + (f" {_counted(minutes, 'minute')}" if minutes else "")
    return _counted(round(hours / 24), "day")


def moment(at: datetime, *, now: datetime) -> str:
    """Return `12:31 UTC`, with the date when it is not today."""
    utc = at.astimezone(UTC)
    return f"{utc:%H:%M} UTC" if utc.date() == now.astimezone(UTC).date() else f"{utc:%Y-%m-%d %H:%M} UTC"


def ratio(now: float, then: float) -> str:
    """Return how *now* compares with *then*, in words."""
    if then <= 0 or now <= 0:
        return "the same" if now == then else "more now" if now > then else "less now"
    factor = now / then
    if 0.9 <= factor <= 1.1:
        return "about the same"
    if factor >= 2:
        return f"{_digits(factor)} times as much now"
    return f"{abs(factor - 1) * 100:.0f} % {'more' if factor > 1 else 'less'} now"


def _digits(value: float) -> str:
    if value and abs(value) < 9.95:
        return f"{value:.2g}"
    return f"{value:.0f}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
