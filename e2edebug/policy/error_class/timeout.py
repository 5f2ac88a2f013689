"""Something took longer than it was given."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "timeout"

_NUMBERS: Final = frozenset(
    {
        3024,  # ER_QUERY_TIMEOUT: max_execution_time (MySQL)
        1969,  # ER_STATEMENT_TIMEOUT: max_statement_time (MariaDB)
        1317,  # ER_QUERY_INTERRUPTED
    }
)
_NAMES: Final = (
    "TimeoutError", "Timeout", "timeout", "SoftTimeLimitExceeded", "TimeLimitExceeded", "JobTimeoutException",
    "QueryCanceled", "DeadlineExceeded", "PoolTimeout",
)  # fmt: skip
_POOLS: Final = ("sqlalchemy.exc.TimeoutError", "psycopg_pool.PoolTimeout")


def matches(raised: Raised) -> bool:
    """By name, as far as the application's own `PaymentTimeoutError`; a pool without connections is another matter."""
    if raised.is_named(*_POOLS):
        return False
    if raised.number is not None:
        return raised.number in _NUMBERS
    if raised.is_named(*_NAMES) or raised.short_name.endswith(("TimeoutError", "Timeout")):
        return True
    # urllib puts the reason into another type: <urlopen error timed out>
    return raised.is_named("URLError", "MaxRetryError", "ConnectionError") and "timed out" in raised.message


def suggestion(raised: Raised) -> str:
    """By what was slow."""
    if raised.number is not None or raised.is_named("QueryCanceled"):
        return (
            "The server broke off a statement that took too long: `EXPLAIN` it (it stands on the failed step), give its "
            "condition an index, or read less at once."
        )
    if raised.is_named("SoftTimeLimitExceeded", "TimeLimitExceeded", "JobTimeoutException"):
        return (
            "The task took longer than its time limit: look at its slowest step, cut the work into smaller tasks, or give "
            "this task a limit of its own."
        )
    if "connect" in f"{raised.short_name} {raised.message}".lower() and not raised.is_named("ReadTimeout"):
        return (
            "No connection came about in time, so the request was not sent and may be repeated safely: check host, port, "
            "DNS and firewall; a short connect timeout of its own (2-3 s) tells this from a slow answer."
        )
    return (
        "The answer did not come within the limit, and whether the other side acted is not known: repeat only what is "
        "safe to do twice (idempotency key), keep the limit below that of whoever waits for you, and call it outside of a "
        "transaction or in a task."
    )
