"""What the lists can be filtered by. Each filter names a column of ours: none reaches into the user model."""

import math
from typing import Any, Final

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema_field

from e2edebug.django import models
from e2edebug.django.api.query_parameters import DEFAULT_RANGE, read_range, shown_range
from e2edebug.policy.error_class.registry import ERROR_CLASSES
from e2edebug_schema.alert_tables import ALERT_LEVELS, ALERT_STATES
from e2edebug_schema.tables import GROUP_STATUSES, LAYERS, METRIC_KINDS, SESSION_STATUSES, SEVERITIES, STEP_STATUSES

LARGEST_NUMBER: Final = 1e15
TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 255}
ID: Final = {"type": "string", "minLength": 1, "maxLength": 64}


class _PlainText(forms.CharField):
    """Text as it came: a NUL or a blank finds nothing, which is an answer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)
        self.validators = [one for one in self.validators if not _refuses_nul(one)]


def _refuses_nul(validator: Any) -> bool:
    return type(validator).__name__ == "ProhibitNullCharactersValidator"


class _FiniteNumber(forms.FloatField):
    def clean(self, value: Any) -> float | None:
        number = super().clean(value)
        if number is not None and not (math.isfinite(number) and abs(number) <= LARGEST_NUMBER):
            raise forms.ValidationError("A number up to 1e15.")
        return number


@extend_schema_field(TEXT)
class TextFilter(django_filters.CharFilter):
    """A column that holds exactly this text."""

    field_class = _PlainText

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"max_length": TEXT["maxLength"], **options})

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Filter. Columns of ids are ASCII, and MySQL refuses to compare them with anything else."""
        if value and self.extra.get("is_ascii") and not value.isascii():
            return qs.none()
        return super().filter(qs, value)

    @property
    def field(self) -> Any:
        """The form field, which knows nothing of our option."""
        is_ascii = self.extra.pop("is_ascii", False)
        found = super().field
        self.extra["is_ascii"] = is_ascii
        return found


@extend_schema_field(ID)
class IdFilter(TextFilter):
    """A correlation, trace or span id, or a digest."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"is_ascii": True, "max_length": ID["maxLength"], **options})


@extend_schema_field({"type": "number", "minimum": 0, "maximum": LARGEST_NUMBER})
class NumberFilter(django_filters.NumberFilter):
    """A limit."""

    field_class = _FiniteNumber

    def get_max_validator(self) -> None:
        """Our field has its own."""


@extend_schema_field({"type": "boolean"})
class YesFilter(django_filters.TypedChoiceFilter):
    """`true` or `false`, and nothing else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[("true", "true"), ("false", "false")], coerce=lambda text: text == "true", **options)


def one_of(names: tuple[str, ...], **options: Any) -> Any:
    """Return the filter of a column that holds one of *names*."""
    return extend_schema_field({"type": "string", "enum": list(names)})(
        django_filters.ChoiceFilter(choices=[(name, name) for name in names], **options)
    )


@extend_schema_field({"type": "string", "format": "date-time"})
class MomentFilter(django_filters.CharFilter):
    """`since` or `until`: read by the filter set, which knows what holds without them."""

    field_class = _PlainText

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:  # noqa: ARG002  # the signature of a filter
        """Leave it to the filter set."""
        return qs


class RangedFilterSet(django_filters.FilterSet):
    """Filters, and a span of time: the last 24 hours, unless an id says exactly what is wanted."""

    since = MomentFilter(help_text="From then on. Default: 24 hours ago, or no limit where an id is given.")
    until = MomentFilter(help_text="Before then. Default: no limit.")

    time_field = "timestamp"
    identifying: tuple[str, ...] = ("correlation_id", "trace_id")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the filters, then the span of time."""
        queryset = super().filter_queryset(queryset)
        is_identified = any(self.form.cleaned_data.get(name) for name in self.identifying)
        since, until = read_range(self.request, default=None if is_identified else DEFAULT_RANGE)
        if since is not None:
            queryset = queryset.filter(**{f"{self.time_field}__gte": since})
        if until is not None:
            queryset = queryset.filter(**{f"{self.time_field}__lt": until})
        self.request.e2edebug_range = shown_range(since, until)
        return queryset


class SessionFilterSet(RangedFilterSet):
    """`workflow-sessions/`."""

    time_field = "start_time"

    status = one_of(SESSION_STATUSES)
    workflow_type = TextFilter()
    service = TextFilter()
    service_release = TextFilter()
    correlation_id = IdFilter()
    trace_id = IdFilter(method="of_trace")
    parent_correlation_id = IdFilter()
    user_id = TextFilter()
    user_label = TextFilter()
    min_duration_ms = NumberFilter(field_name="duration_ms", lookup_expr="gte")
    max_duration_ms = NumberFilter(field_name="duration_ms", lookup_expr="lte")
    min_errors = NumberFilter(field_name="error_count", lookup_expr="gte")
    min_repeats = NumberFilter(field_name="repeat_count", lookup_expr="gte")
    search = TextFilter(method="containing")

    def of_trace(self, queryset: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """A session keeps the first of its traces; its steps know them all."""
        if not value.isascii():
            return queryset.none()
        owners = models.TraceStep.objects.filter(trace_id=value).values_list("correlation_id", flat=True)[:1]
        return queryset.filter(correlation_id__in=list(owners))

    def containing(self, queryset: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """Parts of what a person reads in the list, or the beginning of an id."""
        found = Q(root_operation__contains=value) | Q(workflow_type__contains=value) | Q(slowest_step__contains=value)
        return queryset.filter(found | Q(correlation_id__startswith=value) if value.isascii() else found)

    class Meta:
        model = models.WorkflowSession
        fields: list[str] = []


class StepFilterSet(RangedFilterSet):
    """`trace-steps/`."""

    time_field = "start_time"
    identifying = ("correlation_id", "trace_id")

    correlation_id = IdFilter()
    trace_id = IdFilter()
    span_id = IdFilter()
    layer = one_of(LAYERS)
    component = TextFilter()
    operation = TextFilter()
    status = one_of(STEP_STATUSES)
    service = TextFilter()
    min_duration_ms = NumberFilter(field_name="duration_ms", lookup_expr="gte")
    max_duration_ms = NumberFilter(field_name="duration_ms", lookup_expr="lte")
    statement_digest = IdFilter()

    class Meta:
        model = models.TraceStep
        fields: list[str] = []


class SnapshotFilterSet(RangedFilterSet):
    """`performance-snapshots/`."""

    identifying = ("correlation_id",)

    correlation_id = IdFilter()
    layer = one_of(LAYERS)
    component = TextFilter()
    metric_name = TextFilter()
    metric_kind = one_of(METRIC_KINDS)
    service = TextFilter()
    min_value = NumberFilter(field_name="metric_value", lookup_expr="gte")
    max_value = NumberFilter(field_name="metric_value", lookup_expr="lte")

    class Meta:
        model = models.PerformanceSnapshot
        fields: list[str] = []


class ErrorFilterSet(RangedFilterSet):
    """`error-logs/`."""

    identifying = ("correlation_id", "fingerprint")

    correlation_id = IdFilter()
    trace_id = IdFilter()
    fingerprint = IdFilter()
    layer = one_of(LAYERS)
    component = TextFilter()
    severity = one_of(SEVERITIES)
    error_type = TextFilter()
    error_class = one_of(ERROR_CLASSES)
    service = TextFilter()
    service_release = TextFilter()
    request_path = TextFilter()
    user_id = TextFilter()
    resolved = YesFilter()
    search = TextFilter(method="containing")

    def containing(self, queryset: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """Parts of the type and the message."""
        return queryset.filter(Q(error_type__contains=value) | Q(error_message__icontains=value))

    class Meta:
        model = models.ErrorLog
        fields: list[str] = []


class GroupFilterSet(RangedFilterSet):
    """`error-groups/`: those seen within the span of time."""

    time_field = "last_seen"
    identifying = ("fingerprint",)

    fingerprint = IdFilter()
    status = one_of(GROUP_STATUSES)
    layer = one_of(LAYERS)
    component = TextFilter()
    error_type = TextFilter()
    error_class = one_of(ERROR_CLASSES)
    release = TextFilter(field_name="last_release")
    min_occurrences = NumberFilter(field_name="occurrences", lookup_expr="gte")
    search = TextFilter(field_name="title", lookup_expr="icontains")

    class Meta:
        model = models.ErrorGroup
        fields: list[str] = []


class AlertFilterSet(RangedFilterSet):
    """`alerts/`: those that were there within the span of time."""

    time_field = "last_seen_at"
    identifying = ("correlation_id",)

    state = one_of(ALERT_STATES)
    level = one_of(ALERT_LEVELS)
    layer = one_of(LAYERS)
    component = TextFilter()
    metric_name = TextFilter()
    correlation_id = IdFilter()

    class Meta:
        model = models.Alert
        fields: list[str] = []


class ConfigurationFilterSet(django_filters.FilterSet):
    """`debug-configurations/`."""

    config_type = TextFilter()
    enabled = YesFilter()

    class Meta:
        model = models.DebugConfiguration
        fields: list[str] = []


class ThresholdFilterSet(django_filters.FilterSet):
    """`performance-thresholds/`."""

    layer = one_of(LAYERS)
    metric_name = TextFilter()
    component = TextFilter()
    enabled = YesFilter()

    class Meta:
        model = models.PerformanceThreshold
        fields: list[str] = []
