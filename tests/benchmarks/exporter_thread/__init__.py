"""What a span costs the thread that exports it, from the ended span to the stored row, for e2edebug and its peers.

Round after round, in a new order each time, every exporter is given the same spans, which none of them has seen before.
"""

import gc
import importlib
import logging
import random
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.callgrind import can_count
from benchmarks.harness.listing import modules_in
from benchmarks.recorded_requests.recording import Recorder
from benchmarks.result import Case, Figure, Result, Target
from benchmarks.sink import running_sink
from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from support.mariadb import MariaDBServer

from e2edebug.policy.config import load_config
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.rows import RowBatch

BATCH = 512
"""That of OpenTelemetry's batch processor and of our pipeline."""
BATCHES = 4
OURS = "e2edebug_complete"
OTLP = "otlp_http"
MAPPING = "of which mapping and redaction"
COLUMN = "CPU of the exporting thread, a span"


def measure(*, quick: bool) -> list[Result]:
    """Return the CPU time and the instructions of each exporter, a span, and the ratios to OTLP's."""
    rounds = 4 if quick else 32
    with ExitStack() as stack:
        server = MariaDBServer.create()
        stack.callback(server.remove)
        sink_url = stack.enter_context(running_sink())
        recorder = Recorder(server.create_database(), sink_url)
        blocks = [recorder.spans(BATCH * BATCHES) for _ in range(rounds + 1)]
        recorder.close()
        exporters = {
            name: (module, module.exporter(server.create_database(), sink_url)) for name, module in all_peers()
        }
        for _, exporter in exporters.values():
            stack.callback(exporter.shutdown)
        stack.enter_context(nothing_else_traced())
        costs = _costs({name: exporter for name, (_, exporter) in exporters.items()}, blocks)
    counts, why_not, failures = _instructions(quick=quick)
    ratios = [mine / theirs for mine, theirs in zip(costs[OURS], costs[OTLP], strict=True)]
    targets = [Target("CPU of the exporting thread, a span, of the OTLP/HTTP exporter's", median(ratios), 0.25)]
    if counts:
        targets.append(Target("The same in instructions", counts[OURS] / counts[OTLP], 0.25))
    cases = [
        Case(
            module.NAME,
            module.WHO,
            {COLUMN: Figure.of(costs[name], "us")}
            | ({"instructions, a span": Figure.of([counts[name] / 1000], "thousand")} if counts else {}),
        )
        for name, (module, _) in exporters.items()
    ]
    cases.append(Case(MAPPING, "ours", {COLUMN: Figure.of(costs[MAPPING], "us")}))
    return [
        Result(
            name="exporter_thread",
            title="What a span costs the exporting thread",
            explanation=f"{_EXPLANATION}\n{why_not or _INSTRUCTIONS}",
            cases=sorted(cases, key=lambda case: case.who != "peer"),
            targets=targets,
            failures=failures,
        )
    ]


def _instructions(*, quick: bool) -> tuple[dict[str, float], str, dict[str, str]]:
    """Return the instructions of each exporter, a span; why there are none; and what failed, which costs nothing else."""
    from benchmarks.exporter_thread.instructions import count_instructions

    if quick:
        return {}, "Instructions were not counted: that takes minutes.\n", {}
    if not can_count():
        return {}, "Instructions were not counted: valgrind is not installed.\n", {}
    try:
        return count_instructions([name for name, _ in all_peers()]), "", {}
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return {}, "Instructions could not be counted.\n", {"instructions": str(error)}


def all_peers() -> Iterator[tuple[str, Any]]:
    """Yield the module of each exporter by its name."""
    for name in modules_in(Path(__file__).parent / "peers"):
        yield name, importlib.import_module(f"benchmarks.exporter_thread.peers.{name}")


def _costs(exporters: dict[str, SpanExporter], blocks: Sequence[Sequence[ReadableSpan]]) -> dict[str, list[float]]:
    """Return microseconds a span, one figure for each block but the first, which warms up."""
    order = random.Random(1)  # an order, not a secret
    costs: dict[str, list[float]] = {name: [] for name in (*exporters, MAPPING)}
    mapper = mapper_of(load_config({}, environ={}))

    def mapped(spans: Sequence[ReadableSpan]) -> None:
        mapper.add_spans(RowBatch(), spans)

    def exported(exporter: SpanExporter, spans: Sequence[ReadableSpan]) -> None:
        if exporter.export(spans) is not SpanExportResult.SUCCESS:
            raise RuntimeError(f"{exporter} did not take the spans")

    gc.collect()
    gc.freeze()  # the recorded spans are no garbage of any exporter
    for block in blocks:
        for name in order.sample(list(costs), len(costs)):
            took_ns = 0
            for start in range(0, len(block), BATCH):
                spans = block[start : start + BATCH]
                # Made for each of them: whoever comes after it finds the spans in the processor's cache.
                copies = [as_the_sdk_gives_it(span) for span in spans]
                if name not in (OURS, MAPPING):
                    spans = copies
                began_ns = time.process_time_ns()
                if name == MAPPING:
                    mapped(spans)
                else:
                    exported(exporters[name], spans)
                took_ns += time.process_time_ns() - began_ns
            costs[name].append(took_ns / len(block) / 1e3)
    return {name: figures[1:] for name, figures in costs.items()}


def as_the_sdk_gives_it(span: ReadableSpan) -> ReadableSpan:
    """Return the SDK's own copy. A span of our tracer makes its contexts when they are asked for, which costs who asks."""
    return getattr(span, "_readable_span", lambda: span)()


@contextmanager
def nothing_else_traced() -> Iterator[None]:
    """As within a batch processor's thread: what an exporter does itself is not instrumented."""
    logging.getLogger("e2edebug").setLevel(logging.ERROR)
    token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        otel_context.detach(token)


_EXPLANATION = """\
A Django site with ten routes of five queries each, a cache and a call to another service is served first, with
e2edebug's own instrumentation, and its spans are kept. They are then given in batches of 512 to each exporter in turn (to
the others as the SDK's own objects, which its processors would give them), while nothing else runs in the process that is
measured (its CPU time, so that waiting for the server is not in it, and that of every thread an exporter uses is).

e2edebug stores every span with its session, summary and errors in one transaction, after cleaning and redaction. The
SQLAlchemy exporter inserts rows into the same table and does nothing else. The OTLP exporter sends what it has to a
process that throws it away: what a collector would do with it, and the storing, come on top.
"""

_INSTRUCTIONS = """\
*Instructions* are those of all threads of the process, counted by callgrind, which does not see what the kernel does for
them. They are the same on a busy machine, and CPU time is not: e2edebug waits for the database some five times a batch,
and to be woken up is the processor's work too, in a virtual machine more than elsewhere.
"""
