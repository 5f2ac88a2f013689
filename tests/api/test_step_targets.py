"""`@step` on classes, views, actions, models, signals and template tags."""

import functools
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from e2edebug import step


@pytest.fixture(scope="module")
def of_django() -> dict[str, Any]:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "DJANGO_SETTINGS_MODULE": ""}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("django_steps.py"))],
        capture_output=True, text=True, timeout=120, env=environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("what", "steps"),
    [
        ("view", ["CartView.post"]),
        ("inherited handler", ["CartView.get"]),
        ("base class", []),
        ("async view", ["AsyncView.get"]),
        ("as_view", ["PlainView.dispatch"]),
        ("view set", ["OrderViewSet.list"]),
        ("action of a view set", ["OrderViewSet.reorder"]),
        ("action above", ["InvoiceViewSet.below"]),
        ("action below", ["InvoiceViewSet.above"]),
        ("manager", ["OrderManager.open"]),
        ("model", ["Order.total"]),
        ("property", ["Order.label"]),
        ("cached property", ["Order.weight"]),
        ("class method", ["Order.parse"]),
        ("signal", ["__main__.when_paid"]),
        ("tag and filter", ["__main__.cart_total", "__main__.shout"]),
    ],
)
def test_what_django_calls_is_a_step(of_django: dict[str, Any], what: str, steps: list[str]) -> None:
    assert of_django[what] == steps


class Base:
    def inherited(self) -> int:
        return 1


@step(layer="api")
class Cart(Base):
    rate = 2

    def price(self) -> int:
        """What it costs."""
        return self._plain() * self.rate

    @staticmethod
    def parse() -> int:
        return 3

    @classmethod
    def make(cls) -> "Cart":
        return cls()

    @step(component="Warehouse")
    def reserve(self) -> int:
        return 4

    @property
    def label(self) -> str:
        return "cart"

    def _plain(self) -> int:
        return 21


def test_above_a_class_it_makes_steps_of_the_public_methods_that_the_class_defines(
    exported: InMemorySpanExporter,
) -> None:
    cart = Cart.make()

    results = (cart.price(), cart.parse(), cart.reserve(), cart.label, cart.inherited())

    assert results == (42, 3, 4, "cart", 1)
    names = [span.name for span in exported.get_finished_spans()]
    assert names == ["Cart.make", "Cart.price", "Cart.parse", "Warehouse.reserve"]
    assert (Cart.price.__doc__, inspect.isclass(Cart)) == ("What it costs.", True)


class Order:
    @step(operation="read")
    @property
    def total(self) -> int:
        return 17

    @total.setter
    def total(self, value: int) -> None:
        self.written = value

    @step
    @functools.cached_property
    def weight(self) -> int:
        return 3


def test_a_propertys_step_is_its_reading(exported: InMemorySpanExporter) -> None:
    order = Order()
    order.total = 5

    assert (order.total, order.weight, order.weight, order.written) == (17, 3, 3, 5)
    assert [span.name for span in exported.get_finished_spans()] == ["Order.read", "Order.weight"]
