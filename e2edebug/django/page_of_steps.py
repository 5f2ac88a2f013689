"""One page of a list of steps, read from the time index alone as far as possible.

The index begins with the time and goes on with what percentiles need, not with the id. Told to order by time and id, a
server therefore reads every step of the day and sorts it: 1.4 s for 700,000 steps. Asked for the time alone it reads the
page's entries of the index and stops: 5 ms.
"""

from typing import Any, Final

from django.db.models import QuerySet

from e2edebug.django.models import TraceStep

_TIME: Final = "start_time"
_IDS: Final = frozenset(("id", "correlation_id", "trace_id", "span_id"))


def rows_of_page(queryset: QuerySet[Any], field: str, *, order_by: list[str], rows: int) -> list[Any]:
    """Return the first *rows* of *queryset* in the order *order_by*, which begins with *field* and ends with the id.

    For any other model, order, or a search by id it is the plain query.
    """
    ordered = queryset.order_by(*order_by)
    if queryset.model is TraceStep and field == _TIME and not _names_an_id(queryset.query.where):
        entries = list(queryset.order_by(order_by[0]).values_list(_TIME, "id")[:rows])
        if len(entries) < rows:
            ordered = ordered.filter(id__in=[row_id for _, row_id in entries])
        else:
            side = "gte" if order_by[0].startswith("-") else "lte"
            ordered = ordered.filter(**{f"{_TIME}__{side}": entries[-1][0]})
    return list(ordered[:rows])


def _names_an_id(node: Any) -> bool:
    """Tell whether a condition finds rows by an id: then the index of that id is the one to use."""
    for child in getattr(node, "children", ()):
        target = getattr(getattr(child, "lhs", None), "target", None)
        is_exact = getattr(child, "lookup_name", "") in ("exact", "in")
        if (is_exact and getattr(target, "name", "") in _IDS) or _names_an_id(child):
            return True
    return False
