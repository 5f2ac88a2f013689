"""Which versions are at work, and since when: marks on every series."""

from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.dialects import mysql, sqlite

from e2edebug_schema.alert_tables import release
from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.queries.alert_evidence import releases_at_work


def note_releases(connection: Connection, *, since: datetime, now: datetime) -> None:
    """Keep when each version was first and last seen; *since*: the last time that this was done."""
    seen = releases_at_work(connection, since=since, until=now)
    rows = [
        {
            "service": one.service,
            "service_release": one.service_release,
            "first_seen": one.first_seen,
            "last_seen": one.last_seen,
        }
        for one in seen
    ]
    if not rows:
        return
    if connection.dialect.name in SERVER_DIALECTS:
        on_server = mysql.insert(release)
        connection.execute(on_server.on_duplicate_key_update(last_seen=on_server.inserted.last_seen), rows)
        return
    in_file = sqlite.insert(release)
    connection.execute(
        in_file.on_conflict_do_update(
            index_elements=["service", "service_release"], set_={"last_seen": in_file.excluded.last_seen}
        ),
        rows,
    )
