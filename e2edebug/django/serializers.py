"""The serializers under the module name that the product was first described with."""

from e2edebug.django.api.serializers import (
    ErrorGroupSerializer,
    ErrorLogSerializer,
    PerformanceSnapshotSerializer,
    TraceStepSerializer,
    WorkflowSessionSerializer,
)
from e2edebug.django.api.settings_serializers import DebugConfigurationSerializer, PerformanceThresholdSerializer

__all__ = [
    "DebugConfigurationSerializer",
    "ErrorGroupSerializer",
    "ErrorLogSerializer",
    "PerformanceSnapshotSerializer",
    "PerformanceThresholdSerializer",
    "TraceStepSerializer",
    "WorkflowSessionSerializer",
]
