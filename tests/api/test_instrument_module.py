"""`instrument_module()`: the public functions of a module as steps, without a word in the module."""

import importlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from e2edebug import instrument_module, step
from e2edebug.instrumented_modules import uninstrument_modules

SERVICES = """
    from json import dumps
    from e2edebug import step

    def price_of(cart):
        return _vat(cart)

    async def charge(order):
        return order

    def health():
        return "ok"

    def _vat(cart):
        return cart * 2

    @step(component="Named")
    def named():
        return 1

    class CartService:
        def total(self):
            return 3

        @staticmethod
        def parse():
            return 4
"""


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that has not been imported yet."""
    name = f"services_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(SERVICES))
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    uninstrument_modules()
    sys.modules.pop(name, None)


def run(module: Any) -> None:
    module.price_of(1)
    module.health()
    module.named()
    module.dumps({})
    module.CartService().total()
    module.CartService.parse()


def names(exported: InMemorySpanExporter) -> list[str]:
    return [span.name.partition(".")[2] for span in exported.get_finished_spans()]


def test_a_module_that_is_imported_later(services: str, exported: InMemorySpanExporter) -> None:
    instrument_module(services, layer="api")

    run(importlib.import_module(services))

    assert names(exported) == ["price_of", "health", "named"]
    assert exported.get_finished_spans()[0].name.startswith(f"{services}.")


def test_a_module_that_is_imported_already(services: str, exported: InMemorySpanExporter) -> None:
    module = importlib.import_module(services)

    instrument_module(services)
    run(module)

    assert names(exported) == ["price_of", "health", "named"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"include": "price_*"}, ["price_of", "named"]),
        ({"exclude": ["health"]}, ["price_of", "named"]),
        ({"include": ("price_*", "CartService.*"), "component": "Shop"}, ["price_of", "named", "total", "parse"]),
        ({"include": "*.*", "exclude": "CartService.parse"}, ["named", "total"]),
    ],
)
def test_patterns_say_which(
    services: str, exported: InMemorySpanExporter, options: dict[str, Any], expected: list[str]
) -> None:
    instrument_module(services, **options)

    run(importlib.import_module(services))

    assert names(exported) == expected


def test_a_second_time_makes_no_step_within_a_step(services: str, exported: InMemorySpanExporter) -> None:
    instrument_module(services)
    instrument_module(services)

    run(importlib.import_module(services))

    assert names(exported) == ["price_of", "health", "named"]


def test_what_all_lists_is_public(services: str, tmp_path: Path, exported: InMemorySpanExporter) -> None:
    with (tmp_path / f"{services}.py").open("a") as file:
        file.write("\n__all__ = ['_vat']\n")
    instrument_module(services)

    run(importlib.import_module(services))

    assert names(exported) == ["_vat", "named"]


def test_undone_each_function_is_the_modules_own_again(services: str, exported: InMemorySpanExporter) -> None:
    module = importlib.import_module(services)
    before = {name: vars(module)[name] for name in ("price_of", "charge", "health")}
    total = vars(module.CartService)["total"]
    instrument_module(services, include=("*", "CartService.*"))
    assert module.price_of is not before["price_of"]

    uninstrument_modules()

    assert {name: vars(module)[name] for name in before} == before
    assert vars(module.CartService)["total"] is total


def test_an_unknown_layer_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="layer"):
        instrument_module("shop.services", layer="basement")


def test_a_decorated_function_is_known_as_a_step() -> None:
    assert hasattr(step(lambda: None), "__e2edebug_step__")


def test_the_environment_can_name_modules_and_shutdown_undoes_them(services: str, tmp_path: Path) -> None:
    program = f"""
        import e2edebug
        e2edebug.init()
        import {services} as services
        print(hasattr(services.price_of, "__e2edebug_step__"))
        e2edebug.shutdown()
        print(hasattr(services.price_of, "__e2edebug_step__"))
    """
    environ = {
        **os.environ, "E2EDEBUG_INSTRUMENT_MODULES": services, "PYTHONPATH": str(tmp_path),
        "E2EDEBUG_DATABASE_URL": f"sqlite:///{tmp_path / 'store.sqlite3'}",
    }  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environ, capture_output=True, text=True, timeout=120
    )

    assert done.stdout.split() == ["True", "False"], done.stderr
