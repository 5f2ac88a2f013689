"""Which workflow of your application broke, at which step, in which layer, and why.

`import e2edebug.auto` does everything from the environment. The names here are bound on first use, so that importing
the package costs a process that never uses them nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from e2edebug.decorators import step, workflow
    from e2edebug.errors import ErrorLogger
    from e2edebug.instrumented_modules import instrument_module
    from e2edebug.performance import PerformanceMonitor
    from e2edebug.policy.config import ConfigurationError
    from e2edebug.runtime.lifecycle import flush, init, instrument, shutdown, stats
    from e2edebug.workflow_tracer import WorkflowTracer
    from e2edebug_exporters.log_exporter import SQLLogRecordExporter
    from e2edebug_exporters.metric_exporter import SQLMetricExporter
    from e2edebug_exporters.span_exporter import SQLSpanExporter
    from e2edebug_instrumentation.correlation.current import current_correlation_id

__version__ = "0.1.0.dev0"

_HOMES = {
    "ConfigurationError": "e2edebug.policy.config",
    "ErrorLogger": "e2edebug.errors",
    "PerformanceMonitor": "e2edebug.performance",
    "SQLLogRecordExporter": "e2edebug_exporters.log_exporter",
    "SQLMetricExporter": "e2edebug_exporters.metric_exporter",
    "SQLSpanExporter": "e2edebug_exporters.span_exporter",
    "WorkflowTracer": "e2edebug.workflow_tracer",
    "current_correlation_id": "e2edebug_instrumentation.correlation.current",
    "flush": "e2edebug.runtime.lifecycle",
    "init": "e2edebug.runtime.lifecycle",
    "instrument": "e2edebug.runtime.lifecycle",
    "instrument_module": "e2edebug.instrumented_modules",
    "shutdown": "e2edebug.runtime.lifecycle",
    "stats": "e2edebug.runtime.lifecycle",
    "step": "e2edebug.decorators",
    "workflow": "e2edebug.decorators",
}

__all__ = [
    "ConfigurationError",
    "ErrorLogger",
    "PerformanceMonitor",
    "SQLLogRecordExporter",
    "SQLMetricExporter",
    "SQLSpanExporter",
    "WorkflowTracer",
    "current_correlation_id",
    "flush",
    "init",
    "instrument",
    "instrument_module",
    "shutdown",
    "stats",
    "step",
    "workflow",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'e2edebug' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
