"""Which exceptions a span of ours has told of already, with their stack."""

from typing import Final


def is_recorded(error: BaseException, trace_id: int) -> bool:
    """Tell whether a span of this trace has *error* with its stack."""
    return error.__dict__.get(_TRACE) == trace_id


def is_recorded_anywhere(error: BaseException) -> bool:
    """Tell whether a span of ours, of whatever trace, has *error* with its stack."""
    return _TRACE in error.__dict__


def remember_recorded(error: BaseException, trace_id: int) -> None:
    """Note that a span of this trace has *error* with its stack."""
    # On the exception itself, or this would have to keep it and all its frames alive: most exceptions take no weak
    # references. Past its __setattr__, which frozen dataclasses and the like forbid.
    error.__dict__[_TRACE] = trace_id


def qualified_name(error: BaseException) -> str:
    """Return the exception's type with its module, as OpenTelemetry names it."""
    module, name = type(error).__module__, type(error).__qualname__
    return name if module == "builtins" else f"{module}.{name}"


_TRACE: Final = "_e2edebug_recorded_in"
