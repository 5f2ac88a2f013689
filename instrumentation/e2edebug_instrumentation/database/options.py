"""The options that the three database instrumentors share."""

from collections.abc import Mapping
from typing import Any

from e2edebug_instrumentation.database.query_span import QueryRecorder

_OPTIONS = ("capture_code_location", "value_max_bytes")


def make_recorder(arguments: Mapping[str, Any]) -> QueryRecorder:
    """Return a recorder for the arguments of an instrument() call: options by name, else from its `config`, else defaults."""
    config = arguments.get("config")
    options = {
        name: arguments[name] if name in arguments else getattr(config, name)
        for name in _OPTIONS
        if name in arguments or hasattr(config, name)
    }
    return QueryRecorder(**options, tracer_provider=arguments.get("tracer_provider"))
