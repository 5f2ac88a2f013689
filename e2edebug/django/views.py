"""The views under the module name that the product was first described with; each lives with its subject."""

from e2edebug.django.api.views.error_logs import ErrorGroupViewSet, ErrorLogViewSet
from e2edebug.django.api.views.performance_snapshots import PerformanceSnapshotViewSet
from e2edebug.django.api.views.settings import DebugConfigurationViewSet, PerformanceThresholdViewSet
from e2edebug.django.api.views.system_health import LiveView, ReadyView, SystemHealthView
from e2edebug.django.api.views.trace_steps import TraceStepViewSet
from e2edebug.django.api.views.workflow_sessions import WorkflowSessionViewSet

__all__ = [
    "DebugConfigurationViewSet",
    "ErrorGroupViewSet",
    "ErrorLogViewSet",
    "LiveView",
    "PerformanceSnapshotViewSet",
    "PerformanceThresholdViewSet",
    "ReadyView",
    "SystemHealthView",
    "TraceStepViewSet",
    "WorkflowSessionViewSet",
]
