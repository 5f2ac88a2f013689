"""Pages by key, not by offset: the thousandth page costs what the first one does, and links stay right while rows arrive."""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from django.db.models import Q
from django.utils import timezone
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from e2edebug.django.page_of_steps import rows_of_page

DEFAULT_PAGE_SIZE: Final = 50
LARGEST_PAGE_SIZE: Final = 500
CURSOR_PATTERN: Final = "^[A-Za-z0-9_-]{8,400}$"


class Place(NamedTuple):
    """Where a page begins or ends."""

    ordering: str
    value: Any
    id: int
    is_backward: bool
    """The page lies before the place."""


class KeysetPagination(BasePagination):
    """`next` and `previous` are whole addresses; a page has `page_size` rows, 50 unless asked for, 500 at most.

    The view says what may be ordered by: `orderings` (name in the API -> model field), the first is the default.
    """

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        """Return the rows of the page that *request* asks for, and remember what stands beside it."""
        self.request, self.view = request, view
        page_size = read_page_size(request)
        ordering = read_ordering(request, view)
        field, is_descending = field_of(ordering, view)
        place = _decoded(request.query_params.get("cursor"), ordering)
        if field not in _NEVER_NULL:
            queryset = queryset.filter(**{f"{field}__isnull": False})
        if place is not None:
            queryset = queryset.filter(_beyond(field, place, is_descending=is_descending))
        is_backward = place is not None and place.is_backward
        order = _order(field, is_descending=is_descending is not is_backward)
        if field == "duration_ms":
            # From the index of the statistics, which has the durations of a day: sorting whole rows takes twice as long.
            found = list(queryset.order_by(*order).values_list("id", flat=True)[: page_size + 1])
            rows = list(queryset.filter(id__in=found).order_by(*order))
        else:
            rows = rows_of_page(queryset, field, order_by=order, rows=page_size + 1)
        has_more, rows = len(rows) > page_size, rows[:page_size]
        if is_backward:
            rows.reverse()
        has_next = has_more if not is_backward else True
        has_previous = place is not None if not is_backward else has_more
        self.next_link = self._link(rows, -1, ordering, field, is_backward=False) if has_next else None
        self.previous_link = self._link(rows, 0, ordering, field, is_backward=True) if has_previous else None
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page: links, the span of time that was looked at, rows."""
        return Response(
            {
                "next": self.next_link,
                "previous": self.previous_link,
                "range": getattr(self.request, "e2edebug_range", None),
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """Describe the page to OpenAPI."""
        link = {"type": ["string", "null"], "format": "uri"}
        moment = {"type": "string", "format": "date-time"}
        return {
            "type": "object",
            "required": ["next", "previous", "range", "results"],
            "properties": {
                "next": link | {"description": "The next page, null on the last one."},
                "previous": link | {"description": "The page before, null on the first one."},
                "range": {
                    "type": ["object", "null"],
                    "description": "The span of time that was looked at; null where an id was given and no time.",
                    "required": ["since", "until"],
                    "properties": {"since": moment, "until": moment | {"type": ["string", "null"]}},
                },
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the parameters to OpenAPI."""
        names = [sign + name for name in view.orderings for sign in ("", "-")]
        return [
            _parameter("cursor", {"type": "string", "pattern": CURSOR_PATTERN}, "From a `next` or `previous` link."),
            _parameter(
                "page_size",
                {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE_SIZE, "default": DEFAULT_PAGE_SIZE},
                "Rows of a page.",
            ),
            _parameter("ordering", {"type": "string", "enum": names}, f"Default: `{default_ordering(view)}`."),
        ]

    def _link(self, rows: Sequence[Any], position: int, ordering: str, field: str, *, is_backward: bool) -> str | None:
        if not rows:
            return None
        row = rows[position]
        url = self.request.build_absolute_uri()
        found_range = getattr(self.request, "e2edebug_range", None)
        if found_range is not None:  # "the last 24 hours" must not move while somebody turns pages
            for name, value in found_range.items():
                if value is not None:
                    url = replace_query_param(url, name, value)
        return replace_query_param(
            url, "cursor", encoded(Place(ordering, getattr(row, field), row.id, is_backward=is_backward))
        )


def encoded(place: Place) -> str:
    """Return *place* as the text of a `cursor` parameter."""
    value = place.value
    if isinstance(value, datetime):
        value = (timezone.make_aware(value) if timezone.is_naive(value) else value).astimezone(UTC).isoformat()
    text = json.dumps([place.ordering, value, place.id, int(place.is_backward)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_page_size(request: Any) -> int:
    """Return the `page_size` of *request*. Raises ValidationError (400)."""
    text = request.query_params.get("page_size")
    if text is None:
        return DEFAULT_PAGE_SIZE
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LARGEST_PAGE_SIZE:
        return int(text)
    raise ValidationError({"page_size": [f"A number from 1 to {LARGEST_PAGE_SIZE}."]})


def read_ordering(request: Any, view: Any) -> str:
    """Return the `ordering` of *request*. Raises ValidationError (400) for one that *view* does not offer."""
    ordering = request.query_params.get("ordering")
    if ordering is None:
        return default_ordering(view)
    if ordering.removeprefix("-") not in view.orderings or ordering.startswith("--"):
        raise ValidationError({"ordering": [f"One of {', '.join(view.orderings)}, with a `-` in front to go down."]})
    return str(ordering)


def default_ordering(view: Any) -> str:
    """Return what *view* orders by unless it is asked for something else: newest first."""
    return f"-{next(iter(view.orderings))}"


def field_of(ordering: str, view: Any) -> tuple[str, bool]:
    """Return the model's field, and whether to go down."""
    return view.orderings[ordering.removeprefix("-")], ordering.startswith("-")


def _order(field: str, *, is_descending: bool) -> list[str]:
    sign = "-" if is_descending else ""
    return [f"{sign}{field}"] if field == "id" else [f"{sign}{field}", f"{sign}id"]


def _beyond(field: str, place: Place, *, is_descending: bool) -> Q:
    side = "lt" if is_descending is not place.is_backward else "gt"
    if field == "id":
        return Q(**{f"id__{side}": place.id})
    beyond = Q(**{f"{field}__{side}": place.value}) | Q(**{field: place.value, f"id__{side}": place.id})
    # Not a row comparison: MariaDB and MySQL do not use the index for it. The first term alone bounds the range.
    return Q(**{f"{field}__{side}e": place.value}) & beyond


def _decoded(cursor: str | None, ordering: str) -> Place | None:
    if cursor is None:
        return None
    if re.fullmatch(CURSOR_PATTERN, cursor) is None:
        raise ValidationError({"cursor": ["Take it from a `next` or `previous` link."]})
    place = _place_of(cursor)
    if place is None or place.ordering != ordering:
        raise NotFound("There is no such page: take the cursor from a `next` or `previous` link, with its ordering.")
    return place


def _place_of(cursor: str) -> Place | None:
    try:
        document = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        ordering, value, row_id, is_backward = document
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        return None
    is_number = type(value) in (int, float) and abs(value) < 1e300
    is_moment = isinstance(value, datetime) and value.tzinfo is not None
    if not (is_number or is_moment) or type(row_id) is not int or not 0 <= row_id < 1 << 63:
        return None
    return Place(str(ordering), value, row_id, bool(is_backward))


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


_NEVER_NULL: Final = frozenset(
    {"id", "start_time", "timestamp", "last_seen", "first_seen", "occurrences", "name", "updated_at", "changed_at"}
)
