"""Who holds which lease, for people: taking one is lease.py's."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from e2edebug_schema.queries.reading import Source, columns_of, reading, to_record
from e2edebug_schema.tables import lease


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """The row of debugging_lease."""

    name: str
    holder: str
    """`host:pid:random`; '' when it was given back."""
    fence: int
    acquired_at: datetime
    renewed_at: datetime
    expires_at: datetime


def lease_row(source: Source, name: str) -> LeaseRow | None:
    """Return the row of the lease, which may have run out; None when nobody ever held it."""
    query = select(*columns_of(lease, LeaseRow)).where(lease.c.name == name)
    with reading(source) as connection:
        row = connection.execute(query).first()
    return None if row is None else to_record(LeaseRow, row)
