"""`performance-snapshots/`."""

from datetime import UTC, datetime, timedelta
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from e2edebug.django import models
from e2edebug.django.api import serializers
from e2edebug.django.api.filters import SnapshotFilterSet
from e2edebug.django.api.lookup import find_in_workflow
from e2edebug.django.api.openapi import described
from e2edebug.django.api.query_parameters import DEFAULT_RANGE, read_range, shown_moment
from e2edebug.django.api.recording import record_metric
from e2edebug.django.api.statistics_serializers import AlertListSerializer, MetricSeriesSerializer
from e2edebug.django.api.views.collection import Collection
from e2edebug.django.store_engine import store_for_reading
from e2edebug.performance import limits_passed
from e2edebug_schema.queries.alert_evidence import releases_between
from e2edebug_schema.queries.metric_over_time import SeriesTotal, metric_series
from e2edebug_schema.tables import LAYERS

MOST_POINTS = 500
LONGEST_SERIES = timedelta(days=31)
_COMPARED = ("count", "error_count", "mean", "p50", "p95", "p99")
_MOMENT = {"type": "string", "format": "date-time"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 255}


@extend_schema_view(list=described(description="Metrics, newest first."))
class PerformanceSnapshotViewSet(Collection):
    """What was measured."""

    model = models.PerformanceSnapshot
    queryset = models.PerformanceSnapshot.objects.none()
    permission_models = (models.PerformanceSnapshot,)
    serializer_class = serializers.PerformanceSnapshotSerializer
    filterset_class = SnapshotFilterSet
    orderings = {"timestamp": "timestamp"}
    reference_description = "Its id; a correlation or trace id means the newest one of that workflow."

    def accepted_parameters(self) -> set[str]:
        """A series says what of and over which time."""
        if self.action == "series":
            return {"layer", "metric_name", "component", "service", "since", "until", "period_s"}
        return super().accepted_parameters()

    def retrieve(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """Return one."""
        return self.shown(find_in_workflow(self.get_queryset(), pk, order=("-timestamp", "-id"), to_change=False))

    @described(
        request=serializers.NewPerformanceSnapshotSerializer,
        responses={201: serializers.PerformanceSnapshotSerializer},
        description="Record one value.",
    )
    def create(self, request: Any) -> Response:  # noqa: ARG002  # the signature of an action
        """Record one value."""
        row = record_metric(self.validated(serializers.NewPerformanceSnapshotSerializer))
        return self.shown(models.PerformanceSnapshot.objects.filter(event_key=row.event_key)[0], is_new=True)

    @described(
        responses=AlertListSerializer,
        filters=False,
        description="Which limits are passed now: each threshold looks at its own window, five minutes by default.",
    )
    @action(detail=False, methods=["get"], pagination_class=None)
    def alerts(self, request: Any) -> Response:  # noqa: ARG002  # the signature of an action
        """Return the limits that are passed now."""
        now = datetime.now(UTC)
        with store_for_reading() as connection:
            alerts = limits_passed(connection, now=now)
        return Response({"generated_at": shown_moment(now), "count": len(alerts), "results": alerts})

    @described(
        responses=MetricSeriesSerializer,
        filters=False,
        parameters=[
            OpenApiParameter("layer", {"type": "string", "enum": list(LAYERS)}, required=True),
            OpenApiParameter("metric_name", _NAME, required=True),
            OpenApiParameter("component", _NAME, description="Default: all together."),
            OpenApiParameter("service", _NAME, description="Default: all."),
            OpenApiParameter("since", _MOMENT, description="Default: 24 hours ago."),
            OpenApiParameter("until", _MOMENT, description="Default: now."),
            OpenApiParameter(
                "period_s",
                {"type": "integer", "minimum": 1, "maximum": 2_678_400},
                description="Default: a hundredth of the time, at least a minute; never more than 500 periods.",
            ),
        ],
        description=(
            "A metric over time, 31 days at most, with percentiles from merged histograms, compared with the same "
            "length of time before."
        ),
    )
    @action(detail=False, methods=["get"], pagination_class=None)
    def series(self, request: Any) -> Response:
        """Return a metric over time."""
        asked = request.query_params
        problems = {name: ["Needed."] for name in ("layer", "metric_name") if name not in asked}
        if "layer" in asked and asked["layer"] not in LAYERS:
            problems["layer"] = [f"One of {', '.join(LAYERS)}."]
        problems |= {
            name: ["At most 255 characters."]
            for name in ("metric_name", "component", "service")
            if len(asked.get(name, "")) > 255
        }
        if problems:
            raise ValidationError(problems)
        since, until = _span(request)
        period_s = _period(request, since, until)
        with store_for_reading() as connection:
            found = metric_series(
                connection,
                layer=asked["layer"],
                metric_name=asked["metric_name"],
                component=asked.get("component"),
                service=asked.get("service"),
                since=since,
                until=until,
                period_s=period_s,
            )
            releases = releases_between(connection, since=since, until=until)
        return Response(
            {
                "layer": asked["layer"],
                "component": asked.get("component"),
                "metric_name": asked["metric_name"],
                "unit": found.unit,
                "period_s": period_s,
                "points": [
                    {
                        "period_start": None if point.period_start is None else shown_moment(point.period_start),
                        **{name: getattr(point, name) for name in (*_COMPARED, "min", "max", "worst_correlation_id")},
                    }
                    for point in found.points
                ],
                "current": _shown_total(found.current),
                "previous": _shown_total(found.previous),
                "change_pct": {name: _change(found.current, found.previous, name) for name in _COMPARED},
                "releases": [
                    {"timestamp": shown_moment(one.first_seen), "service": one.service, "release": one.service_release}
                    for one in releases
                    if asked.get("service") in (None, one.service)
                ],
            }
        )


def _span(request: Any) -> tuple[datetime, datetime]:
    since, until = read_range(request)
    end = until or datetime.now(UTC)
    start = since if since is not None else end - DEFAULT_RANGE
    return max(start, end - LONGEST_SERIES), end


def _period(request: Any, since: datetime, until: datetime) -> int:
    length_s = max((until - since).total_seconds(), 1.0)
    text = request.query_params.get("period_s")
    if text is None:
        return max(60, round(length_s / 100))
    if not (text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= 2_678_400):
        raise ValidationError({"period_s": ["A number of seconds from 1 to 2678400."]})
    return max(int(text), round(length_s / MOST_POINTS) + 1 if length_s / int(text) > MOST_POINTS else 1)


def _shown_total(total: SeriesTotal) -> dict[str, Any]:
    return {
        "since": shown_moment(total.since),
        "until": shown_moment(total.until),
        **{name: getattr(total, name) for name in (*_COMPARED, "min", "max", "worst_correlation_id")},
    }


def _change(current: SeriesTotal, previous: SeriesTotal, name: str) -> float | None:
    now, before = getattr(current, name), getattr(previous, name)
    return 100.0 * (now - before) / before if now is not None and before else None
