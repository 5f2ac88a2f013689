"""docs/instrumentation.md knows every capture, metric and error class, and its examples are Python."""

import ast
import logging.config
import re
from pathlib import Path

import pytest

from e2edebug.policy.error_class.registry import ERROR_CLASSES
from e2edebug_exporters import hit_rates, query_counts, rates
from e2edebug_instrumentation.database import connection_pool
from e2edebug_instrumentation.registry import INSTRUMENTORS
from e2edebug_instrumentation.system import readings

TEXT = (Path(__file__).parents[1] / "docs" / "instrumentation.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("name", INSTRUMENTORS)
def test_every_capture_is_there_with_the_name_that_switches_it_off(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_every_metric_and_every_error_class_is_there() -> None:
    metrics = {
        *readings.UNITS, *connection_pool.UNITS, rates.ERROR_RATE, rates.THROUGHPUT, query_counts.METRIC_NAME,
        hit_rates.METRIC_NAME, "response_time",
    }  # fmt: skip

    assert [name for name in sorted({*metrics, *ERROR_CLASSES}) if f"`{name}`" not in TEXT] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_python(example: str) -> None:
    ast.parse(example)


def test_the_logging_of_the_documentation_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, object] = {}
    exec(next(one for one in EXAMPLES if "LOGGING" in one), found)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logging.config.dictConfig(found["LOGGING"])  # type: ignore[arg-type]
        logging.getLogger("shop").info("priced")
    finally:
        root.handlers[:], root.level = handlers, level

    assert '"message": "priced"' in capsys.readouterr().err
