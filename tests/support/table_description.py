"""All that a database says of one of its tables, to be compared with what another one says."""

from typing import Any

import sqlalchemy as sa

SERVER_COLUMNS = """
    SELECT ordinal_position, column_name, column_type, is_nullable, column_default, extra,
           character_set_name, collation_name
    FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s ORDER BY ordinal_position
"""
SERVER_KEYS = """
    SELECT index_name, seq_in_index, column_name, non_unique, sub_part, index_type
    FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = %s
    ORDER BY index_name, seq_in_index
"""
SERVER_OPTIONS = """
    SELECT engine, row_format, table_collation, create_options
    FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s
"""


def described(engine: sa.Engine, table: str) -> dict[str, Any]:
    """Everything that the database says of *table*, its partitions apart."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Not the text of CREATE TABLE: ADD COLUMN puts a column behind the constraints, which means the same.
            columns = connection.exec_driver_sql(f"PRAGMA table_info({table})")
            indexes = connection.exec_driver_sql(
                'SELECT il.name, il."unique", il.origin, ii.seqno, ii.name FROM pragma_index_list(?) AS il, '
                "pragma_index_info(il.name) AS ii ORDER BY il.name, ii.seqno",
                (table,),
            )
            return {"columns": [tuple(row) for row in columns], "keys": [tuple(row) for row in indexes]}
        queries = {"columns": SERVER_COLUMNS, "keys": SERVER_KEYS, "options": SERVER_OPTIONS}
        return {
            name: [tuple(row) for row in connection.exec_driver_sql(query, (table,))] for name, query in queries.items()
        }
