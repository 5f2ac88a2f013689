"""One run of retention: partitions ahead, hours summed up and merged, old rows gone, and the store under its size.

plan_retention() says what a run would do; apply_retention() does it, step by step, and can be interrupted at any
point: the next run goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sqlalchemy import Engine, Table

from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.lease import HeldLease
from e2edebug_schema.partitions import ensure_daily_partitions
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.queries.rollups import start_of_hour
from e2edebug_schema.retention.hourly_snapshots import merge_hour, unmerged_hours
from e2edebug_schema.retention.old_days import Day, closed_days, drop_day, is_partitioned
from e2edebug_schema.retention.old_rows import count_old_rows, delete_old_rows
from e2edebug_schema.retention.policy import AGED_TABLES, MERGE_AFTER, AgedTable, RetentionPolicy, start_of_day
from e2edebug_schema.retention.rollups import forget_hours, roll_up_hours
from e2edebug_schema.retention.store_size import oldest_time, used_bytes
from e2edebug_schema.tables import PARTITIONED_TABLES, performance_snapshot

LEASE: Final = "retention"

Kind = Literal["merge", "drop", "delete"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a run does."""

    kind: Kind
    table: str
    before: datetime
    """Rows older than this."""
    rows: int
    """How many; for a partition the server's estimate, and -1 where nobody knows before it is done."""
    size_bytes: int = 0
    """What it gives back to the disk: partitions alone do."""
    partition: str = ""
    is_for_size: bool = False
    """It goes before its time, because the store is larger than it may be."""


@dataclass(slots=True)
class Outcome:
    """What a run has done."""

    steps: list[Step] = field(default_factory=list)
    is_complete: bool = True
    """False: the lease was lost, or somebody asked to stop; the next run goes on."""
    held_tables: list[str] = field(default_factory=list)
    """Partitions that could not be dropped because a transaction held their table."""
    size_bytes: int = 0
    """What the store takes now."""
    is_over_size: bool = False
    """It is still too large, because today's rows alone are."""


Report = Callable[[Step], None]
"""Is told each step when it is done, and of long ones each part as it goes."""


class _Run:
    """A run with its clock, its lease and who is told of it."""

    def __init__(
        self,
        engine: Engine,
        policy: RetentionPolicy,
        *,
        now: datetime,
        held: HeldLease | None = None,
        report: Report = lambda _step: None,
        stops: Callable[[], bool] = lambda: False,
    ) -> None:
        self.engine = engine
        self.policy = policy
        self.now = now
        self.outcome = Outcome()
        self._held = held
        self._report = report
        self._stops = stops

    def goes_on(self, _rows: int = 0) -> bool:
        if self._stops() or (self._held is not None and not self._held.keep()):
            self.outcome.is_complete = False
        return self.outcome.is_complete

    def done(self, step: Step) -> None:
        self.outcome.steps.append(step)
        self._report(step)

    def merge(self) -> None:
        for hour in unmerged_hours(self.engine, self.now - MERGE_AFTER):
            rows = merge_hour(self.engine, hour, goes_on=self.goes_on)
            if rows:
                self.done(Step("merge", performance_snapshot.name, hour.start + timedelta(hours=1), rows))
            if not self.goes_on():
                return
        # Until now their roll-ups held, so that no reader met an hour that was half merged.
        forget_hours(self.engine, start_of_hour(self.now - MERGE_AFTER))

    def roll_up(self) -> None:
        roll_up_hours(self.engine, self.now, goes_on=self.goes_on)

    def clear(self, aged: AgedTable) -> None:
        cutoff = self.policy.cutoff(aged.table, self.now)
        if cutoff is None:
            return
        with reading(self.engine) as connection:
            days = closed_days(connection, aged.table, self.now)
            whole_days = is_partitioned(connection, aged.table)
        if whole_days:
            for day in days:
                if day.before <= cutoff and self.goes_on():
                    self.drop(day, is_for_size=False)
            return
        self._forget(aged.table, cutoff)
        rows = delete_old_rows(self.engine, aged, cutoff, goes_on=self.goes_on)
        if rows:
            self.done(Step("delete", aged.name, cutoff, rows))

    def drop(self, day: Day, *, is_for_size: bool) -> None:
        self._forget(day.table, day.before)
        if drop_day(self.engine, day):
            self.done(_step_of(day, is_for_size=is_for_size))
        else:
            self.outcome.held_tables.append(f"{day.table.name} {day.partition}")

    def shrink(self) -> None:
        limit = self.policy.max_bytes
        with reading(self.engine) as connection:
            self.outcome.size_bytes = used_bytes(connection)
        if not limit or self.outcome.size_bytes <= limit:
            return
        if self.engine.dialect.name in SERVER_DIALECTS:
            for day in _days_over(self.engine, self.outcome.size_bytes - limit, self.now):
                if not self.goes_on():
                    return
                self.drop(day, is_for_size=True)
        else:
            while self.outcome.size_bytes > limit and self.goes_on() and self._delete_oldest_day():
                with reading(self.engine) as connection:
                    self.outcome.size_bytes = used_bytes(connection)
        with reading(self.engine) as connection:
            self.outcome.size_bytes = used_bytes(connection)
        self.outcome.is_over_size = self.outcome.size_bytes > limit

    def _forget(self, table: Table, before: datetime) -> None:
        """Snapshots that are about to go must not be counted from their roll-ups."""
        if table is performance_snapshot:
            forget_hours(self.engine, before)

    def _delete_oldest_day(self) -> bool:
        today = start_of_day(self.now)
        with reading(self.engine) as connection:
            times = [
                (oldest, aged) for aged in _sized_tables() if (oldest := oldest_time(connection, aged)) is not None
            ]
        old = [(oldest, aged) for oldest, aged in times if oldest < today]
        if not old:
            return False
        oldest, aged = min(old, key=lambda found: start_of_day(found[0]))
        end = start_of_day(oldest) + timedelta(days=1)
        self._forget(aged.table, end)
        rows = delete_old_rows(self.engine, aged, end, goes_on=self.goes_on)
        if rows:
            self.done(Step("delete", aged.name, end, rows, is_for_size=True))
        return rows > 0


def apply_retention(
    engine: Engine,
    policy: RetentionPolicy,
    *,
    held: HeldLease | None = None,
    now: datetime | None = None,
    report: Report = lambda _step: None,
    stops: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Do what is due and return what that was.

    held: the lease LEASE, which is kept between the steps; without it the caller knows that nobody else does this.
    stops: asked between the steps and batches; True ends the run early.
    """
    run = _Run(engine, policy, now=now or datetime.now(UTC), held=held, report=report, stops=stops)
    ensure_daily_partitions(engine)
    for aged in AGED_TABLES:
        if not run.goes_on():
            return run.outcome
        run.clear(aged)
    # Merging comes after, so that nothing is merged that goes in the same run.
    if run.goes_on():
        run.merge()
    if run.goes_on():
        run.shrink()
    # Last, so that what stands in its way, such as a lock, holds up nothing else.
    if run.goes_on():
        run.roll_up()
    return run.outcome


def plan_retention(engine: Engine, policy: RetentionPolicy, *, now: datetime | None = None) -> list[Step]:
    """Return what apply_retention() would do now; changes nothing."""
    moment = now or datetime.now(UTC)
    steps: list[Step] = []
    going: set[tuple[str, str]] = set()
    for aged in AGED_TABLES:
        cutoff = policy.cutoff(aged.table, moment)
        if cutoff is None:
            continue
        with reading(engine) as connection:
            whole_days = is_partitioned(connection, aged.table)
            days = closed_days(connection, aged.table, moment)
        if whole_days:
            due = [day for day in days if day.before <= cutoff]
            going |= {(day.table.name, day.partition) for day in due}
            steps += [_step_of(day, is_for_size=False) for day in due]
        elif rows := count_old_rows(engine, aged, cutoff):
            steps.append(Step("delete", aged.name, cutoff, rows))
    steps += _planned_merges(engine, policy, moment)
    with reading(engine) as connection:
        size = used_bytes(connection) - sum(step.size_bytes for step in steps)
    if policy.max_bytes and size > policy.max_bytes:
        steps += _planned_shrinking(engine, size - policy.max_bytes, moment, going)
    return steps


def _planned_merges(engine: Engine, policy: RetentionPolicy, now: datetime) -> list[Step]:
    kept_from = policy.cutoff(performance_snapshot, now)
    hours = unmerged_hours(engine, now - MERGE_AFTER)
    if kept_from is not None:
        with reading(engine) as connection:
            # A day that is kept in part is a partition that stays.
            kept_from = start_of_day(kept_from) if is_partitioned(connection, performance_snapshot) else kept_from
        hours = [hour for hour in hours if hour.start + timedelta(hours=1) > kept_from]
    if not hours:
        return []
    return [Step("merge", performance_snapshot.name, now - MERGE_AFTER, sum(hour.rows for hour in hours))]


def _planned_shrinking(engine: Engine, excess: int, now: datetime, going: set[tuple[str, str]]) -> list[Step]:
    if engine.dialect.name in SERVER_DIALECTS:
        return [_step_of(day, is_for_size=True) for day in _days_over(engine, excess, now, but=going)]
    return [Step("delete", "the oldest days of all tables", start_of_day(now), -1, is_for_size=True)]


def _days_over(engine: Engine, excess: int, now: datetime, but: set[tuple[str, str]] | None = None) -> list[Day]:
    """The oldest days of any table, until they make up *excess* bytes. Never today's."""
    with reading(engine) as connection:
        days = [day for table in PARTITIONED_TABLES for day in closed_days(connection, table, now)]
    chosen = []
    for day in sorted(days, key=lambda one: one.before):
        if excess <= 0:
            break
        if (day.table.name, day.partition) not in (but or ()):
            chosen.append(day)
            excess -= day.size_bytes
    return chosen


def _sized_tables() -> list[AgedTable]:
    return [aged for aged in AGED_TABLES if aged.table in PARTITIONED_TABLES]


def _step_of(day: Day, *, is_for_size: bool) -> Step:
    return Step("drop", day.table.name, day.before, day.rows, day.size_bytes, day.partition, is_for_size)
