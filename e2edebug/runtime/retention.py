"""Retention as the settings have it: the policy, and one run of it under the lease."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Engine

from e2edebug.policy.config import Config
from e2edebug.policy.runtime_configuration import combine
from e2edebug_schema.lease import hold_lease
from e2edebug_schema.queries.configuration import configuration_rows
from e2edebug_schema.retention.apply import LEASE, Outcome, Report, apply_retention
from e2edebug_schema.retention.policy import RetentionPolicy
from e2edebug_schema.retention.rollups import roll_up_hours

READ_TIMEOUT_S: Final = 120.0
"""For an engine that retention uses: a statement over all rows of a table may take longer than a page may."""

LEASE_S: Final = 180.0
"""Longer than the longest statement, between two of which the lease is renewed."""

_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "step_days": ("debugging_trace_step",),
    "session_days": ("debugging_workflow_session",),
    "snapshot_days": ("debugging_performance_snapshot",),
    "error_days": ("debugging_error_log",),
    "group_days": ("debugging_error_group", "debugging_error_group_change"),
    "alert_days": ("debugging_alert", "debugging_alert_event", "debugging_notification"),
}
_BYTES_PER_GB: Final = 1 << 30


def retention_policy(config: Config, stored: Mapping[str, Any] | None = None) -> RetentionPolicy:
    """Return what *config* says, and *stored*, the fields of the operator's rows, where they say something."""
    stored = stored or {}
    days = {
        table: float(stored.get(name, getattr(config, f"retention_{name}")))
        for name, tables in _TABLES.items()
        for table in tables
    }
    gigabytes = stored.get("max_size_gb")
    max_bytes = config.retention_max_bytes if gigabytes is None else int(gigabytes * _BYTES_PER_GB)
    return RetentionPolicy(days, max_bytes)


def stored_policy(engine: Engine, config: Config) -> RetentionPolicy:
    """Return the policy with what the rows of debugging_configuration override."""
    stored, _refused = combine(configuration_rows(engine))
    return retention_policy(config, stored.settings.get("retention"))


def run_retention(
    engine: Engine,
    config: Config,
    *,
    report: Report = lambda _step: None,
    stops: Callable[[], bool] = lambda: False,
) -> Outcome | None:
    """Do what is due by *config* and the operator's rows; None when another process is at it.

    engine: with a read timeout of READ_TIMEOUT_S; used by one thread alone.
    """
    with hold_lease(engine, LEASE, duration_s=LEASE_S) as held:
        if held is None:
            return None
        policy = stored_policy(engine, config)
        return apply_retention(engine, policy, held=held, report=report, stops=stops)


def run_rollups(engine: Engine, *, stops: Callable[[], bool] = lambda: False) -> int | None:
    """Sum up the hours of metrics that are over, and return how many; None when another process is at it or at retention.

    engine: as for run_retention().
    """
    with hold_lease(engine, LEASE, duration_s=LEASE_S) as held:
        if held is None:
            return None
        return roll_up_hours(engine, datetime.now(UTC), goes_on=lambda _rows: held.keep() and not stops())
