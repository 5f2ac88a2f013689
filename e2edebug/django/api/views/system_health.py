"""`system-health/`, and `health/live/` and `health/ready/` for probes."""

import threading
import time
from typing import Any, Final

from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from e2edebug.django import models
from e2edebug.django.api.endpoint import Endpoint
from e2edebug.django.api.health import WINDOW_S, Health, answer_ms, current_health, writer_state
from e2edebug.django.api.openapi import described
from e2edebug.django.api.permissions import may_view
from e2edebug.django.api.query_parameters import shown_moment
from e2edebug.django.api.serializers import ErrorLogListSerializer, WorkflowSessionSerializer
from e2edebug.django.api.statistics_serializers import ProbeSerializer, SystemHealthSerializer

PROBE_KEPT_S: Final = 1.0


class SystemHealthView(Endpoint):
    """How everything is."""

    permission_models = (models.PerformanceSnapshot,)

    @described(
        responses=SystemHealthSerializer,
        operation_id="system_health",
        description="Everything and each layer: metrics of the last five minutes, alerts, errors of the last hour. At most five seconds old.",
    )
    def get(self, request: Any) -> Response:
        """Return the state of the system, as far as the user may see it."""
        health = current_health()
        writer = writer_state()
        context = {"shows_personal_data": self.shows_personal_data, "request": request}
        sees_sessions, sees_errors = (may_view(request.user, one) for one in (models.WorkflowSession, models.ErrorLog))
        has_trouble = writer["is_away"] or writer["dropped"] > 0
        levels = [alert["level"] for alert in health.alerts]
        worst = "critical" if "critical" in levels else "warning" if levels or has_trouble else "ok"
        return Response(
            {
                "status": worst,
                "generated_at": shown_moment(health.generated_at),
                "window_s": WINDOW_S,
                "layers": _shown_layers(health, sees_errors=sees_errors),
                "active_workflows": {
                    "count": health.active_count,
                    "newest": WorkflowSessionSerializer(health.active, many=True, context=context).data,
                }
                if sees_sessions
                else None,
                "recent_errors": {
                    "last_hour": sum(layer.errors_last_hour for layer in health.layers),
                    "newest": ErrorLogListSerializer(health.errors, many=True, context=context).data,
                }
                if sees_errors
                else None,
                "alerts": health.alerts,
                "store": {
                    "status": "warning" if has_trouble else "ok",
                    "dialect": health.dialect,
                    "answer_ms": health.answer_ms,
                    **writer,
                },
            }
        )


def _shown_layers(health: Health, *, sees_errors: bool) -> list[dict[str, Any]]:
    shown = []
    for layer in health.layers:
        levels = {alert["level"] for alert in health.alerts if alert["layer"] == layer.layer}
        status = "critical" if "critical" in levels else "warning" if levels else "ok"
        if not levels and not layer.operations and layer.errors_last_hour == 0:
            status = "no_data"
        shown.append(
            {
                "layer": layer.layer,
                "status": status,
                "operations": layer.operations,
                "error_rate_pct": layer.error_rate_pct,
                "p95_ms": layer.p95_ms,
                "errors_last_hour": layer.errors_last_hour if sees_errors else None,
            }
        )
    return shown


class _Probe(Endpoint):
    """Whoever operates the machines may ask, without an account; the answer says nothing else."""

    authentication_classes: list[Any] = []
    throttle_classes: list[Any] = []
    can_fail = False

    def get_permissions(self) -> list[Any]:
        """Let everybody ask."""
        return [AllowAny()]


class LiveView(_Probe):
    """Does this process answer?"""

    @described(responses=ProbeSerializer, operation_id="health_live", auth=[], description="This process answers.")
    def get(self, request: Any) -> Response:  # noqa: ARG002  # the signature of a view
        """Answer."""
        return Response({"status": "ok"})


class ReadyView(_Probe):
    """Does the store answer?"""

    @described(
        responses={200: ProbeSerializer, 503: ProbeSerializer},
        operation_id="health_ready",
        auth=[],
        description="The store answers a real query (503: it does not). The query runs at most once a second.",
    )
    def get(self, request: Any) -> Response:  # noqa: ARG002  # the signature of a view
        """Ask the store."""
        is_ready = _is_ready()
        return Response({"status": "ok" if is_ready else "unavailable"}, status=200 if is_ready else 503)


_last_look: tuple[float, bool] = (0.0, False)
_lock = threading.Lock()


def _is_ready() -> bool:
    global _last_look
    with _lock:
        expires, is_ready = _last_look
        if expires < time.monotonic():
            try:
                answer_ms()
                is_ready = True
            except Exception:  # noqa: BLE001 # whatever it is, the store does not answer
                is_ready = False
            _last_look = (time.monotonic() + PROBE_KEPT_S, is_ready)
        return is_ready
