"""`error-logs/` and `error-groups/`."""

from collections import Counter
from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema_view
from rest_framework.decorators import action
from rest_framework.response import Response

from e2edebug.django import models
from e2edebug.django.api import serializers
from e2edebug.django.api.filters import ErrorFilterSet, GroupFilterSet
from e2edebug.django.api.lookup import find_group, find_in_workflow
from e2edebug.django.api.openapi import described
from e2edebug.django.api.query_parameters import PAGE_PARAMETERS, read_range, shown_moment, shown_range
from e2edebug.django.api.recent_hours import counts_of_hours, within_limits
from e2edebug.django.api.recording import record_error
from e2edebug.django.api.statistics_serializers import ErrorSummarySerializer
from e2edebug.django.api.views.collection import Collection, who
from e2edebug.django.error_decisions import change_group, resolve_error
from e2edebug.django.store_engine import store_for_reading
from e2edebug_schema.queries.error_summary import ErrorKind, error_counts, group_counts, merged_error_counts
from e2edebug_schema.tables import GROUP_STATUSES, LAYERS, SEVERITIES

MOST_NAMED = 20
_MOMENT = {"type": "string", "format": "date-time"}
_SPAN = [
    OpenApiParameter("since", _MOMENT, description="Default: 24 hours ago."),
    OpenApiParameter("until", _MOMENT, description="Default: now."),
]


@extend_schema_view(list=described(responses=serializers.ErrorLogListSerializer, description="Errors, newest first."))
class ErrorLogViewSet(Collection):
    """What went wrong, each time that it did."""

    model = models.ErrorLog
    queryset = models.ErrorLog.objects.none()
    permission_models = (models.ErrorLog,)
    verbs = {"resolve": "change"}
    personal_parameters = frozenset({"user_id"})
    serializer_class = serializers.ErrorLogSerializer
    filterset_class = ErrorFilterSet
    orderings = {"timestamp": "timestamp"}
    reference_description = "Its id; a correlation or trace id means the newest error of that workflow."

    def accepted_parameters(self) -> set[str]:
        """The summary takes a span of time."""
        return {"since", "until"} if self.action == "summary" else super().accepted_parameters()

    def get_queryset(self) -> Any:
        """Return every error; the list goes without stack traces, which may be 256 KiB each."""
        rows = super().get_queryset()
        return rows.defer("stack_trace") if self.action == "list" else rows

    def get_serializer_class(self) -> Any:
        """The list goes without stack traces."""
        return serializers.ErrorLogListSerializer if self.action == "list" else self.serializer_class

    def retrieve(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """Return one error with its stack trace."""
        return self.shown(self._found(pk, to_change=False))

    @described(
        request=serializers.NewErrorLogSerializer,
        responses={201: serializers.ErrorLogSerializer, 200: serializers.ErrorLogSerializer},
        description="Log an error. A copy of one that is stored, by its trace and its stack, is that one (200).",
    )
    def create(self, request: Any) -> Response:  # noqa: ARG002  # the signature of an action
        """Log an error."""
        row, is_new = record_error(self.validated(serializers.NewErrorLogSerializer))
        stored = models.ErrorLog.objects.filter(event_key=row.event_key).order_by("-timestamp", "-id")[0]
        return self.shown(stored, is_new=is_new)

    @described(
        request=serializers.ErrorResolutionSerializer,
        responses=serializers.ErrorLogSerializer,
        description="Mark one error as resolved, and with `whole_group` its group. Again changes the notes.",
    )
    @action(detail=True, methods=["post"])
    def resolve(self, request: Any, pk: str) -> Response:
        """Mark one error as resolved."""
        values = self.validated(serializers.ErrorResolutionSerializer)
        error = self._found(pk, to_change=True)
        if values["whole_group"] and not request.user.has_perm("debugging.change_errorgroup"):
            self.permission_denied(request, message="whole_group: needs the permission debugging.change_errorgroup.")
        resolve_error(error, by=who(request), notes=values.get("resolution_notes"), whole_group=values["whole_group"])
        return self.shown(error)

    @described(
        responses=ErrorSummarySerializer,
        parameters=_SPAN,
        filters=False,
        description=(
            "How many errors there were, of which kinds, in the last 24 hours unless asked otherwise, 31 days at most. "
            "Hours that are over for two hours may be up to five minutes old."
        ),
    )
    @action(detail=False, methods=["get"], pagination_class=None)
    def summary(self, request: Any) -> Response:
        """Count errors by kind."""
        since, until = within_limits(*read_range(request))

        def count(start: datetime, end: datetime) -> Counter[ErrorKind]:
            with store_for_reading() as connection:
                return error_counts(connection, since=start, until=end)

        counts = merged_error_counts(counts_of_hours("errors", since=since, until=until, count=count))
        with store_for_reading() as connection:
            groups = {one.status: one.groups for one in group_counts(connection, since=since)}
        resolved = sum(number for kind, number in counts.items() if kind.resolved)
        by_type, by_component = (_by(counts, *names) for names in (("error_type",), ("layer", "component")))
        by_severity, by_layer = (_by(counts, name) for name in ("severity", "layer"))
        return Response(
            {
                "range": {"since": shown_moment(since), "until": shown_moment(until)},
                "total": counts.total(),
                "unresolved": counts.total() - resolved,
                "resolved": resolved,
                "by_severity": {severity: by_severity[(severity,)] for severity in SEVERITIES},
                "by_layer": {layer: by_layer[(layer,)] for layer in LAYERS},
                "by_type": [
                    {"error_type": name, "count": number} for (name,), number in by_type.most_common(MOST_NAMED)
                ],
                "by_component": [
                    {"layer": layer, "component": component, "count": number}
                    for (layer, component), number in by_component.most_common(MOST_NAMED)
                ],
                "groups": {status: groups.get(status, 0) for status in GROUP_STATUSES},
            }
        )

    def _found(self, reference: str, *, to_change: bool) -> models.ErrorLog:
        found = find_in_workflow(self.get_queryset(), reference, order=("-timestamp", "-id"), to_change=to_change)
        assert isinstance(found, models.ErrorLog)
        return found


@extend_schema_view(
    list=described(responses=serializers.ErrorGroupSerializer, description="Causes of errors, the one seen last first.")
)
class ErrorGroupViewSet(Collection):
    """Causes of errors, and what has been decided about them."""

    model = models.ErrorGroup
    queryset = models.ErrorGroup.objects.none()
    permission_models = (models.ErrorGroup,)
    verbs = {"resolve": "change", "ignore": "change", "reopen": "change"}
    serializer_class = serializers.ErrorGroupDetailSerializer
    filterset_class = GroupFilterSet
    orderings = {"last_seen": "last_seen", "first_seen": "first_seen", "occurrences": "occurrences"}
    reference_description = "Its id or fingerprint; a correlation or trace id means the group of its newest error."

    def get_serializer_class(self) -> Any:
        """The list goes without the changes."""
        return serializers.ErrorGroupSerializer if self.action == "list" else self.serializer_class

    def accepted_parameters(self) -> set[str]:
        """Occurrences are a list, too."""
        return {"since", "until", *PAGE_PARAMETERS} if self.action == "occurrences" else super().accepted_parameters()

    def retrieve(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """Return one group with what became of it."""
        return self.shown(find_group(pk))

    @described(
        request=serializers.GroupResolutionSerializer,
        description="It is mended. The group regresses when it errs again in a later release.",
    )
    @action(detail=True, methods=["post"])
    def resolve(self, request: Any, pk: str) -> Response:
        """Mark the group as resolved."""
        values = self.validated(serializers.GroupResolutionSerializer)
        return self._decided(
            request, pk, "resolved", values.get("resolution_notes"), release=values.get("service_release")
        )

    @described(request=serializers.ResolutionSerializer, description="It stays as it is, and is no news any more.")
    @action(detail=True, methods=["post"])
    def ignore(self, request: Any, pk: str) -> Response:
        """Mark the group as ignored."""
        values = self.validated(serializers.ResolutionSerializer)
        return self._decided(request, pk, "ignored", values.get("resolution_notes"))

    @described(request=serializers.ResolutionSerializer, description="It wants attention again.")
    @action(detail=True, methods=["post"])
    def reopen(self, request: Any, pk: str) -> Response:
        """Mark the group as unresolved."""
        values = self.validated(serializers.ResolutionSerializer)
        return self._decided(request, pk, "unresolved", values.get("resolution_notes"))

    @described(
        responses=serializers.ErrorLogListSerializer(many=True),
        filters=False,
        parameters=[
            OpenApiParameter("since", _MOMENT, description="Default: no limit."),
            OpenApiParameter("until", _MOMENT, description="Default: no limit."),
        ],
        description="The errors of the group, newest first. Needs the permission to see errors.",
    )
    @action(
        detail=True,
        methods=["get"],
        orderings={"timestamp": "timestamp"},
        permission_models=(models.ErrorGroup, models.ErrorLog),
        serializer_class=serializers.ErrorLogListSerializer,
    )
    def occurrences(self, request: Any, pk: str) -> Response:
        """Return the errors of the group."""
        group = find_group(pk)
        errors = models.ErrorLog.objects.filter(
            fingerprint=group.fingerprint, fingerprint_version=group.fingerprint_version
        ).defer("stack_trace")
        since, until = read_range(request, default=None)
        if since is not None:
            errors = errors.filter(timestamp__gte=since)
        if until is not None:
            errors = errors.filter(timestamp__lt=until)
        request.e2edebug_range = shown_range(since, until)
        page = self.paginate_queryset(errors)
        rows = serializers.ErrorLogListSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(rows.data)

    def _decided(
        self, request: Any, reference: str, status: str, notes: str | None, *, release: str | None = None
    ) -> Response:
        group = find_group(reference)
        change_group(group, status, by=who(request), notes=notes, release=release)
        return self.shown(find_group(str(group.pk)))


def _by(counts: Counter[ErrorKind], *names: str) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for kind, number in counts.items():
        found[tuple(getattr(kind, name) for name in names)] += number
    return found
