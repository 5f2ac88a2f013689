"""The paths of the API."""

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, URLResolver, path, re_path
from rest_framework.routers import SimpleRouter

from e2edebug.django.api.views.alerts import AlertViewSet
from e2edebug.django.api.views.error_logs import ErrorGroupViewSet, ErrorLogViewSet
from e2edebug.django.api.views.performance_snapshots import PerformanceSnapshotViewSet
from e2edebug.django.api.views.settings import DebugConfigurationViewSet, PerformanceThresholdViewSet
from e2edebug.django.api.views.system_health import LiveView, ReadyView, SystemHealthView
from e2edebug.django.api.views.trace_steps import TraceStepViewSet
from e2edebug.django.api.views.workflow_sessions import WorkflowSessionViewSet

_router = SimpleRouter()
_router.register("workflow-sessions", WorkflowSessionViewSet, basename="workflow-session")
_router.register("trace-steps", TraceStepViewSet, basename="trace-step")
_router.register("performance-snapshots", PerformanceSnapshotViewSet, basename="performance-snapshot")
_router.register("error-logs", ErrorLogViewSet, basename="error-log")
_router.register("error-groups", ErrorGroupViewSet, basename="error-group")
_router.register("alerts", AlertViewSet, basename="alert")
_router.register("debug-configurations", DebugConfigurationViewSet, basename="debug-configuration")
_router.register("performance-thresholds", PerformanceThresholdViewSet, basename="performance-threshold")

endpoints: list[URLPattern | URLResolver] = [
    path("system-health/", SystemHealthView.as_view(), name="system-health"),
    path("health/live/", LiveView.as_view(), name="health-live"),
    path("health/ready/", ReadyView.as_view(), name="health-ready"),
    *_router.urls,
]
"""What the OpenAPI document describes."""


def nothing_here(_request: HttpRequest, rest: str) -> JsonResponse:
    """Answer in JSON where there is no endpoint, as everywhere else below the API."""
    hint = "" if rest.endswith("/") or not rest else " The paths of the API end with a slash."
    return JsonResponse({"detail": f"There is no endpoint of this name.{hint}"}, status=404)


fallback = re_path(r"^(?P<rest>.*)$", nothing_here, name="nothing-here")
