"""Threads and executors stay in the workflow of whoever uses them."""

import asyncio
import concurrent.futures
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider

from e2edebug_instrumentation.correlation.current import current_correlation_id
from e2edebug_instrumentation.correlation.propagator import with_correlation_id
from e2edebug_instrumentation.tasks.threads import ThreadingInstrumentor

tracer = TracerProvider().get_tracer("test")


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    ThreadingInstrumentor().instrument()
    yield
    ThreadingInstrumentor().uninstrument()


def where_am_i() -> tuple[str | None, int]:
    """Return the correlation id and the span id that this thread works under."""
    here = current_correlation_id() if trace.get_current_span().get_span_context().is_valid else None
    return here, trace.get_current_span().get_span_context().span_id


NOWHERE = (None, 0)


def within_step(action: Callable[[], Any]) -> tuple[Any, tuple[str, int]]:
    """Return what *action* returns within a step of workflow `order-17`, and what it should be."""
    token = context.attach(with_correlation_id("order-17"))
    try:
        with tracer.start_as_current_span("request") as span:
            return action(), ("order-17", span.get_span_context().span_id)
    finally:
        context.detach(token)


def in_thread(kind: Callable[[Callable[[], None]], threading.Thread]) -> Any:
    found: list[Any] = []
    thread = kind(lambda: found.append(where_am_i()))
    thread.start()
    thread.join()
    return found[0]


class OwnRun(threading.Thread):
    """A thread with a run() of its own, as many libraries have."""

    def __init__(self, action: Callable[[], None]) -> None:
        super().__init__()
        self._action = action

    def run(self) -> None:
        self._action()


@pytest.mark.parametrize(
    "kind",
    [
        lambda action: threading.Thread(target=action),
        lambda action: threading.Thread(target=action, daemon=True),
        lambda action: threading.Timer(0.01, action),
        OwnRun,
    ],
    ids=["thread", "daemon", "timer", "own run"],
)
def test_a_thread_works_in_the_workflow_that_started_it(kind: Any) -> None:
    found, expected = within_step(lambda: in_thread(kind))

    assert found == expected


def test_a_thread_that_no_workflow_started_is_in_none() -> None:
    assert in_thread(lambda action: threading.Thread(target=action)) == NOWHERE


def test_a_pool_works_for_whoever_gives_it_work() -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first, expected = within_step(lambda: pool.submit(where_am_i).result())
        outside = pool.submit(where_am_i).result()
        second, expected_next = within_step(lambda: next(iter(pool.map(lambda _: where_am_i(), [1]))))

    assert (first, outside, second) == (expected, NOWHERE, expected_next)


def test_an_event_loop_hands_over_to_its_executor() -> None:
    async def work() -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, where_am_i), await asyncio.to_thread(where_am_i)

    found, expected = within_step(lambda: asyncio.run(work()))

    assert found == (expected, expected)


def test_a_process_pool_hands_the_workflow_over() -> None:
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        found, expected = within_step(lambda: pool.submit(where_am_i).result(timeout=60))
        outside = pool.submit(where_am_i).result(timeout=60)

    assert (found, outside) == (expected, NOWHERE)


def test_arguments_and_exceptions_pass_through() -> None:
    def divide(one: int, *, by: int) -> float:
        return one / by

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        result, _ = within_step(lambda: pool.submit(divide, 6, by=3).result())
        failing, _ = within_step(lambda: pool.submit(divide, 6, by=0).exception())

    assert result == 2
    assert isinstance(failing, ZeroDivisionError)


def test_undone_everything_is_as_it_was() -> None:
    def wrapped() -> list[Any]:
        return [
            threading.Thread.start, threading.Thread._bootstrap_inner,  # type: ignore[attr-defined] # what is wrapped
            concurrent.futures.ThreadPoolExecutor.submit, concurrent.futures.ProcessPoolExecutor.submit,
        ]  # fmt: skip

    during = wrapped()
    ThreadingInstrumentor().uninstrument()
    after = wrapped()
    ThreadingInstrumentor().instrument()

    assert all(one is not other and not hasattr(other, "__wrapped__") for one, other in zip(during, after, strict=True))
