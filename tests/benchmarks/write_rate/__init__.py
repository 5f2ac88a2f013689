"""How many steps a second one connection stores, for e2edebug, its driver, and the fastest way that MySQL has."""

import gc
import importlib
import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness.listing import modules_in
from benchmarks.recorded_requests.recording import Recorder
from benchmarks.result import Case, Figure, Result, Target
from benchmarks.sink import running_sink
from opentelemetry.sdk.trace import ReadableSpan
from support.mariadb import MariaDBServer

from e2edebug.policy.config import load_config
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.span_metrics import SpanMetrics
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate

BATCH = 2000
"""Where all of them are on their plateau; from 500 rows on, none gains much."""
LOAD_DATA = "load_data"
STEPS = "e2edebug_steps"
COMPLETE = "e2edebug_complete"
COLUMN = "steps"
CPU = "CPU of the writing thread, a step"


def measure(*, quick: bool) -> list[Result]:
    """Return the steps a second of each way, and the ratios to LOAD DATA."""
    rounds = 4 if quick else 20
    with ExitStack() as stack:
        server = MariaDBServer.create(options=["--local-infile=1"])
        stack.callback(server.remove)
        sink_url = stack.enter_context(running_sink())
        recorder = Recorder(server.create_database(), sink_url)
        mapper, metrics = mapper_of(load_config({}, environ={})), SpanMetrics()
        batches = [_rows(recorder.spans(BATCH), mapper, metrics) for _ in range(rounds + 1)]
        recorder.close()
        modules = {
            name: importlib.import_module(f"benchmarks.write_rate.peers.{name}")
            for name in modules_in(Path(__file__).parent / "peers")
        }
        writers = {}
        for name, module in modules.items():
            writers[name] = module.Writer(_store(server))
            stack.callback(writers[name].close)
        rates, costs = _rates(writers, batches)

    def against_load_data(name: str) -> float:
        return median(mine / theirs for mine, theirs in zip(rates[name], rates[LOAD_DATA], strict=True))

    return [
        Result(
            name="write_rate",
            title="Rows a second on one connection",
            explanation=_EXPLANATION,
            cases=[
                Case(
                    module.NAME,
                    module.WHO,
                    {COLUMN: Figure.of(rates[name], "rows/s"), CPU: Figure.of(costs[name], "us")},
                )
                for name, module in sorted(modules.items(), key=lambda item: item[1].WHO != "peer")
            ],
            targets=[
                Target("steps alone, of LOAD DATA's rate", against_load_data(STEPS), 0.75, is_upper=False),
                Target("complete, of LOAD DATA's rate", against_load_data(COMPLETE), 0.45, is_upper=False),
            ],
        )
    ]


def _rows(spans: Sequence[ReadableSpan], mapper: RowMapper, metrics: SpanMetrics) -> RowBatch:
    """Return the rows of *spans*, and those of what was counted about them, as an interval of its own."""
    batch = RowBatch()
    mapper.add_spans(batch, spans)
    for span in spans:
        metrics.record(span)
    data = metrics.collect()
    if data is not None:
        mapper.add_metrics(batch, data)
    return batch


def _store(server: MariaDBServer) -> str:
    url = server.create_database()
    engine = create_store_engine(url)
    migrate(engine)
    engine.dispose()
    return url


def _rates(
    writers: dict[str, Any], batches: Sequence[RowBatch]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return steps a second and CPU microseconds a step, one figure for each batch but the first, which warms up."""
    order = random.Random(1)  # an order, not a secret
    rates: dict[str, list[float]] = {name: [] for name in writers}
    costs: dict[str, list[float]] = {name: [] for name in writers}
    gc.collect()
    gc.freeze()  # the rows are no garbage of any writer
    for batch in batches:
        for name in order.sample(list(writers), len(writers)):
            began_s, began_cpu_ns = time.perf_counter(), time.thread_time_ns()
            writers[name].write(batch)
            costs[name].append((time.thread_time_ns() - began_cpu_ns) / len(batch.steps) / 1e3)
            rates[name].append(len(batch.steps) / (time.perf_counter() - began_s))
    return {name: of[1:] for name, of in rates.items()}, {name: of[1:] for name, of in costs.items()}


_EXPLANATION = """\
The rows are those of a Django site with ten routes (ids, statements, metadata: some 900 bytes each), made beforehand. Each way
stores the same 2,000 of them in one transaction, into a database of its own with the same table and indexes, round
after round and in a new order each time; the ratios are those within a round. `LOAD DATA` first writes a file, which is
in its time, as making the statement is in the time of the others.

*Complete* is what e2edebug does in production: it looks the error groups up, and keeps sessions with their summaries,
snapshots, errors and groups in the same transaction. Its rate counts steps alone, as that of the others.
"""
