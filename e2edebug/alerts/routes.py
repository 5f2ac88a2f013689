"""Who is told of what: routes by layer, component, metric and level, each to one channel."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from e2edebug.alerts.states import Target
from e2edebug.policy.configuration_types import GROUPINGS, WEEKDAYS
from e2edebug_schema.tables import LAYERS
from e2edebug_schema.thresholds import Level

CONFIG_TYPE: Final = "notification_route"
"""Routes are rows of debugging_configuration with this config_type; the name of the row is the name of the route."""

_DEFAULT_ROUTE: Final = "settings"
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class RouteError(ValueError):
    """A route that cannot be used; the text names route, field, value and accepted form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """When a route waits: from one time of day to another, in a zone, on some days."""

    begin: time
    end: time
    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))
    """0 is Monday. A night belongs to the day on which it begins."""
    critical_passes: bool = True

    def hold(self, now: datetime, level: Level | None) -> bool:
        """Tell whether a message of *level* waits at *now*."""
        if level == "critical" and self.critical_passes:
            return False
        local = now.astimezone(self.zone)
        at, day = local.time().replace(tzinfo=None), local.weekday()
        if self.begin <= self.end:
            return self.begin <= at < self.end and day in self.days
        return (at >= self.begin and day in self.days) or (at < self.end and (day - 1) % 7 in self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to one channel."""

    name: str
    url: str
    """An apprise address, `webhook+https://...` or `django-email:...`; `${NAME}` is read from the environment."""
    layers: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    """Patterns such as `Check*`; () is every one."""
    metrics: tuple[str, ...] = ()
    level: Level = "warning"
    """The lowest level that is told."""
    group_by: str = "all"
    group_interval_s: float = 60.0
    """So long after a message the next one waits, so that what belongs together comes together."""
    repeat_s: float = 4 * 3600.0
    """A reminder as long as nobody has acknowledged; 0: none."""
    quiet_hours: QuietHours | None = None
    send_resolved: bool = True
    quota_per_hour: int = 30
    secret: str = ""
    """What a webhook is signed with; `${NAME}` is read from the environment."""

    def takes(self, target: Target, level: Level | None) -> bool:
        """Tell whether this route is told of *target* at *level*."""
        return (
            (not self.layers or target.layer in self.layers)
            and (not self.metrics or target.metric_name in self.metrics)
            and (not self.components or any(fnmatchcase(target.component, pattern) for pattern in self.components))
            and (self.level == "warning" or level == "critical")
        )


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes that can be used, and what is wrong with the others: one mistake must not silence everybody."""

    usable: tuple[Route, ...]
    problems: tuple[str, ...] = ()


def routes_of(rows: Iterable[tuple[str, bool, Mapping[str, Any]]], urls: Iterable[str] = ()) -> Routes:
    """Return the routes of configuration rows (name, enabled, data) and of the settings' *urls*, one per address."""
    found: list[Route] = []
    problems: list[str] = []
    given = [(name, data) for name, is_enabled, data in rows if is_enabled and any(data.values())]
    if urls := list(urls):
        given.append((_DEFAULT_ROUTE, {"urls": urls}))
    for name, data in given:
        try:
            found += read_route(name, data)
        except RouteError as error:
            problems.append(str(error))
    return Routes(tuple(found), tuple(problems))


def read_route(name: str, data: Mapping[str, Any]) -> list[Route]:
    """Return the routes that *data* describes: one for each of its addresses. Raises RouteError."""
    unknown = [key for key in data if key not in _FIELDS]
    if unknown:
        nearest = get_close_matches(unknown[0], _FIELDS, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"it has {', '.join(sorted(_FIELDS))}"
        raise RouteError(f"route {name!r}: {unknown[0]!r} is no field of a route; {hint}")
    urls = _texts(name, data, "urls") + ((str(data["url"]),) if data.get("url") else ())
    if not urls:
        raise RouteError(f"route {name!r}: urls is missing: at least one address to send to")
    common: dict[str, Any] = {
        "layers": _among(name, data, "layers", LAYERS),
        "components": _texts(name, data, "components"),
        "metrics": _texts(name, data, "metrics"),
        "level": _one_of(name, data, "level", ("warning", "critical"), "warning"),
        "group_by": _one_of(name, data, "group_by", GROUPINGS, "all"),
        "group_interval_s": _seconds(name, data, "group_interval_s", 60.0),
        "repeat_s": _seconds(name, data, "repeat_s", 4 * 3600.0),
        "quiet_hours": _quiet_hours(name, data),
        "send_resolved": _boolean(name, data, "send_resolved", default=True),
        "quota_per_hour": int(_seconds(name, data, "quota_per_hour", 30)),
        "secret": str(data.get("secret") or ""),
    }
    return [
        Route(name=name if len(urls) == 1 else f"{name}#{number}", url=url, **common)
        for number, url in enumerate(urls, start=1)
    ]


def with_environment(text: str) -> str:
    """Return *text* with `${NAME}` replaced by the environment's value. Raises RouteError for one that is not set."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise RouteError(f"the environment variable {match[1]} of this address is not set")
        return found

    return _VARIABLE.sub(value, text)


_FIELDS: Final = (
    "url", "urls", "layers", "components", "metrics", "level", "group_by", "group_interval_s", "repeat_s",
    "quiet_hours", "quiet_zone", "quiet_days", "critical_passes", "send_resolved", "quota_per_hour", "secret",
)  # fmt: skip


def _texts(name: str, data: Mapping[str, Any], field: str) -> tuple[str, ...]:
    value = data.get(field) or ()
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
        raise RouteError(f"route {name!r}: {field}={value!r} is not a list of texts")
    return tuple(value)


def _among(name: str, data: Mapping[str, Any], field: str, known: tuple[str, ...]) -> tuple[str, ...]:
    values = _texts(name, data, field)
    for value in values:
        if value not in known:
            raise RouteError(f"route {name!r}: {field} has {value!r}, which is not one of {', '.join(known)}")
    return values


def _one_of(name: str, data: Mapping[str, Any], field: str, known: tuple[str, ...], default: str) -> str:
    value = data.get(field) or default
    if value not in known:
        raise RouteError(f"route {name!r}: {field}={value!r} is not one of {', '.join(known)}")
    return str(value)


def _seconds(name: str, data: Mapping[str, Any], field: str, default: float) -> float:
    value = data.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise RouteError(f"route {name!r}: {field}={value!r} is not a number from 0")
    return float(value)


def _boolean(name: str, data: Mapping[str, Any], field: str, *, default: bool) -> bool:
    value = data.get(field)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise RouteError(f"route {name!r}: {field}={value!r} is not true or false")
    return value


def _quiet_hours(name: str, data: Mapping[str, Any]) -> QuietHours | None:
    hours = data.get("quiet_hours")
    if hours is None:
        return None
    match = _HOURS.fullmatch(str(hours))
    if match is None:
        raise RouteError(f"route {name!r}: quiet_hours={hours!r} is not of the form 22:00-07:00")
    zone_name = data.get("quiet_zone") or "UTC"
    try:
        zone = ZoneInfo(str(zone_name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RouteError(f"route {name!r}: quiet_zone={zone_name!r} is not a time zone that is known here") from error
    days = _among(name, data, "quiet_days", WEEKDAYS) or WEEKDAYS
    return QuietHours(
        begin=time(int(match[1]), int(match[2])),
        end=time(int(match[3]), int(match[4])),
        zone=zone,
        days=frozenset(WEEKDAYS.index(day) for day in days),
        critical_passes=_boolean(name, data, "critical_passes", default=True),
    )
