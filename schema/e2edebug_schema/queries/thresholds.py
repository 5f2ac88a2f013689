"""The thresholds that hold: the stored ones, and the defaults that nothing stored replaces."""

from collections.abc import Iterable

from sqlalchemy import func, select

from e2edebug_schema.alert_tables import threshold_option
from e2edebug_schema.queries.reading import Source, reading
from e2edebug_schema.tables import performance_threshold
from e2edebug_schema.thresholds import DEFAULT_MIN_SAMPLES, DEFAULT_THRESHOLDS, Threshold


def thresholds(source: Source) -> list[Threshold]:
    """Return every threshold that holds, switched-off ones too, by layer, metric and component.

    A default holds until a row for the same layer, metric and component is stored; a stored row with `enabled = 0`
    is how a default is switched off.
    """
    held = {
        (threshold.layer, threshold.metric_name, threshold.component): threshold for threshold in DEFAULT_THRESHOLDS
    }
    columns = performance_threshold.c
    query = select(
        columns.layer, columns.metric_name, columns.component, columns.enabled, columns.alert_on_warning,
        columns.warning_threshold.label("warning"), columns.critical_threshold.label("critical"),
        columns.alert_on_critical, columns.aggregation, columns.window_s, columns.pending_s,
        columns.recovery_margin_pct, columns.id.label("threshold_id"), threshold_option.c.min_samples,
        func.coalesce(threshold_option.c.no_data_s, 0).label("no_data_s"),
    ).outerjoin_from(
        performance_threshold, threshold_option, threshold_option.c.threshold_id == columns.id
    )  # fmt: skip
    with reading(source) as connection:
        for row in connection.execute(query):
            values = row._asdict()
            if values["min_samples"] is None:
                values["min_samples"] = DEFAULT_MIN_SAMPLES.get(row.metric_name, 1)
            held[row.layer, row.metric_name, row.component] = Threshold(**values)
    return [held[key] for key in sorted(held)]


def threshold_for(held: Iterable[Threshold], *, layer: str, metric_name: str, component: str) -> Threshold | None:
    """Return the threshold that decides about *component*: its own, else that of its layer; None when neither holds."""
    fitting = [
        threshold
        for threshold in held
        if (threshold.layer, threshold.metric_name) == (layer, metric_name) and threshold.component in ("", component)
    ]
    chosen = max(fitting, key=lambda threshold: threshold.component != "", default=None)
    return chosen if chosen is not None and chosen.enabled else None
