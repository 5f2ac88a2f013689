"""What ordering and running a task, and starting a thread, cost with our instrumentation, beside OpenTelemetry's own.

`python tests/benchmarks/bench_tasks.py`. Tasks are sent to a broker in memory, and run where they stand.
"""

import concurrent.futures
import threading
from typing import Any

import celery
from opentelemetry.instrumentation.celery import CeleryInstrumentor as StockCelery
from opentelemetry.instrumentation.threading import ThreadingInstrumentor as StockThreading
from paired_cost import compare, instrumented, own_provider, say_where, stock_provider

from e2edebug_instrumentation.tasks.celery_tasks import CeleryInstrumentor
from e2edebug_instrumentation.tasks.threads import ThreadingInstrumentor

app = celery.Celery("benchmark", broker="memory://", backend=None)
app.conf.task_ignore_result = True


@app.task(name="benchmark.nothing")
def nothing() -> None:
    """Do nothing."""


def order(count: int) -> None:
    for _ in range(count):
        nothing.delay()
    with app.connection_for_write() as connection:
        connection.default_channel.queue_purge("celery")


def run(count: int) -> None:
    for _ in range(count):
        nothing.apply()


def submit(count: int) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for future in [pool.submit(int) for _ in range(count)]:
            future.result()


def start(count: int) -> None:
    for _ in range(count):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()


def main() -> None:
    say_where()
    stock, own = stock_provider(), own_provider()
    nothing.delay()
    pairs: list[tuple[str, Any, Any, Any, int]] = [
        ("Celery, delay()", order, StockCelery(), CeleryInstrumentor(), 300),
        ("Celery, a run", run, StockCelery(), CeleryInstrumentor(), 300),
        ("ThreadPoolExecutor.submit()", submit, StockThreading(), ThreadingInstrumentor(), 5000),
        ("Thread.start()", start, StockThreading(), ThreadingInstrumentor(), 2000),
    ]
    for name, operation, peer, ours, count in pairs:
        compare(
            name,
            operation,
            peer=lambda peer=peer: instrumented(peer, stock),
            ours=lambda ours=ours: instrumented(ours, own),
            count=count,
        )


if __name__ == "__main__":
    main()
