"""Attribute names that capture and export agree on, beside the OpenTelemetry semantic conventions.

A span carries what it knows; the exporter turns these names into columns and keeps everything else in `metadata`.
"""

from typing import Final

CORRELATION_ID: Final = "correlation.id"
"""The workflow's correlation id: span attribute, log attribute and baggage key. Absent means the trace id as a UUID."""

CORRELATION_ID_RECEIVED: Final = "correlation.id.received"
"""A well-formed id that a client sent for too many requests, kept when a new id took its place."""

LAYER: Final = "e2edebug.layer"
COMPONENT: Final = "e2edebug.component"
OPERATION: Final = "e2edebug.operation"
METADATA: Final = "e2edebug.metadata"
"""A mapping given by the user to `@step`, `add_trace_step()` and their like."""

PENDING: Final = "e2edebug.pending"
"""True at start: the step is shown as `started` before its span ends (explicit workflows and steps)."""

SKIPPED: Final = "e2edebug.skipped"
"""True: the step was passed over on purpose; its status is `skipped`."""

WORKFLOW_TYPE: Final = "e2edebug.workflow.type"
WORKFLOW_STATUS: Final = "e2edebug.workflow.status"
"""`completed` or `failed`, set by complete_workflow() and fail_workflow(): wins over what the spans say."""
WORKFLOW_PARENT: Final = "e2edebug.workflow.parent"
"""The correlation id of the workflow inside which this one was started."""
WORKFLOW_METADATA: Final = "e2edebug.workflow.metadata"

USER_ID: Final = "enduser.id"
USER_LABEL: Final = "e2edebug.user.label"
SESSION_KEY: Final = "session.id"
"""A digest of the session key, never the key: whoever holds the key is the user."""

RECEIVED_FROM: Final = "e2edebug.received_from"
"""`browser` on what came with a browser's key: anybody may have sent it."""

STATEMENT_DIGEST: Final = "e2edebug.db.digest"
"""32 hexadecimal digits; statements that differ only in literals share one."""

ERROR_SEVERITY: Final = "e2edebug.error.severity"
REQUEST_PATH: Final = "url.path"

POINT: Final = "e2edebug.point"
"""On a metric data point: an id of its own, so that equal values recorded twice stay two rows."""
THRESHOLD_WARNING: Final = "e2edebug.threshold.warning"
THRESHOLD_CRITICAL: Final = "e2edebug.threshold.critical"
ERROR_COUNT: Final = "e2edebug.error_count"
"""On a duration data point: how many of its operations failed."""
INTERVAL_S: Final = "e2edebug.interval_s"

CACHE_HITS: Final = "cache.hits"
CACHE_MISSES: Final = "cache.misses"
"""How many of the keys that one operation asked for were there, and how many were not."""
