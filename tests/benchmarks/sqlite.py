"""How fast the store's write path is on a SQLite file, beside the driver's own `executemany` of the same rows."""

import gc
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.made_requests import spans_of_requests
from benchmarks.result import Case, Figure, Result, Target
from sqlalchemy import Engine

from e2edebug.policy.config import load_config
from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.rows import STEP_COLUMNS, RowBatch, StepRow
from e2edebug_exporters.statements.sqlite import SQLiteWriteStatements
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.tables import trace_step

BATCH = 512
"""That of the thread that writes."""

PEER = "`sqlite3`, `executemany`"
STEPS = "e2edebug, steps alone"
COMPLETE = "e2edebug, complete"
FROM_SPANS = "e2edebug, from the span on"

EXPLANATION = f"""\
Rows of requests with five queries each, in transactions of {BATCH}, into the same table with the same indexes, in files of
the same mode (write-ahead log). **{PEER}** is Python's own driver, which is as fast as anything is there. **{STEPS}**
inserts the same rows so that one that is there already is left alone. **{COMPLETE}** writes in the same transaction the
sessions and their summaries, and finds out what was there already. **{FROM_SPANS}** begins with ended OpenTelemetry spans:
mapping, cleaning and redaction are in it. SQLAlchemy Core stands for what one would write without thinking of speed.

*Rate* is by the clock, *CPU* is that of the process, SQLite's work in it.
"""


def measure(*, quick: bool) -> list[Result]:
    """Return rows a second of each path."""
    rounds, batches = (3, 2) if quick else (21, 10)
    spans = spans_of_requests(BATCH * batches)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-")))
        paths: dict[str, Callable[[Sequence[StepRow]], None]] = {
            PEER: stack.enter_context(_DriverAlone(_file(folder, "driver"))),
            "SQLAlchemy Core": stack.enter_context(_Core(_file(folder, "core"))),
            STEPS: stack.enter_context(_StepsAlone(_file(folder, "steps"))),
            COMPLETE: stack.enter_context(_Complete(_file(folder, "complete"))),
        }
        whole = stack.enter_context(_Complete(_file(folder, "spans")))
        mapper = mapper_of(load_config({}, environ={}))
        order = random.Random(1)  # an order, not a secret
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in (*paths, FROM_SPANS)}
        for number in range(rounds):
            rows = _rows_of_round(spans, number)
            fresh = spans_of_requests(BATCH * batches)
            for name in order.sample(list(taken), len(taken)):
                gc.collect()
                began_s, cpu_s = time.perf_counter(), time.process_time()
                for start in range(0, len(rows), BATCH):
                    if name == FROM_SPANS:
                        batch = RowBatch()
                        mapper.add_spans(batch, fresh[start : start + BATCH])
                        whole.write(batch)
                    else:
                        paths[name](rows[start : start + BATCH])
                taken[name].append((time.perf_counter() - began_s, time.process_time() - cpu_s))
    return [_result({name: figures[1:] for name, figures in taken.items()}, len(spans))]


def _result(taken: dict[str, list[tuple[float, float]]], count: int) -> Result:
    cases = [
        Case(
            name,
            "ours" if name.startswith("e2edebug") else "peer",
            {
                "rate": Figure.of([count / wall_s for wall_s, _ in figures], "rows/s"),
                "CPU": Figure.of([cpu_s / count * 1e6 for _, cpu_s in figures], "us"),
            },
        )
        for name, figures in taken.items()
    ]

    def share(name: str) -> float:
        return median(peer / mine for (mine, _), (peer, _) in zip(taken[name], taken[PEER], strict=True))

    return Result(
        name="sqlite",
        title="Writing to a SQLite file",
        explanation=EXPLANATION,
        cases=cases,
        targets=[
            Target(f"Rows a second on SQLite, complete, of {PEER}", share(COMPLETE), 0.5, is_upper=False),
            Target("The same, steps alone", share(STEPS), 0.5, is_upper=False),
        ],
    )


def _rows_of_round(spans: Sequence[Any], number: int) -> list[StepRow]:
    """Return the spans' rows with ids of this round: mapped before anything is measured."""
    batch = RowBatch()
    mapper_of(load_config({}, environ={})).add_spans(batch, spans)
    mark = f"{number:08x}"
    return [
        row._replace(trace_id=mark + row.trace_id[8:], correlation_id=mark + row.correlation_id[8:])
        for row in batch.steps
    ]


def _file(folder: Path, name: str) -> Engine:
    engine = create_store_engine(f"sqlite:///{folder / name}.sqlite3")
    migrate(engine)
    return engine


class _DriverAlone:
    """A connection of Python's driver, in the mode that the store's engine sets, and nothing else."""

    def __init__(self, engine: Engine) -> None:
        with engine.connect() as connection:
            modes = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "cache_size", "wal_autocheckpoint", "temp_store")
            }
        engine.dispose()
        self._connection = sqlite3.connect(str(engine.url.database), isolation_level=None)
        for name, value in modes.items():
            self._connection.execute(f"PRAGMA {name} = {value}")
        names = ", ".join(f'"{column}"' for column in STEP_COLUMNS)
        self._statement = f"INSERT INTO {trace_step.name} ({names}) VALUES ({', '.join('?' * len(STEP_COLUMNS))})"

    def __enter__(self) -> "_DriverAlone":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def __call__(self, rows: Sequence[StepRow]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(self._statement, [row.values for row in rows])
        self._connection.execute("COMMIT")


class _OnEngine:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()


class _Core(_OnEngine):
    """SQLAlchemy Core's insert of dictionaries."""

    def __call__(self, rows: Sequence[StepRow]) -> None:
        with self._engine.begin() as connection:
            connection.execute(_CORE_INSERT, [row.columns for row in rows])


def _core_insert() -> Any:
    import sqlalchemy as sa

    # Times are text already, as they are for the others: no type of the table's is to convert them.
    table = sa.table(trace_step.name, *(sa.column(name) for name in STEP_COLUMNS))
    return table.insert()


_CORE_INSERT = _core_insert()


class _StepsAlone(_OnEngine):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._statements = SQLiteWriteStatements()

    def __call__(self, rows: Sequence[StepRow]) -> None:
        with self._engine.begin() as connection:
            taken = self._statements.insert_steps(connection, rows)
        if taken != len(rows):
            raise RuntimeError(f"{len(rows) - taken} of {len(rows)} rows were not stored")


class _Complete(_OnEngine):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._writer = BatchWriter(engine)

    def __call__(self, rows: Sequence[StepRow]) -> None:
        self.write(RowBatch(steps=list(rows)))

    def write(self, batch: RowBatch) -> None:
        count = len(batch)
        result = self._writer.write(batch, deadline=time.monotonic() + 60)
        if result.stored != count:
            raise RuntimeError(f"{count - result.stored} of {count} rows were not stored: {result.last_error}")
