"""Writing to SQLite: executemany with parameters, which is as fast there as anything is."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from e2edebug_exporters.rows import ERROR_COLUMNS, SNAPSHOT_COLUMNS, STEP_COLUMNS, ErrorRow, SnapshotRow, StepRow
from e2edebug_exporters.statements.protocol import StepKey, StoredErrors
from e2edebug_exporters.statements.upserts import (
    CHANGE_COLUMNS,
    CHANGE_KEY,
    CHANGE_TABLE,
    ERROR_TABLE,
    EVENT_KEY,
    GROUP_COLUMNS,
    GROUP_TABLE,
    RESOLUTIONS,
    SESSION_COLUMNS,
    SESSION_TABLE,
    SNAPSHOT_TABLE,
    SQLITE,
    STEP_KEY,
    STEP_TABLE,
    STORED_ERRORS,
    group_upsert_tail,
    hours_of,
    insert_unless_there_tail,
    session_upsert_tail,
    step_finish_tail,
)
from e2edebug_exporters.summaries import GroupDelta, Regression, Resolution, SessionDelta
from e2edebug_schema.rollup_tables import LATE_SNAPSHOTS

_Value = TypeVar("_Value")
_SAME_EXCEPTION: Final = timedelta(days=1)
_PARAMETERS_AT_ONCE: Final = 500
"""Far below SQLITE_LIMIT_VARIABLE_NUMBER, 32,766 since 3.32."""

_session_fields = attrgetter(*SESSION_COLUMNS)
_group_fields = attrgetter(*GROUP_COLUMNS)


class SQLiteWriteStatements:
    """Statements for a SQLite file."""

    def __init__(self) -> None:
        self._insert_steps = _insert(STEP_TABLE, STEP_COLUMNS, insert_unless_there_tail(SQLITE, STEP_TABLE, STEP_KEY))
        self._finish_steps = _insert(STEP_TABLE, STEP_COLUMNS, step_finish_tail(SQLITE, STEP_COLUMNS, STEP_KEY))
        self._insert_errors = _insert(
            ERROR_TABLE, ERROR_COLUMNS, insert_unless_there_tail(SQLITE, ERROR_TABLE, EVENT_KEY)
        )
        self._insert_snapshots = _insert(
            SNAPSHOT_TABLE, SNAPSHOT_COLUMNS, insert_unless_there_tail(SQLITE, SNAPSHOT_TABLE, EVENT_KEY)
        )
        self._upsert_sessions = _insert(SESSION_TABLE, SESSION_COLUMNS, session_upsert_tail(SQLITE))
        self._upsert_groups = _insert(GROUP_TABLE, GROUP_COLUMNS, group_upsert_tail(SQLITE))
        self._insert_regressions = _insert(
            CHANGE_TABLE, CHANGE_COLUMNS, insert_unless_there_tail(SQLITE, CHANGE_TABLE, CHANGE_KEY)
        )

    def prepare(self, connection: Connection) -> None:
        """Nothing to read: values travel beside the statement."""

    def insert_steps(self, connection: Connection, rows: Sequence[StepRow]) -> int:
        """Insert the rows that are not there yet and return how many those were."""
        return _execute_many(connection, self._insert_steps, [row.values for row in rows])

    def finish_steps(self, connection: Connection, rows: Sequence[StepRow]) -> int:
        """Complete rows that stand there as started; return how many were."""
        return _execute_many(connection, self._finish_steps, [row.values for row in rows])

    def insert_errors(self, connection: Connection, rows: Sequence[ErrorRow]) -> int:
        """Insert the rows that are not there yet and return how many those were."""
        return _execute_many(connection, self._insert_errors, [row[:-1] for row in rows])

    def insert_snapshots(self, connection: Connection, rows: Sequence[SnapshotRow]) -> int:
        """Insert the rows that are not there yet and return how many those were."""
        return _execute_many(connection, self._insert_snapshots, [tuple(row) for row in rows])

    def note_late_snapshots(self, connection: Connection, rows: Sequence[SnapshotRow]) -> None:
        """Put the roll-ups of these rows' hours out of force, where there are any yet."""
        for part in _parts(hours_of(row.timestamp for row in rows)):
            connection.exec_driver_sql(LATE_SNAPSHOTS.format(_placeholders(part)), tuple(part))

    def stored_steps(self, connection: Connection, rows: Sequence[StepRow]) -> Mapping[StepKey, bool]:
        """Return which rows are there already, each with whether it has ended."""
        found: dict[StepKey, bool] = {}
        for trace_id, of_trace in groupby(rows, key=attrgetter("trace_id")):
            span_ids = [row.span_id for row in of_trace]
            for part in _parts(span_ids):
                # An expression stays text: Django's connections make datetimes of columns that are declared as such.
                result = connection.exec_driver_sql(
                    f"SELECT trace_id, span_id, start_time || '', end_time IS NOT NULL FROM {STEP_TABLE}"  # noqa: S608 # only placeholders
                    f" WHERE trace_id = ? AND span_id IN ({_placeholders(part)})",
                    (trace_id, *part),
                )
                found.update({(trace, span, start): bool(ended) for trace, span, start, ended in result})
        return found

    def stored_errors(self, connection: Connection, rows: Sequence[ErrorRow]) -> StoredErrors:
        """Return which of the rows are there already within a day."""
        times = [datetime.fromisoformat(row.timestamp) for row in rows]
        bounds = (str(min(times) - _SAME_EXCEPTION), str(max(times) + _SAME_EXCEPTION))
        found: set[str | None] = set()
        for part in _parts(rows):
            keys, fingerprints = sorted({row.event_key for row in part}), sorted({row.fingerprint for row in part})
            statement = STORED_ERRORS.format(_placeholders(keys), "?", "?", _placeholders(fingerprints))
            found.update(connection.exec_driver_sql(statement, (*keys, *bounds, *fingerprints)).scalars())
        return StoredErrors({key for key in found if key is not None}, None in found)

    def session_values(self, deltas: Sequence[SessionDelta]) -> Sequence[tuple[Any, ...]]:
        """Return what new steps and errors say to their sessions, as parameters."""
        return [_session_fields(delta) for delta in deltas]

    def upsert_sessions(self, connection: Connection, values: Sequence[tuple[Any, ...]]) -> None:
        """Add that to the sessions."""
        _execute_many(connection, self._upsert_sessions, list(values))

    def resolutions(self, connection: Connection, deltas: Sequence[GroupDelta]) -> Mapping[tuple[str, int], Resolution]:
        """Return when the resolved ones among these groups were resolved, by fingerprint and its version."""
        found: dict[tuple[str, int], Resolution] = {}
        for part in _parts(sorted({delta.fingerprint for delta in deltas})):
            result = connection.exec_driver_sql(RESOLUTIONS.format(_placeholders(part)), tuple(part))
            found.update({(one, version): Resolution(at, release) for one, version, at, release in result})
        return found

    def insert_regressions(self, connection: Connection, regressions: Sequence[Regression]) -> None:
        """Note that resolved groups erred again; what is noted already stays."""
        _execute_many(connection, self._insert_regressions, [tuple(row) for row in regressions])

    def upsert_groups(self, connection: Connection, deltas: Sequence[GroupDelta]) -> None:
        """Add new occurrences to their error groups."""
        _execute_many(connection, self._upsert_groups, [_group_fields(delta) for delta in deltas])


def _insert(table: str, columns: Sequence[str], tail: str) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({_placeholders(columns)}){tail}"  # noqa: S608 # names of ours


def _execute_many(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> int:
    return connection.exec_driver_sql(statement, rows).rowcount


def _placeholders(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _parts(values: Sequence[_Value]) -> list[Sequence[_Value]]:
    return [values[start : start + _PARAMETERS_AT_ONCE] for start in range(0, len(values), _PARAMETERS_AT_ONCE)]
