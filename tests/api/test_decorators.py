"""`@workflow` and `@step` on every kind of function, and around blocks."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from e2edebug import step, workflow


def only(exported: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exported.get_finished_spans()
    return span


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


class CartService:
    @step(layer="api")
    def price(self, amount: int, *, vat: float = 0.2) -> float:
        """What the cart costs."""
        return amount * (1 + vat)

    @staticmethod
    @step
    def currency() -> str:
        return "EUR"

    @step
    @classmethod
    def named(cls) -> str:
        return cls.__name__


def test_a_method_becomes_a_step_named_by_its_class(exported):
    assert CartService().price(100, vat=0.5) == 150

    span = only(exported)
    assert span.name == "CartService.price"
    assert attributes_of(span) == {
        "e2edebug.layer": "api",
        "e2edebug.component": "CartService",
        "e2edebug.operation": "price",
    }


def test_signature_name_and_docstring_are_untouched():
    assert str(inspect.signature(CartService.price)) == "(self, amount: int, *, vat: float = 0.2) -> float"
    assert CartService.price.__name__ == "price"
    assert CartService.price.__doc__ == "What the cart costs."


def test_static_and_class_methods_stay_what_they_are_in_either_order(exported):
    assert (CartService.currency(), CartService.named()) == ("EUR", "CartService")

    assert [span.name for span in exported.get_finished_spans()] == ["CartService.currency", "CartService.named"]


def test_a_function_of_a_module_is_named_by_the_module(exported):
    @step
    def total() -> int:
        return 3

    assert total() == 3
    assert only(exported).name == "test_decorators.total"


def test_a_raising_function_makes_a_failed_step_and_the_same_exception_passes(exported):
    error = LookupError("no such cart")

    @step
    def find() -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        find()

    assert caught.value is error
    span = only(exported)
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "LookupError: no such cart")
    assert [event.name for event in span.events] == ["exception"]


def test_an_exception_whose_str_raises_passes_unchanged(exported):
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not even its text")

    @step
    def fail() -> None:
        raise Silent

    with pytest.raises(Silent):
        fail()

    assert only(exported).status.description == "Silent: <Silent whose __str__ raised RuntimeError>"


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_an_exception_whose_str_interrupts_passes_unchanged(exported, raised):
    class Silent(Exception):
        def __str__(self) -> str:
            raise raised

    @step
    def fail() -> None:
        raise Silent

    with pytest.raises(Silent):
        fail()

    assert only(exported).status.description == f"Silent: <Silent whose __str__ raised {raised.__name__}>"


def test_an_exception_that_passes_several_steps_is_told_by_the_innermost_and_the_outermost(exported):
    @step
    def descend(depth: int) -> None:
        if depth == 0:
            raise LookupError("no such cart")
        descend(depth - 1)

    with pytest.raises(LookupError):
        descend(3)

    spans = exported.get_finished_spans()
    assert [len(span.events) for span in spans] == [1, 0, 0, 1]
    assert {span.status.description for span in spans} == {"LookupError: no such cart"}
    assert [attributes_of(span).get("error.type") for span in spans] == [None, "LookupError", "LookupError", None]


def test_an_exception_that_is_raised_again_in_another_trace_is_told_there_too(exported):
    error = LookupError("no such cart")

    @step
    def find() -> None:
        raise error

    for _ in range(2):
        with pytest.raises(LookupError):
            find()

    assert [len(span.events) for span in exported.get_finished_spans()] == [1, 1]


def test_an_exception_costs_no_more_for_each_step_that_it_passes(exported):
    """Formatting a stack looks its lines up; a RecursionError through 300 steps took 19 s (2026-11)."""

    @step
    def descend() -> None:
        descend()

    with pytest.raises(RecursionError):
        descend()

    spans = exported.get_finished_spans()
    assert len(spans) > 50
    assert sum(len(span.events) for span in spans) == 2
    assert all(len(event.attributes["exception.stacktrace"]) < 50_000 for span in spans for event in span.events)


def test_a_coroutine_is_timed_until_it_returns(exported):
    @workflow("checkout")
    async def checkout() -> str:
        await asyncio.sleep(0)
        return trace.get_current_span().get_span_context().span_id and "paid"

    assert inspect.iscoroutinefunction(checkout)
    assert asyncio.run(checkout()) == "paid"
    assert attributes_of(only(exported))["e2edebug.workflow.type"] == "checkout"


def test_a_cancelled_coroutine_is_interrupted_not_an_error_log(exported):
    @step
    async def wait() -> None:
        await asyncio.sleep(3600)

    async def cancel_it() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_it())

    span = only(exported)
    assert span.status.description == "interrupted by CancelledError"
    assert not span.events


def test_concurrent_tasks_do_not_become_each_others_parents(exported):
    @step
    async def one(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(one(3), one(1))

    asyncio.run(both())

    assert [span.parent for span in exported.get_finished_spans()] == [None, None]


def test_a_generator_is_current_only_while_it_runs(exported):
    seen: list[int] = []

    @step
    def rows() -> Generator[int, Any, str]:
        for number in range(2):
            seen.append(trace.get_current_span().get_span_context().span_id)
            yield number
        return "end"

    consumer_sees = []
    generator = rows()
    for _ in generator:
        consumer_sees.append(trace.get_current_span().get_span_context().is_valid)

    assert consumer_sees == [False, False]
    assert len(set(seen)) == 1
    assert seen[0] == only(exported).context.span_id


def test_a_generator_keeps_send_throw_and_its_return_value(exported):
    @step
    def echo() -> Generator[str, str, str]:
        received = yield "ready"
        try:
            yield received.upper()
        except KeyError:
            yield "caught"
        return "done"

    def delegate() -> Generator[str, str, None]:
        result = yield from echo()
        yield result

    generator = delegate()
    assert next(generator) == "ready"
    assert generator.send("hello") == "HELLO"
    assert generator.throw(KeyError("x")) == "caught"
    assert next(generator) == "done"
    assert only(exported).status.status_code is StatusCode.UNSET


def test_a_generator_left_early_is_closed_and_not_failed(exported):
    closed = []

    @step
    def rows() -> Generator[int, None, None]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    generator = rows()
    next(generator)
    generator.close()

    assert closed == [True]
    assert only(exported).status.status_code is StatusCode.UNSET


def test_an_async_generator_is_timed_to_its_end_and_its_failure_is_kept(exported):
    @step
    async def rows() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("second row is broken")

    async def read() -> list[int]:
        return [row async for row in rows()]

    with pytest.raises(ValueError, match="second row is broken"):
        asyncio.run(read())

    assert only(exported).status.description == "ValueError: second row is broken"


def test_steps_within_a_workflow_are_its_children(exported):
    @step
    def price() -> None: ...

    @workflow("checkout")
    def checkout() -> None:
        price()

    checkout()

    price_span, checkout_span = exported.get_finished_spans()
    assert price_span.parent.span_id == checkout_span.context.span_id
    assert attributes_of(checkout_span)["e2edebug.workflow.status"] == "completed"


def test_both_work_as_context_managers(exported):
    def checkout() -> None:
        with workflow("checkout", metadata={"cart": 7}) as session, step(component="Cart", operation="price") as one:
            one.add_metadata({"rows": 3})
            assert one.correlation_id == session.correlation_id

    checkout()

    price_span, checkout_span = exported.get_finished_spans()
    assert attributes_of(price_span)["e2edebug.metadata"] == {"rows": 3}
    assert attributes_of(checkout_span)["e2edebug.workflow.metadata"] == {"cart": 7}


def test_a_block_without_names_is_named_by_the_function_around_it(exported):
    async def load_cart() -> None:
        async with step():
            pass

    asyncio.run(load_cart())

    assert only(exported).name == "test_decorators.load_cart"


@pytest.mark.parametrize("wrong", [{"layer": "kitchen"}, {"layer": ""}])
def test_an_unknown_layer_is_refused_when_decorating(wrong):
    with pytest.raises(ValueError, match=r"is none of frontend, api, database, cache, external, system"):
        step(**wrong)


def test_a_workflow_is_no_class():
    with pytest.raises(TypeError, match="decorate its methods"):
        workflow("checkout")(CartService)


def test_before_init_a_decorated_function_just_runs():
    assert CartService().price(100) == 120
