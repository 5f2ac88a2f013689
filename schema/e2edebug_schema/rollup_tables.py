"""The tables of roll-ups: hours of metrics, summed up over their minutes and processes, and which of them hold.

Copies of what the snapshots say, made to be read quickly; the snapshots stay. Declared apart from tables.py for its
length alone.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Double, Table, UniqueConstraint

from e2edebug_schema.column_types import code, long_text, name, row_id, utc_time
from e2edebug_schema.table_ddl import plain_table_options
from e2edebug_schema.table_metadata import metadata

rollup_hour: Final = Table(
    "debugging_rollup_hour",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("period_start", utc_time(), nullable=False),
    Column("claimed_at", utc_time(), nullable=False),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("summed_version", BigInteger),
    UniqueConstraint("period_start", name="uq_rollup_hour"),
    **plain_table_options(),
)

performance_rollup: Final = Table(
    "debugging_performance_rollup",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("period_start", utc_time(), nullable=False),
    Column("service", name(100), nullable=False, server_default=""),
    Column("layer", code(16), nullable=False),
    Column("component", name(150), nullable=False, server_default=""),
    Column("metric_name", name(100), nullable=False),
    Column("unit", name(16), nullable=False, server_default=""),
    Column("count", BigInteger, nullable=False, server_default="0"),
    Column("sum", Double()),
    Column("min", Double()),
    Column("max", Double()),
    Column("error_count", BigInteger, nullable=False, server_default="0"),
    Column("buckets", long_text()),
    Column("correlation_id", code(64)),
    # In the order in which it is read: one metric over some hours.
    UniqueConstraint("metric_name", "period_start", "layer", "component", "service", "unit", name="uq_rollup_series"),
    **plain_table_options(),
)

LATE_SNAPSHOTS: Final = "UPDATE debugging_rollup_hour SET version = version + 1 WHERE period_start IN ({})"
"""What puts the roll-ups of hours out of force; whoever stores snapshots executes it in the same transaction.

An hour that is not over has no row there, and the statement locks nothing that another writer would wait for.
"""
