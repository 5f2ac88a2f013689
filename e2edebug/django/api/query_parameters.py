"""Nothing in a query is passed over: a misspelt filter would show everything where somebody wanted a part."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import ValidationError

DEFAULT_RANGE: Final = timedelta(hours=24)
PAGE_PARAMETERS: Final = ("cursor", "page_size", "ordering")
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)


def check_parameters(request: Any, accepted: Iterable[str]) -> None:
    """Raise ValidationError (400) for a parameter that is unknown, empty, or given twice."""
    known = sorted(accepted)
    problems: dict[str, list[str]] = {}
    for name, values in request.query_params.lists():
        if name not in known:
            problems[name] = [f"Unknown; accepted here: {', '.join(known) or 'none'}."]
        elif len(values) > 1:
            problems[name] = ["Given more than once."]
        elif values[0] == "":
            problems[name] = ["May not be empty; leave it out."]
    if problems:
        raise ValidationError(problems)


def read_moment(request: Any, name: str) -> datetime | None:
    """Return a parameter that is an ISO 8601 time with a zone, UTC, within what the store can hold."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = parse_datetime(text.replace(" ", "+"))  # an unquoted + arrives as a blank
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValidationError({name: ["A time with its zone, such as 2026-11-25T12:00:00Z."]})
    try:
        return min(max(moment.astimezone(UTC), EARLIEST), LATEST)
    except OverflowError:
        return EARLIEST if moment.year < 1970 else LATEST


def read_range(
    request: Any, *, default: timedelta | None = DEFAULT_RANGE, now: datetime | None = None
) -> tuple[datetime | None, datetime | None]:
    """Return `since` and `until` of *request*. Without `since` it is *default* before `until` or now; None: no limit."""
    since, until = read_moment(request, "since"), read_moment(request, "until")
    if since is None and default is not None:
        since = (until or now or datetime.now(UTC)) - default
    return since, until


def shown_range(since: datetime | None, until: datetime | None) -> dict[str, str | None] | None:
    """Return the span of time as a response shows it."""
    if since is None:
        return None
    return {"since": shown_moment(since), "until": None if until is None else shown_moment(until)}


def shown_moment(moment: datetime) -> str:
    """Return a time as the API writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
