"""Values quoted by hand arrive as they were."""

import pytest
import sqlalchemy as sa

from e2edebug_schema import bulk_rows
from e2edebug_schema.bulk_rows import BulkRows
from e2edebug_schema.tables import configuration

AWKWARD = [
    "it's", 'a "b"', "back\\slash", "\\'", "100 % of %s and %(x)s", "a\nb\r\tc", "\x00nul", "\x1a", "é 漢字 🙂", "", "%", "'; --",
    "x" * 5000 + "'", "a statement that is long enough to be remembered 'for' the next \\ row",
]  # fmt: skip


def stored(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(configuration.c.config_data).order_by(configuration.c.id)).scalars())


def row(name: str, data: str | None) -> tuple[object, ...]:
    return name, "t", 1, data, "2026-11-25 00:00:00.000000", "2026-11-25 00:00:00.000000"


FIELDS = ("name", "config_type", "enabled", "config_data", "created_at", "updated_at")


def test_every_text_arrives_as_it_was(engine: sa.Engine) -> None:
    bulk = BulkRows()
    rows = [row(f"{number}", text) for number, text in enumerate(AWKWARD * 2)]

    with engine.begin() as connection:
        bulk.prepare(engine.dialect, configuration, FIELDS, rows).send(connection)

    assert stored(engine) == AWKWARD * 2


def test_numbers_and_nothing_arrive_as_they_were(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        BulkRows().prepare(engine.dialect, configuration, FIELDS, [row("a", None)]).send(connection)
        BulkRows().prepare(engine.dialect, configuration, FIELDS, []).send(connection)

    assert stored(engine) == [None]


def test_rows_that_do_not_fit_one_statement_go_in_several(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_rows, "STATEMENT_BYTES", 300)

    with engine.begin() as connection:
        BulkRows().prepare(
            engine.dialect, configuration, FIELDS, [row(f"{number}", "x" * 100) for number in range(7)]
        ).send(connection)

    assert len(stored(engine)) == 7
