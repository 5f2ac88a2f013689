"""Which stored metric a metric of OpenTelemetry is: well-known durations are `response_time` in ms of their layer."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from e2edebug.policy import attributes as names
from e2edebug_schema.tables import LAYERS

RESPONSE_TIME: Final = "response_time"


class StoredMetric(NamedTuple):
    """How a metric is called in the store."""

    name: str
    unit: str
    layer: str
    factor: float
    """What values are multiplied by to have the unit."""


def stored_metric(name: str, unit: str, attributes: Mapping[str, Any]) -> StoredMetric:
    """Return the name, unit and layer of a metric; *attributes*: those of the data point, raw."""
    explicit = attributes.get(names.LAYER)
    layer_of_duration = _DURATIONS.get(name)
    layer = str(explicit) if explicit in LAYERS else layer_of_duration or _layer_by_prefix(name)
    if name == RESPONSE_TIME or layer_of_duration is not None:
        factor = _MILLISECONDS.get(unit)
        if factor is not None:
            return StoredMetric(RESPONSE_TIME, "ms", layer, factor)
    return StoredMetric(name, unit, layer, 1.0)


def _layer_by_prefix(name: str) -> str:
    return next((layer for prefix, layer in _PREFIXES if name.startswith(prefix)), "system")


_DURATIONS: Final = {
    "http.server.duration": "api",  # ms, the name until 2023 and still the default of the Django instrumentation
    "http.server.request.duration": "api",  # s
    "rpc.server.duration": "api",
    "rpc.server.call.duration": "api",
    "http.client.duration": "external",
    "http.client.request.duration": "external",
    "rpc.client.duration": "external",
    "rpc.client.call.duration": "external",
    "db.client.operation.duration": "database",
}
_MILLISECONDS: Final = {"s": 1000.0, "ms": 1.0, "us": 0.001, "μs": 0.001, "ns": 0.000_001, "": 1.0}
_PREFIXES: Final = (
    ("http.server.", "api"),
    ("http.client.", "external"),
    ("rpc.client.", "external"),
    ("rpc.server.", "api"),
    ("db.", "database"),
    ("cache.", "cache"),
    ("browser.", "frontend"),
    ("webvitals.", "frontend"),
)
