"""Our own statements are known by the tables they name."""

import pytest

from e2edebug.policy.own_statements import OWN_TABLES, is_own_statement
from e2edebug_schema.tables import metadata


def test_every_table_of_the_store_is_known() -> None:
    assert sorted(f"debugging_{name}" for name in OWN_TABLES) == sorted(metadata.tables)


@pytest.mark.parametrize(
    ("sql", "is_own"),
    [
        ("SELECT COUNT(*) FROM `debugging_trace_step`", True),
        ('UPDATE "debugging_error_log" SET resolved = 1', True),
        ("SELECT * FROM debugging_sessions_of_somebody_else", False),
        ("SELECT * FROM shop_product", False),
        (b"SELECT 1", False),
    ],
)
def test_a_statement_is_own_by_its_tables(sql: object, is_own: bool) -> None:
    assert is_own_statement(sql) is is_own
