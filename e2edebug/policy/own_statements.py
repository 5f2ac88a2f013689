"""Which statements are our own: they make no spans, whoever runs them."""

import re
from typing import Final

STORE_ALIAS: Final = "e2edebug"
"""The alias among Django's databases that is registered when the store is none of the project's own."""

OWN_TABLES: Final = (
    "alert", "alert_event", "alert_target", "configuration", "error_group", "error_group_change", "error_log",
    "evaluation", "lease", "maintenance_window", "notification", "performance_rollup", "performance_snapshot",
    "performance_threshold", "release", "rollup_hour", "threshold_option", "trace_step", "workflow_session",
)  # fmt: skip
"""Our tables, without `debugging_`."""

_PREFIX: Final = "debugging_"
_NAMED = re.compile(rf"\b{_PREFIX}(?:{'|'.join(OWN_TABLES)})\b")


def is_own_statement(sql: object) -> bool:
    """Whether *sql* is about a table of ours, as the admin's and the API's queries are."""
    return isinstance(sql, str) and _PREFIX in sql and _NAMED.search(sql) is not None
