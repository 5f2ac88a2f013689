"""What an upsert assigns, in the three ways in which the dialects name the old and the new row.

MySQL >= 8.0.19 has the row alias `AS new` and deprecates VALUES(); MariaDB knows VALUES() alone; SQLite says `excluded`.
Assignments run left to right on MySQL and MariaDB, each seeing the values assigned before it, while SQLite computes all
of them from the old row. So every column that another assignment reads stands *after* its readers, and the duration
repeats LEAST and GREATEST, which give the same whether or not they were applied once already.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from e2edebug_schema.tables import OPEN_STATUS_RANK, STATUS_RANKS

SESSION_TABLE: Final = "debugging_workflow_session"
GROUP_TABLE: Final = "debugging_error_group"
STEP_TABLE: Final = "debugging_trace_step"
ERROR_TABLE: Final = "debugging_error_log"
SNAPSHOT_TABLE: Final = "debugging_performance_snapshot"

STEP_KEY: Final = ("trace_id", "span_id", "start_time")
EVENT_KEY: Final = ("event_key", "timestamp")

SESSION_COLUMNS: Final = (
    "correlation_id", "workflow_type", "user_id", "user_label", "session_key", "trace_id", "parent_correlation_id",
    "root_operation", "service", "service_release", "start_time", "end_time", "duration_ms", "status", "status_rank",
    "step_count", "query_count", "error_count", "repeat_count", "repeat_digest", "repeat_statement", "slowest_step",
    "slowest_ms", "metadata",
)  # fmt: skip
GROUP_COLUMNS: Final = (
    "fingerprint", "fingerprint_version", "title", "error_type", "layer", "component", "first_seen", "last_seen",
    "first_release", "last_release", "occurrences", "status", "error_class",
)  # fmt: skip
CHANGE_TABLE: Final = "debugging_error_group_change"
CHANGE_KEY: Final = ("fingerprint", "fingerprint_version", "changed_at", "new_status")
CHANGE_COLUMNS: Final = (
    "fingerprint", "fingerprint_version", "changed_at", "old_status", "new_status", "service_release",
)  # fmt: skip

STORED_ERRORS: Final = f"""
    SELECT event_key FROM {ERROR_TABLE} WHERE event_key IN ({{}}) AND timestamp BETWEEN {{}} AND {{}}
    UNION ALL SELECT NULL FROM {GROUP_TABLE} WHERE status = 'resolved' AND fingerprint IN ({{}})
"""  # noqa: S608 # names of ours
"""Event keys that are there in a period, which keeps old partitions out of it, and a NULL for each resolved group."""

RESOLUTIONS: Final = f"""
    SELECT g.fingerprint, g.fingerprint_version, COALESCE(MAX(c.changed_at), g.last_seen),
           COALESCE((SELECT s.service_release FROM {CHANGE_TABLE} AS s
                     WHERE s.fingerprint = g.fingerprint AND s.fingerprint_version = g.fingerprint_version
                       AND s.new_status = 'resolved' ORDER BY s.changed_at DESC LIMIT 1),
                    CASE WHEN MAX(c.id) IS NULL THEN g.last_release END)
    FROM {GROUP_TABLE} AS g
    LEFT JOIN {CHANGE_TABLE} AS c ON c.fingerprint = g.fingerprint
      AND c.fingerprint_version = g.fingerprint_version AND c.new_status = 'resolved'
    WHERE g.status = 'resolved' AND g.fingerprint IN ({{}})
    GROUP BY g.fingerprint, g.fingerprint_version, g.last_seen, g.last_release
"""  # noqa: S608 # names of ours
"""When each resolved group among some was resolved, and in which release: a look-up of unique keys.

A group that was resolved by hand, with an UPDATE, has no change: its last occurrence stands in.
"""


@dataclass(frozen=True, slots=True)
class UpsertDialect:
    """How one dialect writes what the assignments need."""

    new: str
    """Format of a column of the row that was to be inserted."""
    introduction: str
    """Format of what stands between the values and the assignments; takes the conflict columns."""
    least: str
    greatest: str
    milliseconds_between: str
    """Format with {start} and {end}."""


MYSQL: Final = UpsertDialect(
    new="new.{}",
    introduction=" AS new ON DUPLICATE KEY UPDATE ",
    least="LEAST",
    greatest="GREATEST",
    milliseconds_between="TIMESTAMPDIFF(MICROSECOND, {start}, {end}) / 1000e0",
)
MARIADB: Final = UpsertDialect(
    new="VALUES({})",
    introduction=" ON DUPLICATE KEY UPDATE ",
    least="LEAST",
    greatest="GREATEST",
    milliseconds_between="TIMESTAMPDIFF(MICROSECOND, {start}, {end}) / 1000e0",
)
SQLITE: Final = UpsertDialect(
    new="excluded.{}",
    introduction=" ON CONFLICT ({}) DO UPDATE SET ",
    least="MIN",
    greatest="MAX",
    # julianday() has 1 ms of resolution (SQLite keeps dates as integer milliseconds), so the fraction is added by hand.
    milliseconds_between=(
        "(strftime('%s', {end}) - strftime('%s', {start})) * 1000.0"
        " + (substr({end}, 21, 6) - substr({start}, 21, 6)) / 1000.0"
    ),
)


def hours_of(times: Iterable[str]) -> list[str]:
    """Return the hours of *times*, each once and ascending, as the store writes times."""
    return [f"{hour}:00:00.000000" for hour in sorted({time[:13] for time in times})]


def session_upsert_tail(dialect: UpsertDialect) -> str:
    """Return what follows the VALUES of an insert into the sessions."""

    def old(column: str) -> str:
        return f"{SESSION_TABLE}.{column}"

    def new(column: str) -> str:
        return dialect.new.format(column)

    def first_known(column: str) -> str:
        return f"COALESCE({old(column)}, {new(column)})"

    def last_known(column: str) -> str:
        return f"COALESCE({new(column)}, {old(column)})"

    def bound(function: str, column: str) -> str:  # LEAST and GREATEST with a NULL are NULL
        return f"{function}({first_known(column)}, {last_known(column)})"

    def added(column: str) -> str:
        return f"{old(column)} + {new(column)}"

    def of_the_larger(column: str, measure: str) -> str:
        return f"CASE WHEN {new(measure)} > COALESCE({old(measure)}, -1) THEN {new(column)} ELSE {old(column)} END"

    starts_earlier = f"{new('start_time')} < {old('start_time')}"
    is_first_root = f"{new('root_operation')} <> '' AND ({old('root_operation')} = '' OR {starts_earlier})"
    # A session in `timeout` that goes on is in progress again; which is why its times are assigned after its status. One
    # that was begun explicitly keeps its rank meanwhile, so that the end of a request within it does not complete it.
    is_news = f"COALESCE({new('end_time')}, {new('start_time')}) > COALESCE({old('end_time')}, {old('start_time')})"
    is_heard_of_again = (
        f"{old('status_rank')} = {STATUS_RANKS['timeout']} AND {new('status_rank')} = {STATUS_RANKS['in_progress']}"
        f" AND {is_news}"
    )
    is_open_and_heard_of_again = (
        f"{old('status_rank')} = {OPEN_STATUS_RANK} AND {old('status')} = 'timeout'"
        f" AND {new('status_rank')} <= {OPEN_STATUS_RANK} AND {is_news}"
    )
    start, end = bound(dialect.least, "start_time"), bound(dialect.greatest, "end_time")
    assignments = {
        "workflow_type": f"CASE WHEN {old('workflow_type')} = 'api_call' THEN {new('workflow_type')} ELSE {old('workflow_type')} END",
        "user_id": first_known("user_id"),
        "user_label": first_known("user_label"),
        "session_key": first_known("session_key"),
        "parent_correlation_id": first_known("parent_correlation_id"),
        "service_release": first_known("service_release"),
        "metadata": f"CASE WHEN {starts_earlier} THEN {first_known('metadata')} ELSE {last_known('metadata')} END",
        "trace_id": f"CASE WHEN {old('trace_id')} IS NULL OR ({new('trace_id')} IS NOT NULL AND {starts_earlier}) THEN {new('trace_id')} ELSE {old('trace_id')} END",
        "service": f"CASE WHEN {old('service')} = '' OR ({is_first_root}) THEN {new('service')} ELSE {old('service')} END",
        "root_operation": f"CASE WHEN {is_first_root} THEN {new('root_operation')} ELSE {old('root_operation')} END",
        "status": (
            f"CASE WHEN {new('status_rank')} > {old('status_rank')}"
            f" OR ({new('status_rank')} = {old('status_rank')} AND {new('status')} > {old('status')})"
            f" OR ({is_heard_of_again}) THEN {new('status')}"
            f" WHEN {is_open_and_heard_of_again} THEN 'in_progress' ELSE {old('status')} END"
        ),
        "status_rank": (
            f"CASE WHEN {is_heard_of_again} THEN {new('status_rank')}"
            f" ELSE {dialect.greatest}({old('status_rank')}, {new('status_rank')}) END"
        ),
        "duration_ms": dialect.milliseconds_between.format(start=start, end=end),
        "start_time": start,
        "end_time": end,
        "step_count": added("step_count"),
        "query_count": added("query_count"),
        "error_count": added("error_count"),
        "repeat_digest": of_the_larger("repeat_digest", "repeat_count"),
        "repeat_statement": of_the_larger("repeat_statement", "repeat_count"),
        "repeat_count": f"{dialect.greatest}({old('repeat_count')}, {new('repeat_count')})",
        "slowest_step": of_the_larger("slowest_step", "slowest_ms"),
        "slowest_ms": bound(dialect.greatest, "slowest_ms"),
    }
    return _tail(dialect, ["correlation_id"], assignments)


def group_upsert_tail(dialect: UpsertDialect) -> str:
    """Return what follows the VALUES of an insert into the error groups."""

    def old(column: str) -> str:
        return f"{GROUP_TABLE}.{column}"

    def new(column: str) -> str:
        return dialect.new.format(column)

    is_later = f"{new('last_seen')} > {old('last_seen')}"
    assignments = {
        "title": f"CASE WHEN {old('title')} = '' THEN {new('title')} ELSE {old('title')} END",
        "error_class": f"CASE WHEN {old('error_class')} = '' THEN {new('error_class')} ELSE {old('error_class')} END",
        "first_release": f"CASE WHEN {new('first_seen')} < {old('first_seen')} THEN {new('first_release')} ELSE {old('first_release')} END",
        "first_seen": f"{dialect.least}({old('first_seen')}, {new('first_seen')})",
        "last_release": f"CASE WHEN {is_later} THEN {new('last_release')} ELSE {old('last_release')} END",
        "status": f"CASE WHEN {old('status')} = 'resolved' AND {new('status')} = 'regressed' THEN 'regressed' ELSE {old('status')} END",
        "last_seen": f"{dialect.greatest}({old('last_seen')}, {new('last_seen')})",
        "occurrences": f"{old('occurrences')} + {new('occurrences')}",
    }
    return _tail(dialect, ["fingerprint", "fingerprint_version"], assignments)


def step_finish_tail(dialect: UpsertDialect, columns: Sequence[str], key: Sequence[str]) -> str:
    """Return what completes a started step: every column takes its final value unless the step has ended already."""
    end_time = f"{STEP_TABLE}.end_time"
    others = [column for column in columns if column not in key and column != "end_time"]
    assignments = {
        column: f"CASE WHEN {end_time} IS NULL THEN {dialect.new.format(column)} ELSE {STEP_TABLE}.{column} END"
        for column in (*others, "end_time")  # read by all the others, so it comes last
    }
    tail = _tail(dialect, key, assignments)
    # A row that changes nothing counts as 0 on the servers; SQLite counts every row that DO UPDATE touches.
    return f"{tail} WHERE {end_time} IS NULL" if dialect is SQLITE else tail


def insert_unless_there_tail(dialect: UpsertDialect, table: str, key: Sequence[str]) -> str:
    """Return what makes an insert pass over rows that are there. Not INSERT IGNORE: that also cuts values silently."""
    if dialect is SQLITE:
        return f" ON CONFLICT ({', '.join(key)}) DO NOTHING"
    # `AS new` is not needed where no new value is read; an assignment of the old value counts as 0 affected rows.
    return f" ON DUPLICATE KEY UPDATE id = {table}.id"


def _tail(dialect: UpsertDialect, key: Sequence[str], assignments: dict[str, str]) -> str:
    introduction = dialect.introduction.format(", ".join(key))
    return introduction + ", ".join(f"{column} = {value}" for column, value in assignments.items())
