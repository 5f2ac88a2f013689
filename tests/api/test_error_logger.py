"""Errors logged by hand leave as log records with everything that the error log has a column for."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

import e2edebug.errors
from e2edebug import ErrorLogger
from e2edebug.policy import correlation_id


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryLogRecordExporter]:
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    monkeypatch.setattr(e2edebug.errors, "_logger", provider.get_logger("e2edebug"))
    yield exporter
    provider.shutdown()


def only(emitted: InMemoryLogRecordExporter) -> Any:
    (readable,) = emitted.get_finished_logs()
    return readable.log_record


class Request:
    path = "/api/products/"
    method = "POST"
    headers = {"User-Agent": "Mozilla/5.0", "Authorization": "Bearer secret"}
    user = None


def test_an_error_keeps_who_what_and_where(emitted):
    ErrorLogger.log_error(
        layer="api",
        component="ProductViewSet",
        error_type="ValidationError",
        error_message="Invalid product data",
        correlation_id="abc",
        user=7,
        severity="warning",
        request=Request(),
        metadata={"product": 3},
    )

    record = only(emitted)
    assert record.timestamp is not None
    assert record.severity_text == "WARNING"
    assert dict(record.attributes) == {
        "e2edebug.layer": "api",
        "e2edebug.component": "ProductViewSet",
        "e2edebug.error.severity": "warning",
        "exception.type": "ValidationError",
        "exception.message": "Invalid product data",
        "correlation.id": "abc",
        "e2edebug.metadata": {"product": 3},
        "enduser.id": "7",
        "url.path": "/api/products/",
        "http.request.method": "POST",
        "user_agent.original": "Mozilla/5.0",
    }


def test_an_exception_keeps_its_stack_its_causes_and_its_notes(emitted):
    try:
        try:
            raise KeyError("sku")
        except KeyError as cause:
            error = ValueError("no such product")
            error.add_note("while importing row 7")
            raise error from cause
    except ValueError as caught:
        ErrorLogger.log_exception(exception=caught, layer="api", component="ProductViewSet")

    stack = only(emitted).attributes["exception.stacktrace"]
    assert "KeyError: 'sku'" in stack
    assert "The above exception was the direct cause" in stack
    assert stack.endswith("ValueError: no such product\nwhile importing row 7\n")


def test_an_error_belongs_to_the_current_workflow_when_no_id_is_given(emitted):
    token = context.attach(context.set_value(correlation_id.CONTEXT_KEY, "current"))
    ErrorLogger.log_error("api", "Cart", "Oops", "it broke")
    context.detach(token)

    assert only(emitted).attributes["correlation.id"] == "current"


def test_an_exception_whose_str_raises_is_logged(emitted):
    class Silent(Exception):
        def __str__(self):
            raise RuntimeError

    ErrorLogger.log_exception(Silent(), layer="api", component="Cart")

    assert only(emitted).attributes["exception.message"] == "<Silent whose __str__ raised RuntimeError>"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"layer": "kitchen"}, "layer='kitchen' is none of frontend"),
        ({"severity": "fatal"}, "severity='fatal' is none of debug"),
    ],
)
def test_a_mistake_in_the_code_is_named(arguments, text):
    with pytest.raises(ValueError, match=text):
        ErrorLogger.log_error(
            **{"layer": "api", "component": "Cart", "error_type": "Oops", "error_message": "x", **arguments}
        )


def test_without_init_nothing_happens():
    ErrorLogger.log_error("api", "Cart", "Oops", "it broke")
