"""A batch of rows reaches the store: one transaction, sent again or cut in halves as the error asks for.

Every batch may be delivered twice: after an error whose outcome is unknown we send it again ourselves. Rows have unique
keys, so a second delivery stores nothing; and sessions and error groups are told of those rows only that were new.
"""

import logging
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Engine

from e2edebug_exporters.error_classes import ErrorClass, classify, drop_reason, must_invalidate, short_text
from e2edebug_exporters.ledger import Ledger, WriteResult
from e2edebug_exporters.repeated_statements import RepeatCounts, StatementCounts, statement_counts
from e2edebug_exporters.row_order import in_key_order
from e2edebug_exporters.rows import ErrorRow, RowBatch, SnapshotRow, StepRow
from e2edebug_exporters.statements.mysql import MySQLWriteStatements
from e2edebug_exporters.statements.protocol import PacketTooLargeError, StepKey, WriteStatements
from e2edebug_exporters.statements.sqlite import SQLiteWriteStatements
from e2edebug_exporters.step_places import END_TIME
from e2edebug_exporters.summaries import group_deltas, regressions, session_deltas

MAX_TRIES: Final = 5
MAX_APPEARANCES: Final = 20
"""Rows that appear meanwhile are progress of someone else, so such a try counts apart."""
MAX_CONNECTIONS: Final = 2
"""A second connection is tried at once, because the first may have been idle for too long; a third one is not."""
_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 1.0
_OPEN_STEPS: Final = 10_000

logger = logging.getLogger("e2edebug.writer")


class StoreUnavailable(Exception):  # noqa: N818 # says what is the case, as sqlalchemy's NoResultFound does
    """The store takes no rows now. `remaining` is safe to write again; `result` is what had been settled before."""

    def __init__(self, reason: str, error_class: ErrorClass) -> None:
        super().__init__(reason)
        self.error_class = error_class
        self.remaining = RowBatch()
        self.result = WriteResult()


class _RowsAppeared(Exception):  # noqa: N818 # control flow inside this module
    """Someone else inserted rows of this batch while it was written."""


@dataclass(slots=True)
class _Plan:
    """What one transaction inserts and completes; every row of it is expected to be taken."""

    new: list[StepRow] = field(default_factory=list)
    finished: list[StepRow] = field(default_factory=list)
    errors: list[ErrorRow] = field(default_factory=list)
    has_resolved_group: bool = False
    """Whether one of `errors` may be a regression."""
    known: list[StepRow] = field(default_factory=list)
    already_there: int = 0
    statement_counts: StatementCounts = field(default_factory=dict)
    """How often each statement of a trace stands in `new` and `finished`."""
    begun: list[StepKey] = field(default_factory=list)
    """Of `new` those that have not ended."""


class BatchWriter:
    """Writes batches through one connection of *engine*. For one thread at a time.

    sleep, clock, jitter: replaced by tests; jitter returns a number between 0 and 1.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._statements: WriteStatements | None = None
        self._repeats = RepeatCounts()
        self._open_steps: OrderedDict[StepKey, bool] = OrderedDict()
        self._starts: dict[StepKey, StepRow] = {}
        """Starts of steps whose end came in the same batch: one row stands for both, and both are counted."""

    def write(self, batch: RowBatch, *, deadline: float, pieces: int = 1) -> WriteResult:
        """Store *batch* and return what became of each of its rows.

        deadline: of the writer's clock; no attempt begins after it. pieces: about how many transactions to begin with,
        for a server that is too slow for the whole.
        Raises StoreUnavailable, and nothing else, when rows remain that can only be written later.
        """
        result = WriteResult()
        self._starts = {}
        parts = _cut([in_key_order(batch, result, self._starts)], pieces)
        while parts:
            part = parts.pop()
            try:
                result.add(self._deliver(part, deadline))
            except StoreUnavailable as unavailable:
                unavailable.result = result
                unavailable.remaining = _joined([part, *reversed(parts)])
                unavailable.remaining.steps += self._starts_of(unavailable.remaining.steps)
                raise
            except Exception as error:  # noqa: BLE001 # a row that cannot be written must not stop the others
                if len(part) > 1:
                    parts.extend(reversed(_halves(part)))
                    continue
                result.dropped[_reason(error)] += 1 + len(self._starts_of(part.steps))
                result.last_error = short_text(error)
                logger.warning("one row was refused by the store and dropped: %s", result.last_error)
        return result

    def write_in(self, connection: Connection, batch: RowBatch) -> WriteResult:
        """Store *batch* in the transaction that the caller has open on *connection*, and commits or rolls back.

        Whoever has to answer with what was stored writes so. No try is repeated and no row dropped: whatever the store
        refuses is raised, and then nothing of the batch may be kept.
        """
        result = WriteResult()
        self._starts = {}
        rows = in_key_order(batch, result, self._starts)
        lent = connection.execution_options(no_parameters=connection.dialect.name != "sqlite")
        statements = self._prepared_statements(lent)
        # What is there is looked up: this connection may count found rows, which tell new from old no more.
        plan = self._plan(statements, lent, rows, is_careful=True)
        result.add(self._write_plan(statements, lent, plan, rows.snapshots))
        self._starts = {}
        return result

    def _starts_of(self, rows: Sequence[StepRow]) -> list[StepRow]:
        if not self._starts:
            return []
        return [self._starts[row.key] for row in rows if row.key in self._starts]

    def _deliver(self, batch: RowBatch, deadline: float) -> WriteResult:
        """Commit *batch* in as many tries as its errors allow. Raises what no further try would change."""
        if self._clock() >= deadline:
            raise StoreUnavailable("the time for this batch is over", ErrorClass.BACK_OFF)
        tries = connections = appearances = 0
        is_careful = False
        while True:
            tries += 1
            failure: Exception
            try:
                return self._transact(batch, is_careful=is_careful)
            except _RowsAppeared as error:
                is_careful = True
                failure, error_class = error, ErrorClass.RETRY
                appearances += 1
                if appearances <= MAX_APPEARANCES and self._clock() < deadline:
                    tries -= 1
                    continue  # not a failure: the batch, or a part of it, was delivered before, or is just now
            except Exception as error:
                failure, error_class = error, classify(error)
                if error_class is ErrorClass.BAD_DATA:
                    raise
            if error_class is ErrorClass.RECONNECT:
                connections += 1
                is_careful = True  # the outcome of the last try is unknown
            may_go_on = (
                error_class in (ErrorClass.RETRY, ErrorClass.RECONNECT)
                and tries < MAX_TRIES
                and connections < MAX_CONNECTIONS
            )
            # Full jitter: writers that collided once would collide again after equal pauses.
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**tries) * self._jitter()
            if not may_go_on or self._clock() + pause_s >= deadline:
                raise StoreUnavailable(short_text(failure), error_class) from failure
            if self._ledger is not None:
                self._ledger.retry()
                self._ledger.note_error(short_text(failure))
            self._sleep(pause_s)

    def _transact(self, batch: RowBatch, *, is_careful: bool) -> WriteResult:
        """Write *batch* in one transaction, which is rolled back whatever goes wrong (1205 alone would not do it)."""
        with self._engine.connect() as plain:
            connection = plain.execution_options(no_parameters=plain.dialect.name != "sqlite")
            try:
                with connection.begin():
                    statements = self._prepared_statements(connection)
                    plan = self._plan(statements, connection, batch, is_careful=is_careful)
                    result = self._write_plan(statements, connection, plan, batch.snapshots)
            except Exception as error:
                if must_invalidate(error):
                    connection.invalidate(error)
                raise
        self._remember(plan)
        return result

    def _prepared_statements(self, connection: Connection) -> WriteStatements:
        if self._statements is None:
            dialect = connection.dialect
            if dialect.name == "sqlite":
                statements: WriteStatements = SQLiteWriteStatements()
            else:  # a MariaDB server is reached by mysql:// as well
                statements = MySQLWriteStatements("mariadb" if getattr(dialect, "is_mariadb", False) else "mysql")
            statements.prepare(connection)
            self._statements = statements
        return self._statements

    def _plan(self, statements: WriteStatements, connection: Connection, batch: RowBatch, *, is_careful: bool) -> _Plan:
        """Divide *batch* by what the store holds; it is asked only if something may be there already."""
        plan = _Plan()
        if batch.errors:
            known, plan.has_resolved_group = statements.stored_errors(connection, batch.errors)
            for row in batch.errors:
                if row.event_key in known:  # also from another span of the same batch: the first one wins
                    plan.already_there += 1
                else:
                    known.add(row.event_key)
                    plan.errors.append(row)
        stored: Mapping[StepKey, bool] = self._open_steps
        if is_careful and batch.steps:
            stored = statements.stored_steps(connection, batch.steps)
        if not stored:
            plan.new = batch.steps
            return plan
        for step in batch.steps:
            has_ended = stored.get((step.trace_id, step.span_id, step.start_time))
            if has_ended is None:
                plan.new.append(step)
            elif not has_ended and step.end_time is not None:
                plan.finished.append(step)
            else:
                plan.known.append(step)
        return plan

    def _write_plan(
        self, statements: WriteStatements, connection: Connection, plan: _Plan, snapshots: Sequence[SnapshotRow]
    ) -> WriteResult:
        # What follows from the rows is found out before the first of them is sent: the server's work on them would put
        # them out of the processor's cache, and locks are held for less long.
        plan.statement_counts = statement_counts((*plan.new, *plan.finished))
        plan.begun = [row.key for row in plan.new if row[END_TIME] is None]
        sessions = statements.session_values(
            session_deltas(plan.new, plan.finished, plan.errors, plan.statement_counts, self._repeats)
        )
        groups = group_deltas(plan.errors)
        # The tables in one order, and in each the rows by key: 8 writers in random order lost 42 % of their
        # transactions to deadlocks, sorted none (reliability page, finding 6).
        taken = 0
        if plan.new:
            taken += statements.insert_steps(connection, plan.new)
        if plan.finished:
            taken += statements.finish_steps(connection, plan.finished)
        if plan.errors:
            taken += statements.insert_errors(connection, plan.errors)
        expected = len(plan.new) + len(plan.finished) + len(plan.errors)
        if taken != expected:
            raise _RowsAppeared(f"{expected - taken} of {expected} rows were there already")
        stored_snapshots = statements.insert_snapshots(connection, snapshots) if snapshots else 0
        if sessions:
            statements.upsert_sessions(connection, sessions)
        if groups:
            noted = regressions(groups, statements.resolutions(connection, groups)) if plan.has_resolved_group else []
            statements.upsert_groups(connection, groups)
            if noted:
                statements.insert_regressions(connection, noted)
        if stored_snapshots:
            # Last: the row of a late hour is one for all writers, and nobody waits for anything else while holding it.
            statements.note_late_snapshots(connection, snapshots)
        return WriteResult(
            stored=taken + stored_snapshots + len(self._starts_of(plan.new)),
            already_there=(
                plan.already_there
                + len(plan.known)
                + len(self._starts_of((*plan.known, *plan.finished)) if self._starts else ())
                + len(snapshots)
                - stored_snapshots
            ),
        )

    def _remember(self, plan: _Plan) -> None:
        """Keep what later batches are compared with, now that the transaction is committed."""
        self._repeats.add(plan.statement_counts)
        for row in plan.finished:
            self._open_steps.pop((row.trace_id, row.span_id, row.start_time), None)
        for key in plan.begun:
            self._open_steps[key] = False
            if len(self._open_steps) > _OPEN_STEPS:
                self._open_steps.popitem(last=False)


def _halves(batch: RowBatch) -> tuple[RowBatch, RowBatch]:
    """Cut *batch* in two, between its tables where that can be."""
    steps, errors, snapshots = batch.steps, batch.errors, batch.snapshots
    if sum(map(bool, (steps, errors, snapshots))) > 1:
        return RowBatch(steps=steps), RowBatch(errors=errors, snapshots=snapshots)
    cut = len(batch) // 2
    return (
        RowBatch(steps[:cut], errors[:cut], snapshots[:cut]),
        RowBatch(steps[cut:], errors[cut:], snapshots[cut:]),
    )


def _cut(parts: list[RowBatch], pieces: int) -> list[RowBatch]:
    """Return the same rows in at least *pieces* parts, as far as there are rows; the last part is written first."""
    while len(parts) < pieces and any(len(part) > 1 for part in parts):
        parts = [half for part in parts for half in (reversed(_halves(part)) if len(part) > 1 else (part,))]
    return parts


def _joined(parts: Sequence[RowBatch]) -> RowBatch:
    joined = RowBatch()
    for part in parts:
        joined.steps += part.steps
        joined.errors += part.errors
        joined.snapshots += part.snapshots
    return joined


def _reason(error: Exception) -> str:
    return PacketTooLargeError.reason if isinstance(error, PacketTooLargeError) else drop_reason(error)
