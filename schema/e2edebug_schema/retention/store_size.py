"""How much room the store takes."""

from datetime import datetime

from sqlalchemy import Connection, func, select, text

from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.retention.old_days import want_fresh_sizes
from e2edebug_schema.retention.policy import AgedTable

_SERVER_SIZE = text(
    "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_name LIKE 'debugging\\_%'"
)


def used_bytes(connection: Connection) -> int:
    """Return what the tables and their indexes take; on SQLite without the pages that are free to be used again."""
    if connection.dialect.name in SERVER_DIALECTS:
        want_fresh_sizes(connection)
        return int(connection.execute(_SERVER_SIZE).scalar_one())
    pages, free, page_size = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_size


def oldest_time(connection: Connection, aged: AgedTable) -> datetime | None:
    """Return the time of the oldest row."""
    found = connection.execute(select(func.min(aged.time))).scalar()
    assert found is None or isinstance(found, datetime)
    return found
