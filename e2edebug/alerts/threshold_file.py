"""Thresholds as YAML: what a team keeps beside its code, reads in a review, and brings into the store.

thresholds:
  - layer: api
    metric: response_time
    warning: 500
    critical: 2000
  - {layer: api, component: CheckoutView, metric: response_time, warning: 800, critical: 3000, pending: 2m}
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, insert, select, update

from e2edebug_schema.alert_tables import threshold_option
from e2edebug_schema.queries.thresholds import thresholds
from e2edebug_schema.tables import LAYERS, performance_threshold, text_limits
from e2edebug_schema.thresholds import AGGREGATIONS, DEFAULT_MIN_SAMPLES, Threshold

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
_UNIT_S: Final = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_NAMES: Final = {
    "layer": "layer", "component": "component", "metric": "metric_name", "warning": "warning", "critical": "critical",
    "enabled": "enabled", "alert_on_warning": "alert_on_warning", "alert_on_critical": "alert_on_critical",
    "aggregation": "aggregation", "window": "window_s", "pending": "pending_s",
    "recovery_margin_pct": "recovery_margin_pct", "min_samples": "min_samples", "no_data": "no_data_s",
}  # fmt: skip
"""Name in the file -> field of Threshold."""


class ThresholdFileError(ValueError):
    """A file that cannot be used; `problems` has a line for each mistake."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Difference:
    """What an import changes at one threshold."""

    threshold: Threshold
    before: Threshold | None
    """None: it is new."""

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Field -> value before and after."""
        if self.before is None:
            return {}
        return {
            one.name: (getattr(self.before, one.name), getattr(self.threshold, one.name))
            for one in fields(Threshold)
            if one.compare and getattr(self.before, one.name) != getattr(self.threshold, one.name)
        }


def read_thresholds(text: str) -> list[Threshold]:
    """Return the thresholds of a YAML text. Raises ThresholdFileError with every mistake in it."""
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ThresholdFileError([f"not YAML: {error}".replace("\n", " ")]) from error
    entries = document.get("thresholds") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise ThresholdFileError(["the file has no list `thresholds:`"])
    problems: list[str] = []
    found: list[Threshold] = []
    for number, entry in enumerate(entries, start=1):
        values = _values(entry, number, problems)
        if values is not None:
            found.append(Threshold(**values))
    seen: set[tuple[str, str, str]] = set()
    for one in found:
        key = (one.layer, one.metric_name, one.component)
        if key in seen:
            problems.append(f"{_called(one)} is there twice")
        seen.add(key)
    if problems:
        raise ThresholdFileError(problems)
    return found


def write_thresholds(held: Sequence[Threshold]) -> str:
    """Return the YAML text of *held*, without what is as by default."""
    import yaml

    entries = []
    for one in held:
        plain = Threshold(
            layer=one.layer, metric_name=one.metric_name, warning=0, critical=0,
            min_samples=DEFAULT_MIN_SAMPLES.get(one.metric_name, 1),
        )  # fmt: skip
        entry: dict[str, Any] = {}
        for name, field in _NAMES.items():
            value = getattr(one, field)
            if name in ("layer", "metric", "warning", "critical") or value != getattr(plain, field):
                entry[name] = f"{value}s" if field.endswith("_s") else _plain_number(value)
        entries.append(entry)
    text: str = yaml.safe_dump({"thresholds": entries}, sort_keys=False, allow_unicode=True)
    return text


def differences(engine: Engine, wanted: Iterable[Threshold]) -> list[Difference]:
    """Return what importing *wanted* would change; thresholds that are as they are wanted are left out."""
    held = {(one.layer, one.metric_name, one.component): one for one in thresholds(engine)}
    found = [Difference(one, held.get((one.layer, one.metric_name, one.component))) for one in wanted]
    # A default that is wanted as it is needs no row.
    return [one for one in found if one.before is None or one.changed]


def store_thresholds(engine: Engine, changed: Iterable[Difference], *, now: datetime) -> None:
    """Store what differences() found, in one transaction."""
    with engine.begin() as connection:
        for one in changed:
            _store(connection, one.threshold, now)


def _store(connection: Connection, one: Threshold, now: datetime) -> None:
    columns = performance_threshold.c
    where = (
        columns.layer == one.layer, columns.metric_name == one.metric_name, columns.component == one.component,
    )  # fmt: skip
    values = {
        "warning_threshold": one.warning,
        "critical_threshold": one.critical,
        "enabled": one.enabled,
        "alert_on_warning": one.alert_on_warning,
        "alert_on_critical": one.alert_on_critical,
        "aggregation": one.aggregation,
        "window_s": one.window_s,
        "pending_s": one.pending_s,
        "recovery_margin_pct": one.recovery_margin_pct,
        "updated_at": now,
    }
    row_id = connection.execute(select(columns.id).where(*where)).scalar()
    if row_id is None:
        names = {"layer": one.layer, "metric_name": one.metric_name, "component": one.component, "created_at": now}
        done = connection.execute(insert(performance_threshold).values(names | values))
        assert done.inserted_primary_key is not None
        row_id = done.inserted_primary_key[0]
    else:
        connection.execute(update(performance_threshold).where(columns.id == row_id).values(values))
    connection.execute(delete(threshold_option).where(threshold_option.c.threshold_id == row_id))
    connection.execute(
        insert(threshold_option).values(threshold_id=row_id, min_samples=one.min_samples, no_data_s=one.no_data_s)
    )


def _values(entry: Any, number: int, problems: list[str]) -> dict[str, Any] | None:
    if not isinstance(entry, Mapping):
        problems.append(f"entry {number} is not a mapping")
        return None
    called = f"entry {number} ({entry.get('layer')} {entry.get('metric')} {entry.get('component') or ''}".rstrip() + ")"
    before = len(problems)
    values: dict[str, Any] = {}
    for name, value in entry.items():
        field = _NAMES.get(str(name))
        if field is None:
            nearest = get_close_matches(str(name), _NAMES, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"it has {', '.join(_NAMES)}"
            problems.append(f"{called}: {name!r} is no field of a threshold; {hint}")
            continue
        problem, read = _read(field, value)
        if problem is not None:
            problems.append(f"{called}: {name}={value!r} is not {problem}")
        else:
            values[field] = read
    problems.extend(
        f"{called}: {name} is missing"
        for name in ("layer", "metric", "warning", "critical")
        if _NAMES[name] not in values and name not in entry
    )
    if len(problems) > before:
        return None
    if values["warning"] == values["critical"]:
        problems.append(f"{called}: warning and critical are equal, so whether lower is worse cannot be told")
        return None
    values.setdefault("min_samples", DEFAULT_MIN_SAMPLES.get(values["metric_name"], 1))
    return values


def _read(field: str, value: Any) -> tuple[str | None, Any]:
    """What the value should have been, or None and the value."""
    limits = text_limits(performance_threshold)
    if field == "layer":
        return (None, value) if value in LAYERS else (f"one of {', '.join(LAYERS)}", None)
    if field in ("component", "metric_name"):
        text = str(value or "").strip()
        is_right = isinstance(value, str | None) and len(text) <= limits[field] and (text or field == "component")
        return (None, text) if is_right else (f"text of at most {limits[field]} characters", None)
    if field == "aggregation":
        return (None, value) if value in AGGREGATIONS else (f"one of {', '.join(AGGREGATIONS)}", None)
    if field in ("enabled", "alert_on_warning", "alert_on_critical"):
        return (None, value) if isinstance(value, bool) else ("true or false", None)
    if field.endswith("_s"):
        match = _DURATION.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
        seconds = None if match is None else round(float(match[1]) * _UNIT_S[match[2]])
        least = 1 if field == "window_s" else 0
        is_right = seconds is not None and least <= seconds <= 7 * 86_400
        return (None, seconds) if is_right else ("a length of time such as 300, 5m or 1h, at most 7d", None)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        return "a number", None
    if field == "min_samples":
        return (None, int(value)) if value >= 1 and int(value) == value else ("a whole number from 1", None)
    if field == "recovery_margin_pct":
        return (None, float(value)) if 0 <= value < 100 else ("a number from 0 to below 100", None)
    return None, float(value)


def _plain_number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _called(one: Threshold) -> str:
    return f"{one.layer} {one.metric_name} {one.component}".rstrip()
