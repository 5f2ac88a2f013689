"""What a correlation id is: which received values are taken over, and what stands in when none was received.

The id names one workflow across services and traces. It travels in baggage and in `X-Correlation-ID`, is shown on
pages and in terminals and lands in log lines, so its alphabet is closed: no value of it can break out of any of these.
"""

import re
import uuid
from typing import Final

CONTEXT_KEY: Final = "e2edebug.correlation_id"
"""Key in the OpenTelemetry Context under which the current workflow's id stands, as str. Absent means `from_trace_id`."""

MAX_LENGTH: Final = 64

_WELL_FORMED = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_LENGTH}}}")


def accept(value: object) -> str | None:
    """Return *value* if it may serve as a correlation id (1-64 of `[A-Za-z0-9._-]`), else None.

    Nothing is stripped or cut to fit: a mended id would silently join two strangers' workflows.
    """
    if isinstance(value, str) and _WELL_FORMED.fullmatch(value):
        return value
    return None


def from_trace_id(trace_id: int) -> str:
    """Return the id of a workflow that received none: its trace id (128 bits) as a canonical UUID text."""
    return from_trace_text(f"{trace_id:032x}")


def from_trace_text(text: str) -> str:
    """Return the same for a trace id that is written out already, in 32 hexadecimal digits."""
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new() -> str:
    """Return an id for a workflow that has no trace to be named after."""
    return str(uuid.uuid4())
