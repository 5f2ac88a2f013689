"""What `@step` and `instrument_module()` add to a call, beside the SDK's own decorator.

`python tests/benchmarks/bench_steps.py`
"""

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from paired_cost import compare, own_provider, say_where, stock_provider

from e2edebug import instrument_module, step
from e2edebug.instrumented_modules import uninstrument_modules


def price(amount: int) -> int:
    return amount * 2


class Shop(types.ModuleType):
    """A module to be instrumented."""


def main() -> None:
    say_where()
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
    compare("@step", call, peer=lambda: using(by_sdk, stock), ours=lambda: using(step(price), own), count=5000)

    import sys

    module = Shop("shop_services")
    exec("def price(amount):\n    return amount * 2\n", vars(module))
    sys.modules["shop_services"] = module
    instrument_module("shop_services")
    compare(
        "instrument_module()",
        call,
        peer=lambda: using(by_sdk, stock),
        ours=lambda: using(module.price, own),
        count=5000,
    )
    uninstrument_modules()


if __name__ == "__main__":
    main()
