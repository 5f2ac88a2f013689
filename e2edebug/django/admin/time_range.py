"""Which stretch of time a list shows: the last hours, or one day of those that are kept. No query is needed for that."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

_HOURS: Final = {"1h": 1, "24h": 24, "7d": 7 * 24}
DAYS_SHOWN: Final = 14


class TimeRange(SimpleListFilter):
    """`?time=1h`, `?time=2026-11-23`. Without it the last 24 hours, so that no list ever reads everything."""

    title = "time"
    parameter_name = "time"
    time_field = "timestamp"
    offered = ("1h", "24h", "7d")
    default = "24h"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  # Django's signature
        """The choices: computed, not asked of the table."""
        names = {"1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days"}
        today = datetime.now(UTC).date()
        days = [today - timedelta(days=back) for back in range(DAYS_SHOWN)]
        return [
            *((name, names[name]) for name in self.offered),
            *((f"{day}", f"{day:%a %d %b}" + (" (UTC)" if day == today else "")) for day in days),
        ]

    def choices(self, changelist: Any) -> Any:
        """Yield the choices; the default is one of them, not 'all'."""
        selected = self.value() or self.default
        for lookup, title in self.lookup_choices:
            yield {
                "selected": str(lookup) == selected,
                "query_string": changelist.get_query_string({self.parameter_name: lookup}),
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the stretch. Somebody who looks for an id means any time."""
        if request.GET.get("q", "").strip() and not self.value():
            return queryset
        since, until = self._bounds(self.value() or self.default)
        queryset = queryset.filter(**{f"{self.time_field}__gte": since})
        return queryset if until is None else queryset.filter(**{f"{self.time_field}__lt": until})

    def _bounds(self, value: str) -> tuple[datetime, datetime | None]:
        hours = _HOURS.get(value)
        if hours is None:
            try:
                day = min(date.fromisoformat(value), date(9999, 12, 30))
            except ValueError:
                hours = _HOURS[self.default]
            else:
                begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
                return _as_stored(begins), _as_stored(begins + timedelta(days=1))
        return _as_stored(datetime.now(UTC) - timedelta(hours=hours)), None


def _as_stored(moment: datetime) -> datetime:
    """With USE_TZ off the models take naive times in the zone of the project."""
    return moment if settings.USE_TZ else timezone.make_naive(moment, timezone.get_default_timezone())


def time_range(time_field: str, *, offered: tuple[str, ...] = ("1h", "24h"), default: str = "24h") -> type[TimeRange]:
    """Return the filter for a model's time."""
    return type("TimeRange", (TimeRange,), {"time_field": time_field, "offered": offered, "default": default})
