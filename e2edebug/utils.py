"""The three classes under the module name that the product was first described with; prefer `from e2edebug import`."""

from e2edebug.errors import ErrorLogger
from e2edebug.performance import PerformanceMonitor
from e2edebug.workflow_tracer import WorkflowTracer

__all__ = ["ErrorLogger", "PerformanceMonitor", "WorkflowTracer"]
