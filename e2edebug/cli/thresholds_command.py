"""`e2edebug thresholds`: lists them, brings them in and out as YAML, and says what they would have found."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from e2edebug.alerts.backtest import BackTest, back_test
from e2edebug.alerts.quantities import amount, length, metric_in_words
from e2edebug.alerts.threshold_file import (
    Difference,
    ThresholdFileError,
    differences,
    read_thresholds,
    store_thresholds,
    write_thresholds,
)
from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import CommandError, ExitCode, UsageError
from e2edebug.cli.quantities import DURATION_FORM, SINCE_FORM, local_time, read_duration_ms, read_since
from e2edebug.cli.record_json import as_json, to_text
from e2edebug.cli.store import settings_of, store_to_change, store_to_read
from e2edebug.cli.terminal import Line, Piece, Terminal, inert
from e2edebug_schema.migrate import require_current
from e2edebug_schema.queries.thresholds import thresholds
from e2edebug_schema.thresholds import Threshold


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "thresholds",
        help="list, import, export and back-test thresholds",
        description="List the thresholds that hold. With a subcommand: bring them in or out as YAML, or say what they would "
        "have found.",
    )
    add_database_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run_list)
    doing = parser.add_subparsers(title="subcommands", metavar="<subcommand>", dest="subcommand")
    bring_in = doing.add_parser("import", help="take thresholds from a YAML file, `-` for the standard input")
    bring_in.add_argument("file", metavar="FILE")
    bring_in.add_argument("--dry-run", action="store_true", help="only say what would change")
    bring_in.set_defaults(run=run_import)
    bring_out = doing.add_parser("export", help="print the thresholds that hold as YAML")
    bring_out.add_argument("--output", metavar="FILE", help="write to a file instead")
    bring_out.set_defaults(run=run_export)
    test = doing.add_parser("backtest", help="what would have fired in the stored past")
    test.add_argument("--since", metavar="TIME", default="7d", help="24h, 7d (the default)")
    test.add_argument("--file", metavar="FILE", help="the thresholds of this YAML file instead of those that hold")
    test.add_argument("--every", metavar="DURATION", default="1m", help="how often to look (default 1m)")
    test.add_argument("--json", action="store_true", help="print JSON")
    test.set_defaults(run=run_backtest)


def run_list(arguments: argparse.Namespace) -> ExitCode:
    """Print the thresholds that hold."""
    with store_to_read(settings_of(arguments.database)) as store:
        held = thresholds(store.engine)
    terminal = Terminal()
    if arguments.json:
        terminal.say(to_text({"thresholds": [as_json(one) for one in held]}))
        return ExitCode.OK
    for one in held:
        terminal.show([_line(one)])
    return ExitCode.OK


def run_import(arguments: argparse.Namespace) -> ExitCode:
    """Take thresholds from a file, or say what that would change."""
    wanted = _read(arguments.file)
    terminal = Terminal()
    with store_to_change(settings_of(arguments.database)) as store:
        require_current(store.engine)
        changed = differences(store.engine, wanted)
        terminal.show(line for one in changed for line in _difference_lines(one))
        if not changed:
            terminal.say("every threshold of the file holds already")
        elif arguments.dry_run:
            terminal.say(f"{len(changed)} would change; nothing was changed: this was a dry run")
        else:
            store_thresholds(store.engine, changed, now=datetime.now(UTC))
            terminal.say(f"{len(changed)} changed")
    return ExitCode.OK


def run_export(arguments: argparse.Namespace) -> ExitCode:
    """Print the thresholds as YAML."""
    with store_to_read(settings_of(arguments.database)) as store:
        text = _with_yaml(lambda: write_thresholds(thresholds(store.engine)))
    if arguments.output is None:
        sys.stdout.write(text)
        return ExitCode.OK
    try:
        Path(arguments.output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{arguments.output} cannot be written: {error.strerror}") from error
    return ExitCode.OK


def run_backtest(arguments: argparse.Namespace) -> ExitCode:
    """Say what would have fired."""
    now = datetime.now(UTC)
    try:
        since = read_since(arguments.since, now=now)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--since {arguments.since!r} is not {SINCE_FORM}") from error
    try:
        every_s = read_duration_ms(arguments.every) / 1000
    except ValueError as error:
        raise UsageError(f"--every {arguments.every!r} is not {DURATION_FORM}") from error
    if every_s < 1 or (now - since).total_seconds() / every_s > 100_000:
        raise UsageError(f"--every {arguments.every!r} would be too many looks at that time")
    wanted = None if arguments.file is None else _read(arguments.file)
    with store_to_read(settings_of(arguments.database)) as store:
        found = back_test(
            store.engine,
            thresholds(store.engine) if wanted is None else wanted,
            since=since,
            until=now,
            every_s=every_s,
        )
    terminal = Terminal()
    if arguments.json:
        terminal.say(to_text(_backtest_json(found)))
    else:
        terminal.show(_backtest_lines(found))
    return ExitCode.OK


def _read(name: str) -> list[Threshold]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        found: list[Threshold] = _with_yaml(lambda: read_thresholds(text))
    except ThresholdFileError as error:
        raise _FileError(f"{name} cannot be used; nothing was changed", error.problems) from error
    return found


class _FileError(CommandError):
    code = ExitCode.BAD_USAGE


def _with_yaml(work: Any) -> Any:
    try:
        return work()
    except ModuleNotFoundError as error:
        raise CommandError('YAML files need PyYAML: pip install "e2edebug[alerts]"') from error


def _line(one: Threshold) -> Line:
    name = f"{one.layer} {inert(one.component) or '*'}: {inert(metric_in_words(one.metric_name))}"
    sign = "below" if one.lower_is_worse else "above"
    limits = f"{sign} {amount(one.warning, one.metric_name)}, critical {amount(one.critical, one.metric_name)}"
    extra = [f"{one.aggregation} of {length(one.window_s)}", f"{one.recovery_margin_pct:g} % margin"]
    if one.pending_s:
        extra.append(f"pending {length(one.pending_s)}")
    if one.min_samples > 1:
        extra.append(f"from {one.min_samples} values")
    if one.no_data_s:
        extra.append(f"silence of {length(one.no_data_s)}")
    style = "" if one.enabled else "quiet"
    off = "" if one.enabled else "  off"
    return [
        Piece(f"{name:<40}  ", style or "title"),
        Piece(f"{limits}{off}  ", style),
        Piece(", ".join(extra), "quiet"),
    ]


def _difference_lines(one: Difference) -> list[Line]:
    sign = "+" if one.before is None else "~"
    lines: list[Line] = [[Piece(f"{sign} "), *_line(one.threshold)]]
    lines += [[Piece(f"    {name}: {before} -> {after}")] for name, (before, after) in one.changed.items()]
    return lines


def _backtest_lines(found: BackTest) -> list[Line]:
    alerts = found.alerts
    told = f"{len(alerts)} alerts" if len(alerts) != 1 else "1 alert"
    days = max((found.until - found.since).total_seconds() / 86_400, 1e-9)
    lines: list[Line] = [
        [
            Piece(
                f"{told} in {length(found.until - found.since)} ({len(alerts) / days:.1f} a day), {found.looks:,} looks",
                "title",
            )
        ]
    ]
    for one in alerts:
        ended = "still there" if one.resolved_at is None else f"for {length(one.resolved_at - one.started_at)}"
        flaps = ", flapping" if one.is_flapping else ""
        example = f"  e2edebug show {inert(one.correlation_id)}" if one.correlation_id else ""
        lines.append(
            [
                Piece(local_time(one.started_at) + "  ", "quiet"),
                Piece(f"{one.level:<8}  ", "failed" if one.level == "critical" else "timeout"),
                Piece(
                    f"{one.target.layer} {inert(one.target.component)}: {metric_in_words(one.target.metric_name)}, {ended}{flaps}"
                ),
                Piece(example, "quiet"),
            ]
        )
    return lines


def _backtest_json(found: BackTest) -> dict[str, Any]:
    return {
        "since": found.since,
        "until": found.until,
        "looks": found.looks,
        "alerts": [as_json(one) | {"target": one.target._asdict()} for one in found.alerts],
    }
