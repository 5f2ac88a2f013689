"""What the admins of recorded rows have in common: nobody edits them, and they are found by exact ids."""

import re
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from e2edebug.django.admin.cells import cut
from e2edebug.django.admin.keyset_list import KeysetAdmin

SHORTEST_PREFIX: Final = 6
_MOST_FOUND: Final = 1000
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")


class RecordedAdmin(KeysetAdmin):
    """A list and a page of rows that the application recorded. They are read here, and cleared out by retention."""

    search_fields = ("correlation_id",)
    """Says that there is a search box; how it searches is told by get_search_results()."""
    search_help_text = "A correlation id or a trace id; of a correlation id the beginning does, from six characters on."
    trace_field = "trace_id"
    save_on_top = False

    class Media:
        """No inline style or script: these pages work under `style-src 'self'; script-src 'self'`."""

        css = {"all": ["debugging/admin.css"]}

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:  # noqa: ARG002  # Django's signature
        """Rows are recorded, not written by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  # Django's signature
        """What happened is not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  # Django's signature
        """Retention deletes."""
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of one row, whose title is the row and not what Django calls the page."""
        row = self.get_object(request, object_id) if object_id.isascii() else None
        title = {"title": cut(str(row)), "subtitle": None} if row is not None else {}
        return super().change_view(request, object_id, form_url, {**title, **(extra_context or {})})

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002  # Django's signature
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Find rows by an index alone: a trace id, a correlation id, or the beginning of one."""
        term = search_term.strip()
        if not term:
            return queryset, False
        trace_id = term.replace("-", "").lower()
        if not term.isascii():
            return queryset.none(), False
        wanted = self.model._default_manager.none()
        if self.trace_field and _TRACE_ID.fullmatch(trace_id):
            wanted = self.model._default_manager.filter(**{self.trace_field: trace_id})
        # The ids first: told to order by time as well, the server would walk the whole table backwards.
        ids = list(wanted.values_list("id", flat=True)[:_MOST_FOUND])
        ids += self._ids_by_correlation(term)
        return queryset.filter(id__in=ids), False

    def _ids_by_correlation(self, term: str) -> list[int]:
        rows = self.model._default_manager.order_by("correlation_id")
        if len(term) < SHORTEST_PREFIX:
            rows = rows.filter(correlation_id=term)
        else:
            # A range, because Django's `startswith` is LIKE BINARY on MySQL, which no index serves.
            rows = rows.filter(correlation_id__gte=term, correlation_id__lt=term + "\x7f")
        return list(rows.values_list("id", flat=True)[:_MOST_FOUND])


def shown(field: str, title: str) -> Any:
    """Return a column of a list that shows *field* as it is."""

    @admin.display(description=title)
    def column(_admin: Any, row: Any) -> Any:
        return getattr(row, field)

    return column
