"""How the system is, from a few small look-ups; asked for every few seconds by many, so kept for a moment."""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from e2edebug.django import models
from e2edebug.django.store_engine import store_for_reading
from e2edebug.performance import Alert, limits_passed
from e2edebug.runtime import django_tests, lifecycle
from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.snapshots import merged_histograms
from e2edebug_schema.queries.system_health import active_workflow_count, answers, error_counts_by_layer
from e2edebug_schema.tables import LAYERS

WINDOW_S: Final = 300
KEPT_S: Final = 5.0
NEWEST: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerHealth:
    """One layer within the window."""

    layer: str
    operations: int
    error_rate_pct: float | None
    p95_ms: float | None
    errors_last_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of everything at one moment."""

    generated_at: datetime
    layers: list[LayerHealth]
    alerts: list[Alert]
    active_count: int
    active: list[models.WorkflowSession]
    errors: list[models.ErrorLog]
    dialect: str
    answer_ms: float


_kept: tuple[float, Health] | None = None
_lock = threading.Lock()


def current_health() -> Health:
    """Return the state of the system, at most five seconds old."""
    global _kept
    if django_tests.is_test_environment():
        return _read()
    with _lock:  # whoever asks meanwhile waits for the one that looks
        if _kept is None or _kept[0] < time.monotonic():
            _kept = (time.monotonic() + KEPT_S, _read())
        return _kept[1]


def answer_ms() -> float:
    """Return how long the store takes for a real query. Raises what the drivers raise when it cannot be reached."""
    with store_for_reading() as connection:
        begun = time.perf_counter()
        answers(connection)
        return (time.perf_counter() - begun) * 1000


def writer_state() -> dict[str, Any]:
    """Return what this process's writer says of itself."""
    books = lifecycle.stats()
    dropped = books.get("dropped") or {}
    return {
        "stored": int(books.get("stored", 0)),
        "queued": int(books.get("queued", 0)),
        "dropped": sum(dropped.values()) if isinstance(dropped, dict) else int(dropped),
        "is_away": bool(books.get("store_away", False)),
        "last_error": books.get("last_error"),
    }


def _read() -> Health:
    now = datetime.now(UTC)
    hour_ago, day_ago = now - timedelta(hours=1), now - timedelta(days=1)
    took_ms = answer_ms()
    with store_for_reading() as connection:
        alerts = limits_passed(connection, now=now)
        errors = error_counts_by_layer(connection, since=hour_ago)
        active_count = active_workflow_count(connection, since=day_ago)
        times: dict[str, Histogram] = {layer: Histogram() for layer in LAYERS}
        counts = dict.fromkeys(LAYERS, 0)
        failures = dict.fromkeys(LAYERS, 0)
        for layer in LAYERS:
            found = merged_histograms(connection, since=now - timedelta(seconds=WINDOW_S), layer=layer)
            for summary in found:
                times[layer].merge(summary.histogram)
                counts[layer] += summary.count
                failures[layer] += summary.error_count
        dialect = "mariadb" if getattr(connection.dialect, "is_mariadb", False) else connection.dialect.name
    running = models.WorkflowSession.objects.filter(status="in_progress", start_time__gte=day_ago)
    running = running.order_by("-start_time", "-id")[:NEWEST]
    failed = (
        models.ErrorLog.objects.filter(timestamp__gte=hour_ago)
        .order_by("-timestamp", "-id")
        .defer("stack_trace")[:NEWEST]
    )
    return Health(
        generated_at=now,
        layers=[
            LayerHealth(
                layer=layer,
                operations=counts[layer],
                error_rate_pct=100.0 * failures[layer] / counts[layer] if counts[layer] else None,
                p95_ms=times[layer].percentile(95),
                errors_last_hour=errors.get(layer, 0),
            )
            for layer in LAYERS
        ],
        alerts=alerts,
        active_count=active_count,
        active=list(running),
        errors=list(failed),
        dialect=dialect,
        answer_ms=took_ms,
    )
