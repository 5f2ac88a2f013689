"""What `@step` and `instrument_module()` add to a call of a function, beside OpenTelemetry's own decorator."""

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.paired_cost import compare, own_provider, stock_provider
from benchmarks.result import Result, Target

EXPLANATION = """\
A function that does nearly nothing (it doubles a number) is called within a request, alone and made a step of its trace:
by OpenTelemetry's own decorator, `tracer.start_as_current_span("shop.price")`, by `@step`, and by naming its module in
`instrument_module()`. CPU time of one call; the spans are made and then forgotten, so this is what the caller pays.
"""


def measure(*, quick: bool) -> list[Result]:
    """Return what a decorated call costs."""
    from opentelemetry import trace

    from e2edebug import instrument_module, step
    from e2edebug.instrumented_modules import uninstrument_modules

    stock, own = stock_provider(), own_provider()
    trace.set_tracer_provider(own)
    current: list[Callable[[int], int]] = [price]

    @contextmanager
    def using(function: Any, provider: Any) -> Iterator[None]:
        current[0] = function
        try:
            with provider.get_tracer("benchmark").start_as_current_span("request"):
                yield
        finally:
            current[0] = price

    def call(times: int) -> None:
        function = current[0]
        for number in range(times):
            function(number)

    by_sdk = stock.get_tracer("shop").start_as_current_span("shop.price")(price)
    count, rounds = (500, 3) if quick else (5000, 31)
    with _shop_module() as module:
        instrument_module(module.__name__)
        cases = [
            compare(
                name,
                call,
                peer=lambda: using(by_sdk, stock),
                ours=lambda function=function: using(function, own),  # type: ignore[misc]
                count=count,
                rounds=rounds,
            )
            for name, function in (("@step", step(price)), ("instrument_module()", module.price))
        ]
        uninstrument_modules()
    return [
        Result(
            name="decorated_function",
            title="A decorated function",
            explanation=EXPLANATION,
            cases=cases,
            targets=[
                Target(
                    f"{case.name}: CPU added to a call, of what OpenTelemetry's own decorator adds",
                    case.figures["ratio"].median,
                    1.0,
                )
                for case in cases
            ],
        )
    ]


def price(amount: int) -> int:
    """Return what is called in all cases."""
    return amount * 2


@contextmanager
def _shop_module() -> Iterator[types.ModuleType]:
    module = types.ModuleType("shop_services")
    exec("def price(amount):\n    return amount * 2\n", vars(module))
    sys.modules[module.__name__] = module
    try:
        yield module
    finally:
        del sys.modules[module.__name__]
