"""The host of a load run: a program that emits spans at a steady rate and says in the end what that cost it.

Run by steady_load.py with the settings in STEADY_LOAD (JSON). The ids of all spans go to a file, 24 bytes each.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import psutil
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind

from e2edebug.policy.config import load_config
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.span_processor import SpanPipelineProcessor

QUERIES: Final = 4
"""In each request, whose span makes it five."""
_TICK_S: Final = 0.01


class Memory(threading.Thread):
    """Looks four times a second how much memory the process has."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process()
        self.rss_bytes: list[int] = []
        self.queue_bytes = 0
        self.pipeline: Pipeline | None = None

    def run(self) -> None:
        while True:
            self.rss_bytes.append(self._process.memory_info().rss)
            if self.pipeline is not None:
                self.queue_bytes = max(self.queue_bytes, self.pipeline.stats()["queue_bytes"])
            time.sleep(0.25)


def main() -> None:
    settings = json.loads(os.environ["STEADY_LOAD"])
    config = load_config({"metric_interval_s": 5.0, "exit_timeout_s": 60.0, **settings["config"]}, environ={})
    pipeline = Pipeline(settings["url"], config, resource=Resource({"service.name": "load"}))
    provider = make_tracer_provider(ALWAYS_ON, Resource({"service.name": "load"}))
    provider.add_span_processor(SpanPipelineProcessor(pipeline))
    tracer = provider.get_tracer("load")
    request(tracer, 0, None)
    pipeline.flush(60)  # imports, tables and the first connection are not part of the run
    memory = Memory()
    memory.pipeline = pipeline
    memory.start()
    with Path(settings["ids"]).open("wb") as ids:
        report = emit_steadily(tracer, ids, rate=settings["rate"], seconds=settings["seconds"])
    is_flushed = pipeline.flush(60)
    books = pipeline.stats()
    report |= {
        "is_flushed": is_flushed,
        "is_balanced": pipeline.ledger.read().is_balanced,
        "books": {name: books[name] for name in ("emitted", "stored", "already_there", "queued", "spooled", "dropped")},
        "rss_at_start_bytes": memory.rss_bytes[0],
        "rss_peak_bytes": max(memory.rss_bytes),
        "queue_peak_bytes": memory.queue_bytes,
    }
    pipeline.shutdown(30)
    json.dump(report, sys.stdout)


def emit_steadily(tracer: Any, ids: Any, *, rate: int, seconds: float) -> dict[str, Any]:
    """Emit *rate* spans a second, in requests of five, by the clock: what a late tick left out the next one makes good."""
    begun, cpu, own_cpu = time.monotonic(), time.process_time(), time.thread_time()
    requests = 0
    while (elapsed := time.monotonic() - begun) < seconds:
        while requests * (QUERIES + 1) < rate * elapsed:
            requests += 1
            request(tracer, requests, ids)
        time.sleep(_TICK_S)
    elapsed = time.monotonic() - begun
    return {
        "spans": requests * (QUERIES + 1),
        "elapsed_s": elapsed,
        "cpu_s": time.process_time() - cpu,
        "host_thread_cpu_s": time.thread_time() - own_cpu,
    }


def request(tracer: Any, number: int, ids: Any) -> None:
    """Make the spans of one request."""
    server = tracer.start_span(
        "GET /products/",
        kind=SpanKind.SERVER,
        attributes={"http.request.method": "GET", "http.route": "/products/", "http.response.status_code": 200},
    )
    note(server, ids)
    within = trace.set_span_in_context(server)
    for query in range(QUERIES):
        attributes = {"db.system.name": "mysql", "db.query.text": "SELECT * FROM product WHERE id = ?", "rows": number}
        child = tracer.start_span(f"SELECT product {query}", within, SpanKind.CLIENT, attributes)
        child.end()
        note(child, ids)
    server.end()


def note(span: Any, ids: Any) -> None:
    if ids is not None:
        context = span.get_span_context()
        ids.write(context.trace_id.to_bytes(16, "big") + context.span_id.to_bytes(8, "big"))


if __name__ == "__main__":
    main()
