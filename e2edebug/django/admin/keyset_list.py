"""Lists that stay fast on millions of rows: newest first, the next page by the last row's key, nothing counted.

Django's own change list counts the table, counts again what the filters leave, and skips to page 900 by reading the 899
before. Here a page is one query of page size + 1 rows that begins where the page before ended.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.admin import options
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property

from e2edebug.django.page_of_steps import rows_of_page

if TYPE_CHECKING:  # generic in the stubs, not at run time
    _Paginator = Paginator[Any]
    _ModelAdmin = options.ModelAdmin[Any]
else:
    _Paginator = Paginator
    _ModelAdmin = options.ModelAdmin


BEFORE: Final = "before"
"""Query parameter: the key of the last row of the page before, `<microseconds since 1970>-<id>` or `<id>`."""

ROWS_PER_PAGE: Final = 50


class UncountedPaginator(_Paginator):
    """Never counts: its pages are those of KeysetChangeList."""

    @cached_property
    def count(self) -> int:
        """One page, however many rows there are."""
        return self.per_page


class KeysetChangeList(ChangeList):
    """A change list whose pages follow one another by key."""

    older_link = ""
    """The query string of the next page, '' on the last one."""
    newest_link = ""
    is_first_page = True

    def __init__(self, request: HttpRequest, *arguments: Any, **named: Any) -> None:
        self._before = request.GET.get(BEFORE, "")
        super().__init__(request, *arguments, **named)

    def get_filters_params(self, params: Any = None) -> Any:
        """Return the parameters that are filters: the place in the list is none."""
        found = super().get_filters_params(params)
        found.pop(BEFORE, None)
        return found

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Return the query string of a link; a list with other filters begins at its beginning."""
        keeps_place = new_params is not None and BEFORE in new_params
        return super().get_query_string(new_params, [*(remove or []), *([] if keeps_place else [BEFORE])])

    def get_results(self, request: HttpRequest) -> None:
        """Read one page, and one row more to know whether there is another."""
        queryset = self.queryset
        key = _read_key(self._before)
        self.is_first_page, self.newest_link = key is None, self.get_query_string()
        time_field = getattr(self.model_admin, "time_field", "")
        if key is not None:
            queryset = queryset.filter(_older_than(time_field, key))
        order = self.model_admin.get_ordering(request)
        rows = rows_of_page(queryset, time_field, order_by=list(map(str, order)), rows=self.list_per_page + 1)
        has_more, rows = len(rows) > self.list_per_page, rows[: self.list_per_page]
        if has_more:
            self.older_link = self.get_query_string({BEFORE: _key_of(rows[-1], time_field)})
        self.result_list = rows
        self.result_count = self.full_result_count = len(rows)
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = UncountedPaginator(rows, self.list_per_page)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:  # noqa: ARG002  # Django's signature
        """Return the one order that an index gives."""
        return list(self.model_admin.get_ordering(request))

    def apply_select_related(self, qs: QuerySet[Any]) -> QuerySet[Any]:
        """Join nothing: a row says everything that the list shows of it."""
        return qs


class KeysetAdmin(_ModelAdmin):
    """The base of the admins of recorded rows."""

    time_field = "timestamp"
    """By which the list is ordered, then by id; '' by the id alone."""
    list_per_page = ROWS_PER_PAGE
    show_full_result_count = False
    show_facets = options.ShowFacets.NEVER
    sortable_by = ()
    list_select_related = False
    paginator = UncountedPaginator
    change_list_template = "admin/debugging/keyset_change_list.html"

    def get_changelist(self, request: HttpRequest, **named: Any) -> type[ChangeList]:  # noqa: ARG002  # Django's signature
        """Return the class of the list."""
        return KeysetChangeList

    def get_ordering(self, request: HttpRequest) -> list[Any]:  # noqa: ARG002  # Django's signature
        """Newest first."""
        return [f"-{self.time_field}", "-id"] if self.time_field else ["-id"]


def _key_of(row: Any, time_field: str) -> str:
    if not time_field:
        return str(row.pk)
    moment: datetime = getattr(row, time_field)
    if moment.tzinfo is None:
        moment = moment.astimezone()
    # Not timestamp(), whose floating point loses the last microseconds.
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return f"{(since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds}-{row.pk}"


def _read_key(text: str) -> tuple[int, int] | None:
    """The numbers of a key; None for the first page, and for what is no key."""
    time, _, row_id = text.rpartition("-")
    if not row_id.isascii() or not row_id.isdecimal() or len(row_id) > 19 or len(time) > 17:
        return None
    if time and not (time.isascii() and time.isdecimal()):
        return None
    return int(time or 0), int(row_id)


def _older_than(time_field: str, key: tuple[int, int]) -> Q:
    microseconds, row_id = key
    if not time_field:
        return Q(id__lt=row_id)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    if not settings.USE_TZ:
        moment = timezone.make_naive(moment, timezone.get_default_timezone())
    # The first term alone bounds the range in the index; servers do not use one for a comparison of pairs.
    return Q(**{f"{time_field}__lte": moment}) & (Q(**{f"{time_field}__lt": moment}) | Q(id__lt=row_id))
