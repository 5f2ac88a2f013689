"""Bringing a database to the schema: once, again, by many at once, against locks and over strangers' tables."""

import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema import migrate as migrate_module
from e2edebug_schema import migration_lock
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import SchemaState, check, migrate, migration_sql, require_current, status
from e2edebug_schema.schema_state import VERSION_TABLE
from e2edebug_schema.store_errors import ForeignSchema, MigrationLocked, MigrationRefused, SchemaBehind
from e2edebug_schema.tables import metadata

REVISIONS = migrate_module._revisions()
HEAD = REVISIONS[-1]
NEXT = f"{int(HEAD) + 1:04}"


@pytest.fixture
def empty(empty_store_url: str) -> Iterator[sa.Engine]:
    """An engine on a database without a single table."""
    engine = create_store_engine(empty_store_url)
    yield engine
    engine.dispose()


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def tables_of(engine: sa.Engine) -> set[str]:
    with engine.connect() as connection:
        return set(sa.inspect(connection).get_table_names())


def indexes_of(engine: sa.Engine, table: str) -> dict[str | None, list[str | None]]:
    with engine.connect() as connection:
        return {index["name"]: index["column_names"] for index in sa.inspect(connection).get_indexes(table)}


def test_an_empty_database_gets_every_table(empty: sa.Engine) -> None:
    before = check(empty)

    applied = migrate(empty)

    assert (before, applied, check(empty)) == (SchemaState.ABSENT, REVISIONS, SchemaState.CURRENT)
    assert tables_of(empty) == {*metadata.tables, VERSION_TABLE}


def test_migrating_again_changes_nothing(empty: sa.Engine) -> None:
    migrate(empty)

    assert migrate(empty) == ()


def test_asking_for_the_state_changes_nothing(empty: sa.Engine) -> None:
    check(empty)

    assert tables_of(empty) == set()


@pytest.mark.parametrize("survivors", [0, 1, 5])
def test_a_migration_that_was_interrupted_is_finished_by_the_next(empty: sa.Engine, survivors: int) -> None:
    """MySQL commits at each DDL statement, so some tables are there and the version is not."""
    migrate(empty)
    victims = [table.name for table in metadata.sorted_tables[survivors:]]
    run(empty, f"DELETE FROM {VERSION_TABLE}", *(f"DROP TABLE {name}" for name in victims))
    interrupted = check(empty)

    applied = migrate(empty)

    assert (interrupted, applied, check(empty)) == (SchemaState.BEHIND, REVISIONS, SchemaState.CURRENT)


def test_tables_of_our_names_that_are_not_ours_are_left_alone(empty: sa.Engine) -> None:
    run(empty, "CREATE TABLE debugging_error_log (id INTEGER PRIMARY KEY, note VARCHAR(10))")

    with pytest.raises(ForeignSchema, match=r"debugging_error_log exist.*E2EDEBUG_DATABASE_URL"):
        migrate(empty)

    assert check(empty) is SchemaState.FOREIGN
    assert tables_of(empty) == {"debugging_error_log"}


def test_a_strange_table_beside_an_interrupted_migration_is_left_alone(empty: sa.Engine) -> None:
    migrate(empty)
    run(
        empty,
        f"DELETE FROM {VERSION_TABLE}",
        "DROP TABLE debugging_alert",
        "CREATE TABLE debugging_alert (id INTEGER PRIMARY KEY)",
    )

    with pytest.raises(ForeignSchema, match="debugging_alert lacks"):
        migrate(empty)


@pytest.mark.fault(39)
def test_a_column_that_was_dropped_by_hand_is_named(empty: sa.Engine) -> None:
    migrate(empty)
    run(empty, "ALTER TABLE debugging_error_log DROP COLUMN severity")

    with pytest.raises(ForeignSchema, match="debugging_error_log lacks severity"):
        require_current(empty)


@pytest.mark.parametrize(
    ("victims", "said"),
    [
        (["debugging_error_log"], "the table debugging_error_log is missing"),
        (["debugging_error_log", "debugging_alert"], "the tables debugging_alert, debugging_error_log are missing"),
    ],
)
def test_tables_that_were_dropped_by_hand_are_named_and_made_again(
    empty: sa.Engine, victims: list[str], said: str
) -> None:
    migrate(empty)
    run(
        empty,
        "INSERT INTO debugging_error_group (fingerprint, title, error_type, layer, component, first_seen, last_seen) "
        "VALUES ('kept', '', '', 'api', '', '2026-11-23 12:00:00', '2026-11-23 12:00:00')",
        *(f"DROP TABLE {name}" for name in victims),
    )
    found = status(empty)
    with pytest.raises(SchemaBehind, match=rf"{said}; run `e2edebug migrate`"):
        require_current(empty)

    migrate(empty)

    assert (found.state, found.revision, found.detail) == (SchemaState.BEHIND, HEAD, said)
    assert check(empty) is SchemaState.CURRENT
    with empty.connect() as connection:
        assert connection.exec_driver_sql("SELECT fingerprint FROM debugging_error_group").scalars().all() == ["kept"]


def test_a_dropped_table_beside_a_changed_one_is_left_to_a_person(empty: sa.Engine) -> None:
    migrate(empty)
    run(empty, "DROP TABLE debugging_alert", "ALTER TABLE debugging_error_log DROP COLUMN severity")

    with pytest.raises(ForeignSchema, match="debugging_error_log lacks severity; the table debugging_alert is missing"):
        migrate(empty)


def test_a_table_that_a_newer_version_should_have_is_not_made_by_this_one(empty: sa.Engine) -> None:
    migrate(empty)
    run(empty, f"UPDATE {VERSION_TABLE} SET version_num = '0999'", "DROP TABLE debugging_alert")

    with pytest.raises(ForeignSchema, match="the table debugging_alert is missing"):
        migrate(empty)


@pytest.mark.parametrize("begun", [False, True])
def test_the_index_of_repeats_is_replaced_also_where_that_was_interrupted(empty: sa.Engine, begun: bool) -> None:
    migrate(empty)
    table = "debugging_workflow_session"
    fresh = indexes_of(empty, table)
    drop = "DROP INDEX ix_session_repeat_start" + ("" if empty.dialect.name == "sqlite" else f" ON {table}")
    run(
        empty,
        f"UPDATE {VERSION_TABLE} SET version_num = '0007'",
        f"CREATE INDEX ix_session_repeats ON {table} (start_time, repeat_count, repeat_digest, workflow_type)",
        *([] if begun else [drop]),
    )

    assert migrate(empty)[0] == "0008"
    assert indexes_of(empty, table) == fresh


@pytest.mark.parametrize("revision", ["0000", "", "abc"])
def test_a_revision_that_never_existed_is_no_newer_one(empty: sa.Engine, revision: str) -> None:
    migrate(empty)
    run(empty, f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")

    with pytest.raises(ForeignSchema, match=f"it has revision '{revision}', which is none of e2edebug"):
        require_current(empty)


def test_a_store_that_a_newer_version_has_migrated_can_still_be_used(empty: sa.Engine) -> None:
    migrate(empty)
    run(
        empty,
        f"UPDATE {VERSION_TABLE} SET version_num = '0999'",
        "ALTER TABLE debugging_error_log ADD COLUMN a_later_one INTEGER",
    )

    require_current(empty)

    assert (check(empty), migrate(empty)) == (SchemaState.AHEAD, ())
    assert status(empty).revision == "0999"


def test_an_absent_store_is_answered_with_the_command_to_run(empty: sa.Engine) -> None:
    with pytest.raises(SchemaBehind, match="run `e2edebug migrate`"):
        require_current(empty)


_MIGRATE = """
import sys
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
sys.stdin.readline()
print(len(migrate(create_store_engine(sys.argv[1]))))
"""


@pytest.mark.fault(38)
def test_eight_processes_that_migrate_at_once_all_succeed_and_one_does_it(empty_store_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _MIGRATE, empty_store_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(8)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    outcomes = [process.communicate(timeout=240) for process in processes]

    assert sorted(out.strip() for out, _ in outcomes) == ["0"] * 7 + [str(len(REVISIONS))], [
        error for _, error in outcomes
    ]


def test_threads_of_one_process_may_migrate_different_stores_at_once(tmp_path: Any) -> None:
    engines = [create_store_engine(f"sqlite:///{tmp_path / str(number)}.sqlite3") for number in range(4)]

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(migrate, engines))

    assert outcomes == [REVISIONS] * 4
    for engine in engines:
        engine.dispose()


def test_a_locked_sqlite_file_is_reported_within_seconds(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2edebug_schema.sqlite_session.BUSY_TIMEOUT_S", 0.1)
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    holder, engine = create_store_engine(url), create_store_engine(url)

    with holder.begin(), pytest.raises(MigrationLocked, match=r"End that transaction.*`e2edebug migrate` again"):
        migrate(engine)
    holder.dispose()
    engine.dispose()


@pytest.mark.fault(37)
def test_an_open_transaction_on_a_table_stops_the_migration_within_seconds(mariadb_server: Any) -> None:
    """The server's own limit is a day, and every writer would queue behind the waiting ALTER."""
    url = mariadb_server.create_database()
    engine, reader = create_store_engine(url), create_store_engine(url)
    migrate(engine)
    run(engine, f"DELETE FROM {VERSION_TABLE}", "DROP TABLE debugging_error_log")
    run(engine, "ALTER TABLE debugging_trace_step REORGANIZE PARTITION "
        + ", ".join(_daily_partitions(engine)) + " INTO (PARTITION pmax VALUES LESS THAN (MAXVALUE))")  # fmt: skip

    with reader.connect() as reading:
        reading.exec_driver_sql("SELECT count(*) FROM debugging_trace_step")
        started = time.monotonic()
        with pytest.raises(MigrationLocked, match=r"1205.*SHOW FULL PROCESSLIST"):
            migrate(engine, lock_wait_s=1)
        took_s = time.monotonic() - started
    migrate(engine)

    assert took_s < 8
    assert check(engine) is SchemaState.CURRENT
    for each in (engine, reader):
        each.dispose()
    mariadb_server.drop_database(url)


def _daily_partitions(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT partition_name FROM information_schema.partitions WHERE table_schema = DATABASE() "
            "AND table_name = 'debugging_trace_step' ORDER BY partition_ordinal_position"
        )
        return list(found.scalars())


def test_a_process_that_never_finishes_its_migration_is_named(
    mariadb_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_lock, "TURN_WAIT_S", 0.1)
    url = mariadb_server.create_database()
    stuck, engine = create_store_engine(url), create_store_engine(url)

    with stuck.connect() as connection, migration_lock.hold_migration_lock(connection):
        number = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one()
        with pytest.raises(MigrationLocked, match=rf"connection {number} of the server"):
            migrate(engine)
    stuck.dispose()
    engine.dispose()
    mariadb_server.drop_database(url)


def test_a_user_who_may_not_create_tables_is_told_what_to_do(mariadb_server: Any) -> None:
    url = sa.make_url(mariadb_server.create_database())
    reader = f"reader_{secrets.token_hex(4)}"
    with mariadb_server.root() as root, root.cursor() as cursor:
        cursor.execute(f"CREATE USER {reader} IDENTIFIED BY 'reader'")
        cursor.execute(f"GRANT SELECT ON {url.database}.* TO {reader}")
    engine = create_store_engine(url.set(username=reader, password="reader"))

    try:
        with pytest.raises(MigrationRefused, match=r"CREATE command denied.*`e2edebug migrate --sql`"):
            migrate(engine)
    finally:
        engine.dispose()
        with mariadb_server.root() as root, root.cursor() as cursor:
            cursor.execute(f"DROP USER {reader}")
        mariadb_server.drop_database(str(url))


def test_a_read_only_sqlite_file_is_told_from_a_locked_one(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    sqlite3.Connection(path).close()
    engine = create_store_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    path.write_bytes(b"")

    with pytest.raises(MigrationRefused, match="readonly database"):
        migrate(engine)
    engine.dispose()


def test_a_store_that_lacks_a_revision_gets_just_that_one(
    empty: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    shutil.copytree(migrate_module.MIGRATIONS, tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / f"{NEXT}_a_later_one.py").write_text(LATER_REVISION)
    monkeypatch.setattr(migrate_module, "MIGRATIONS", tmp_path / "migrations")
    migrate_module._all_scripts.cache_clear()
    try:
        before = status(empty)
        applied = migrate(empty)
        after = status(empty)
    finally:
        migrate_module._all_scripts.cache_clear()

    assert (before.state, applied) == (SchemaState.BEHIND, (NEXT,))
    assert (after.state, after.revision) == (SchemaState.CURRENT, NEXT)


LATER_REVISION = f"""
'''A later one.'''
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{NEXT}", "{HEAD}"
def upgrade():
    op.add_column("debugging_alert", sa.Column("a_later_one", sa.Integer))
"""


def test_the_sessions_own_lock_limit_is_back_after_the_migration(mariadb_server: Any) -> None:
    url = mariadb_server.create_database()
    engine = create_store_engine(url)

    migrate(engine, lock_wait_s=1)

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT @@lock_wait_timeout").scalar_one() == 5
    engine.dispose()
    mariadb_server.drop_database(url)


def test_the_sql_for_a_dba_leaves_the_same_store_and_can_be_run_twice(empty: sa.Engine, dialect: str) -> None:
    statements = [part for part in migration_sql(dialect).split(";\n") if part.strip()]

    run(empty, *statements)
    # SQLite has no way to ask before ADD COLUMN; its client says `duplicate column name` and goes on.
    run(empty, *(one for one in statements if not (dialect == "sqlite" and "ADD COLUMN" in one)))

    assert check(empty) is SchemaState.CURRENT
    assert tables_of(empty) == {*metadata.tables, VERSION_TABLE}


def test_the_sql_for_a_dba_goes_through_the_servers_own_client(mariadb_server: Any) -> None:
    url = mariadb_server.create_database()
    parsed = sa.make_url(url)

    subprocess.run(
        [shutil.which("mariadb") or "mysql", "--no-defaults", f"-h{parsed.host}", f"-P{parsed.port}", f"-u{parsed.username}",
         f"-p{parsed.password}", str(parsed.database)],
        input=migration_sql("mysql"), text=True, check=True, capture_output=True,
    )  # fmt: skip

    engine = create_store_engine(url)
    assert check(engine) is SchemaState.CURRENT
    engine.dispose()
    mariadb_server.drop_database(url)


@pytest.mark.parametrize("dialect_name", ["mysql", "mariadb"])
def test_the_sql_for_servers_holds_nothing_that_cannot_be_run_again(dialect_name: str) -> None:
    statements = [part.split("\n\n")[-1].strip() for part in migration_sql(dialect_name).split(";\n")]

    again = ("CREATE TABLE IF NOT EXISTS ", "INSERT IGNORE ", "DELETE FROM ")
    # MySQL has neither CREATE INDEX IF NOT EXISTS nor DROP INDEX IF EXISTS: the server is asked, and what it is to run
    # follows from its answer.
    asked = "SET @e2edebug_ddl = (SELECT IF(COUNT(*) "
    again += (f"{asked}= 0, 'CREATE ", f"{asked}= 0, 'ALTER ", f"{asked}> 0, 'DROP ")
    again += ("PREPARE ", "EXECUTE ", "DEALLOCATE PREPARE ")
    assert [statement for statement in statements if statement and not statement.startswith(again)] == []


def test_revisions_form_one_line() -> None:
    scripts = migrate_module._all_scripts()

    assert [script.down_revision for script in scripts] == [None, *(script.revision for script in scripts[:-1])]
