"""`e2edebug prune`: clears out what is older than the settings keep, or says what that would be."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import CommandError, ExitCode
from e2edebug.cli.store import settings_of, store_to_change
from e2edebug.cli.terminal import Line, Piece, Terminal, inert
from e2edebug.runtime.retention import READ_TIMEOUT_S, run_retention, stored_policy
from e2edebug_schema.migrate import require_current
from e2edebug_schema.partition_conversion import plan_conversions
from e2edebug_schema.queries.leases import lease_row
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.retention.apply import LEASE, Outcome, Step, plan_retention
from e2edebug_schema.retention.policy import AGED_TABLES, RetentionPolicy
from e2edebug_schema.retention.store_size import used_bytes


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "prune",
        help="clear out old rows",
        description="Clear out what is older than E2EDEBUG_RETENTION_* keeps, merge old metrics into hours, and make "
        "the partitions of the coming days. For cron: once a day is enough. It may be run at any time, and interrupted.",
    )
    add_database_option(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would go; nothing is changed")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Prune, or say what that would do."""
    config = settings_of(arguments.database, of_project=True)
    terminal = Terminal()
    with store_to_change(replace(config, read_timeout_s=max(config.read_timeout_s, READ_TIMEOUT_S))) as store:
        require_current(store.engine)
        if arguments.dry_run:
            policy = stored_policy(store.engine, config)
            steps = plan_retention(store.engine, policy)
            with reading(store.engine) as connection:
                size = used_bytes(connection)
            if arguments.json:
                _print_json(terminal, steps, size_bytes=size, is_complete=True, dry_run=True)
            else:
                terminal.show(_policy_lines(policy, size))
                terminal.show(_step_line(step, planned=True) for step in steps)
                terminal.say("nothing is old enough" if not steps else "nothing was changed: this was a dry run")
            return ExitCode.OK

        def report(step: Step) -> None:
            terminal.show([_step_line(step)])

        outcome = run_retention(store.engine, config, report=(lambda _step: None) if arguments.json else report)
        if outcome is None:
            row = lease_row(store.engine, LEASE)
            holder = inert(row.holder) if row else "another process"
            raise CommandError(f"{holder} is clearing out at this moment; there is nothing to do here")
        unpartitioned = [conversion.table.name for conversion in plan_conversions(store.engine)]
    if arguments.json:
        _print_json(
            terminal, outcome.steps, size_bytes=outcome.size_bytes, is_complete=outcome.is_complete, dry_run=False
        )
    else:
        terminal.show(_end_lines(outcome, unpartitioned))
    return ExitCode.OK if outcome.is_complete and not outcome.held_tables else ExitCode.FOUND_PROBLEM


def _policy_lines(policy: RetentionPolicy, size_bytes: int) -> list[Line]:
    limit = f"at most {_size(policy.max_bytes)}" if policy.max_bytes else "no limit"
    lines = [[Piece(f"the store takes {_size(size_bytes)} ({limit})", "title")]]
    for aged in AGED_TABLES:
        days = policy.days.get(aged.name, 0)
        kept = f"{days:g} days" if days else "for ever"
        lines.append([Piece(f"  {_short(aged.name):<22}"), Piece(f"kept {kept}", "quiet")])
    return lines


def _step_line(step: Step, *, planned: bool = False) -> Line:
    table = f"{_short(step.table):<22}"
    many = "" if step.rows < 0 else f"{step.rows:,} rows" if step.kind != "drop" else f"about {step.rows:,} rows"
    verb = {
        "drop": ("would drop", "dropped"),
        "delete": ("would delete", "deleted"),
        "merge": ("would merge", "merged"),
    }[step.kind][not planned]
    if step.kind == "drop":
        what = f"{verb} {step.partition}, {many}, {_size(step.size_bytes)}"
    elif step.kind == "merge":
        what = f"{verb} {many} before {step.before:%Y-%m-%d %H:%M} UTC into hours"
    else:
        what = f"{verb} {many + ' ' if many else ''}before {step.before:%Y-%m-%d %H:%M} UTC"
    why = [Piece("  the store is too large", "timeout")] if step.is_for_size else []
    return [Piece("  "), Piece(table), Piece(what), *why]


def _end_lines(outcome: Outcome, unpartitioned: Sequence[str]) -> list[Line]:
    lines: list[Line] = [
        [
            Piece(
                f"done: {len(outcome.steps)} step{'s' if len(outcome.steps) != 1 else ''}, "
                if outcome.steps
                else "nothing was old enough; ",
                "completed",
            ),
            Piece(f"the store takes {_size(outcome.size_bytes)}"),
        ]
    ]
    if not outcome.is_complete:
        lines.append([Piece("another process has taken over, and goes on with it", "timeout")])
    for held in outcome.held_tables:
        lines.append(
            [
                Piece(
                    f"{held}: a transaction holds the table; the next run tries again (SHOW FULL PROCESSLIST names it)",
                    "failed",
                )
            ]
        )
    if outcome.is_over_size:
        lines.append([Piece("it is still larger than it may be: today's rows are never cleared out", "failed")])
    if unpartitioned:
        lines.append(
            [Piece(f"not partitioned: {', '.join(unpartitioned)}; `e2edebug partition --dry-run` says more", "timeout")]
        )
    return lines


def _print_json(terminal: Terminal, steps: Sequence[Step], **facts: object) -> None:
    shown = [asdict(step) | {"before": step.before.isoformat()} for step in steps]
    terminal.say(json.dumps({**facts, "steps": shown}, indent=2))


def _short(table: str) -> str:
    return table.removeprefix("debugging_").replace("_", " ")


def _size(size_bytes: int) -> str:
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes / 1024:.0f} kB"
