"""`e2edebug prune` and `e2edebug partition`: what they say, what they change, and their exit codes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from cli.command import CommandLine

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.lease import acquire_lease, holder_name
from e2edebug_schema.migrate import migrate
from e2edebug_schema.partitions import ensure_daily_partitions
from e2edebug_schema.tables import configuration, trace_step, workflow_session


@pytest.fixture
def aged(empty_store_url: str) -> Iterator[sa.Engine]:
    """A store with a step and a session on each of 40 days."""
    engine = create_store_engine(empty_store_url)
    migrate(engine)
    ensure_daily_partitions(engine, since=datetime.now(UTC).date() - timedelta(days=40))
    with engine.begin() as connection:
        for day in range(40):
            start = datetime.now(UTC) - timedelta(days=day)
            connection.execute(
                trace_step.insert(),
                {"correlation_id": f"day-{day}", "trace_id": "1" * 32, "span_id": f"{day:016}", "layer": "api",
                 "start_time": start, "status": "completed", "metadata": "{}"},
            )  # fmt: skip
            connection.execute(workflow_session.insert(), {"correlation_id": f"day-{day}", "start_time": start})
    yield engine
    engine.dispose()


def kept(engine: sa.Engine) -> tuple[int, int]:
    """How many steps and sessions there are."""
    with engine.connect() as connection:
        steps, sessions = (
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (trace_step, workflow_session)
        )
    return steps, sessions


def test_a_dry_run_says_what_would_go_and_changes_nothing(
    aged: sa.Engine, empty_store_url: str, e2edebug: CommandLine
) -> None:
    outcome = e2edebug("prune", "--dry-run", "--database", empty_store_url)

    assert (outcome.code, kept(aged)) == (0, (40, 40))
    assert "trace step            kept 14 days" in outcome.out
    assert "notification          kept 180 days" in outcome.out
    assert "workflow session      would delete 10 rows before " in outcome.out
    assert outcome.out.endswith("nothing was changed: this was a dry run\n")


def test_it_does_what_the_settings_say(
    aged: sa.Engine, empty_store_url: str, e2edebug: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EDEBUG_RETENTION_STEP_DAYS", "5")
    monkeypatch.setenv("E2EDEBUG_RETENTION_SESSION_DAYS", "20")

    outcome = e2edebug("prune", "--database", empty_store_url)

    steps, sessions = kept(aged)
    assert (outcome.code, sessions) == (0, 20)
    assert steps in (5, 6)  # a partition goes when its whole day is old
    assert "done: " in outcome.out
    assert "trace step            d" in outcome.out


def test_a_row_of_the_configuration_overrides_the_settings(
    aged: sa.Engine, empty_store_url: str, e2edebug: CommandLine
) -> None:
    now = datetime.now(UTC)
    with aged.begin() as connection:
        connection.execute(
            configuration.insert(),
            {"name": "retention", "config_type": "retention", "created_at": now, "updated_at": now,
             "config_data": json.dumps({"session_days": 3})},
        )  # fmt: skip

    e2edebug("prune", "--database", empty_store_url)

    steps, sessions = kept(aged)
    assert sessions == 3
    assert steps in (14, 15)  # what the row leaves out is the setting's


def test_a_second_prune_finds_nothing(aged: sa.Engine, empty_store_url: str, e2edebug: CommandLine) -> None:
    e2edebug("prune", "--database", empty_store_url)

    outcome = e2edebug("prune", "--database", empty_store_url)

    assert outcome.out.startswith("nothing was old enough; the store takes ")


def test_it_is_there_as_json(aged: sa.Engine, empty_store_url: str, e2edebug: CommandLine) -> None:
    planned = json.loads(e2edebug("prune", "--dry-run", "--json", "--database", empty_store_url).out)
    done = json.loads(e2edebug("prune", "--json", "--database", empty_store_url).out)

    assert (planned["dry_run"], done["dry_run"], done["is_complete"]) == (True, False, True)
    assert [step["table"] for step in planned["steps"]] == [step["table"] for step in done["steps"]]


def test_while_another_process_is_at_it_this_one_says_who(
    aged: sa.Engine, empty_store_url: str, e2edebug: CommandLine
) -> None:
    holder = holder_name()
    acquire_lease(aged, "retention", holder=holder)

    outcome = e2edebug("prune", "--database", empty_store_url)

    assert (outcome.code, kept(aged)) == (1, (40, 40))
    assert holder in outcome.err


def test_a_store_without_tables_is_left_alone(empty_store_url: str, e2edebug: CommandLine) -> None:
    outcome = e2edebug("prune", "--database", empty_store_url)

    assert outcome.code == 3
    assert "run `e2edebug migrate`" in outcome.err


def test_a_table_in_one_piece_is_named_and_cut_by_one_command(
    aged: sa.Engine, empty_store_url: str, e2edebug: CommandLine, dialect: str
) -> None:
    option = ("--database", empty_store_url)
    if dialect == "sqlite":
        assert "SQLite has no partitions" in e2edebug("partition", *option).out
        return
    with aged.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE debugging_trace_step REMOVE PARTITIONING")

    pruned = e2edebug("prune", *option)
    dry = e2edebug("partition", "--dry-run", *option)
    done = e2edebug("partition", *option)
    again = e2edebug("partition", *option)

    assert "not partitioned: debugging_trace_step; `e2edebug partition --dry-run` says more" in pruned.out
    assert "ALTER TABLE debugging_trace_step PARTITION BY RANGE COLUMNS" in dry.out
    assert "debugging_trace_step is cut into " in done.out
    assert again.out.startswith("nothing to do: ")
    assert kept(aged) == (14, 30)


def test_a_terminal_is_shown_nothing_that_it_would_obey(aged: Any, empty_store_url: str, e2edebug: CommandLine) -> None:
    acquire_lease(aged, "retention", holder="\x1b[31mevil")

    assert "\x1b" not in e2edebug("prune", "--database", empty_store_url).err
