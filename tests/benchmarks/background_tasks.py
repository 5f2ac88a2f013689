"""What ordering and running a task, and starting a thread, cost with our instrumentation, beside OpenTelemetry's own.

`make bench ARGS=background_tasks`. Tasks are sent to a broker in memory, and run where they stand.
"""

import concurrent.futures
import importlib.util
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import celery
from benchmarks.paired_cost import compare, instrumented, own_provider, result_of, stock_provider
from benchmarks.result import Case, Result
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor as StockCelery
from opentelemetry.instrumentation.threading import ThreadingInstrumentor as StockThreading
from opentelemetry.instrumentation.utils import unwrap
from opentelemetry.sdk.trace import TracerProvider
from support.cache_servers import redis_server

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
    """Order all of them before the first one runs: what two threads cost that fight for the interpreter is nobody's."""
    all_ordered = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(all_ordered.wait)
        futures = [pool.submit(int) for _ in range(count)]
        all_ordered.set()
    for future in futures:
        future.result()


def start(count: int) -> None:
    for _ in range(count):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()


EXPLANATION = """\
Ordering and running a task that does nothing. Peers: OpenTelemetry's instrumentors for Celery and threading, and
`opentelemetry-instrumentation-rq`, which is not OpenTelemetry's own. Celery sends to a broker in memory; RQ to a
redis-server, and runs its jobs where they stand. Django's tasks, from Django 6.0 on, have no other instrumentor. CPU time
of one.
"""


def measure(*, quick: bool) -> list[Result]:
    """Return what they cost."""
    cases: list[Case] = []
    stock, own = stock_provider(), own_provider()
    nothing.delay()
    pairs: list[tuple[str, Any, Any, Any, int]] = [
        ("Celery, delay()", order, StockCelery(), CeleryInstrumentor(), 300),
        ("Celery, a run", run, StockCelery(), CeleryInstrumentor(), 300),
        ("ThreadPoolExecutor.submit()", submit, StockThreading(), ThreadingInstrumentor(), 5000),
        ("Thread.start()", start, StockThreading(), ThreadingInstrumentor(), 2000),
    ]
    for name, operation, peer, ours, count in pairs:
        cases.append(
            compare(
                name,
                operation,
                peer=lambda peer=peer: instrumented(peer, stock),
                ours=lambda ours=ours: instrumented(ours, own),
                count=count,
                quick=quick,
            )
        )
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as port:
        cases += _of_rq(port, stock, own, quick=quick)
    if importlib.util.find_spec("django.tasks") is not None:
        cases += _of_django(own, quick=quick)
    else:
        import django

        print(
            f"Django's tasks: not measured, Django {django.__version__} has none; 6.0 does, on Python 3.12", flush=True
        )
    return [result_of("background_tasks", "Tasks, jobs and threads", EXPLANATION, cases)]


def _of_rq(port: int, stock: TracerProvider, own: TracerProvider, *, quick: bool) -> list[Case]:
    import redis
    import rq

    from e2edebug_instrumentation.tasks.rq_jobs import RQInstrumentor

    trace.set_tracer_provider(stock)  # the peer asks for the process's
    queue = rq.Queue("benchmark", connection=redis.Redis(port=port))
    job = queue.create_job("builtins.int")

    def order_jobs(count: int) -> None:
        for _ in range(count):
            queue.enqueue("builtins.int")
        queue.empty()

    def run_jobs(count: int) -> None:
        for _ in range(count):
            job.perform()

    return [
        compare(
            name,
            operation,
            peer=lambda: _stock_rq(stock),
            ours=lambda: instrumented(RQInstrumentor(), own),
            count=count,
            quick=quick,
        )
        for name, operation, count in (("RQ, enqueue()", order_jobs, 200), ("RQ, a run", run_jobs, 1000))
    ]


@contextmanager
def _stock_rq(provider: TracerProvider) -> Iterator[None]:
    """The peer, which was made for an earlier RQ: what of it a later one has no place for is left out."""
    import opentelemetry_instrumentation_rq as stock
    import wrapt

    def wrap(module: str, name: str, wrapper: Any) -> None:
        with suppress(AttributeError):
            wrapt.wrap_function_wrapper(module, name, wrapper)

    stock.wrap_function_wrapper = wrap
    instrumentor = stock.RQInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    try:
        with provider.get_tracer("benchmark").start_as_current_span("request"):
            yield
    finally:
        import rq

        for kind, methods in (
            (rq.worker.Worker, ("perform_job",)),
            (rq.job.Job, ("perform",)),
            (rq.queue.Queue, ("schedule_job", "_enqueue_job", "setup_dependencies")),
        ):
            for method in methods:
                unwrap(kind, method)
        instrumentor._is_instrumented_by_opentelemetry = False


def _of_django(own: TracerProvider, *, quick: bool) -> list[Case]:
    import django
    from django.conf import settings

    settings.configure(TASKS={"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}, USE_TZ=True)
    django.setup()
    from django.tasks import task

    from e2edebug_instrumentation.tasks.django_tasks import DjangoTasksInstrumentor

    ordered = task()(nothing_at_all)

    def order_and_run(count: int) -> None:
        for _ in range(count):
            ordered.enqueue()

    return [
        compare(
            "Django's task, ordered and run",
            order_and_run,
            peer=None,
            ours=lambda: instrumented(DjangoTasksInstrumentor(), own),
            count=500,
            quick=quick,
        )
    ]


def nothing_at_all() -> None:
    """Do nothing."""
