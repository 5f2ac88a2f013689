"""`e2edebug sessions`: the newest workflows, by type, status, user, time and duration."""

import argparse
import shlex
from datetime import UTC, datetime
from typing import Any, Final

from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import ExitCode, UsageError
from e2edebug.cli.own_name import own_name
from e2edebug.cli.quantities import DURATION_FORM, SINCE_FORM, read_duration_ms, read_since
from e2edebug.cli.record_json import as_json, to_text
from e2edebug.cli.session_lines import session_table
from e2edebug.cli.store import settings_of, store_to_read
from e2edebug.cli.terminal import Line, Piece, Terminal, inert
from e2edebug_schema.queries.sessions import Session, SessionFilter, SessionKey, list_sessions
from e2edebug_schema.tables import SESSION_STATUSES

_MOST: Final = 1_000
_BEFORE_FORM: Final = "a place that an earlier list ended with, such as 2026-11-23T10:00:00.123456Z,42"


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "sessions", help="list the newest workflows", description="List the newest workflows that match every filter."
    )
    add_database_option(parser)
    parser.add_argument("--type", metavar="TYPE", help="workflow type, such as checkout")
    parser.add_argument("--status", metavar="STATUS", help=", ".join(SESSION_STATUSES))
    parser.add_argument("--user", metavar="USER", help="id or name of the user")
    parser.add_argument("--since", metavar="TIME", help="30m, 2h, 7d, or 2026-11-23T10:00 (local time unless it has Z)")
    parser.add_argument("--slower-than", metavar="DURATION", help="500ms, 2s")
    parser.add_argument("--errors", action="store_true", help="only those in which an error happened")
    parser.add_argument("--limit", metavar="N", default="20", help="how many (default 20)")
    parser.add_argument("--before", metavar="PLACE", help="the next page: the place that the last one names")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the sessions."""
    now = datetime.now(UTC)
    filters, limit, before = _filters(arguments, now), _limit(arguments.limit), _place(arguments.before)
    with store_to_read(settings_of(arguments.database)) as store:
        # One more than asked for says whether there is a next page.
        found = list_sessions(store.engine, filters=filters, limit=limit + 1, before=before)
        described = store.choice.described_as
    sessions, has_more = found[:limit], len(found) > limit
    terminal = Terminal()
    if arguments.json:
        place = _written(sessions[-1].key) if has_more else None
        terminal.say(to_text({"sessions": [as_json(one) for one in sessions], "next": place}))
        return ExitCode.OK
    if not sessions:
        terminal.say(_nothing(arguments, described))
        return ExitCode.OK
    terminal.show(
        session_table(
            sessions, now=now, width=None if terminal.is_piped else terminal.width, is_unicode=terminal.is_unicode
        )
    )
    if not terminal.is_piped:
        terminal.show(_hints(arguments, sessions, has_more=has_more))
    return ExitCode.OK


def _filters(arguments: argparse.Namespace, now: datetime) -> SessionFilter:
    if arguments.status is not None and arguments.status not in SESSION_STATUSES:
        raise UsageError(f"--status {arguments.status!r} is not one of {', '.join(SESSION_STATUSES)}")
    since = slower_than_ms = None
    if arguments.since is not None:
        try:
            since = read_since(arguments.since, now=now)
        except (ValueError, OverflowError) as error:
            raise UsageError(f"--since {arguments.since!r} is not {SINCE_FORM}") from error
    if arguments.slower_than is not None:
        try:
            slower_than_ms = read_duration_ms(arguments.slower_than)
        except ValueError as error:
            raise UsageError(f"--slower-than {arguments.slower_than!r} is not {DURATION_FORM}") from error
    return SessionFilter(
        workflow_type=arguments.type,
        status=arguments.status,
        user=arguments.user,
        since=since,
        slower_than_ms=slower_than_ms,
        with_errors=arguments.errors,
    )


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= _MOST):
        raise UsageError(f"--limit {text!r} is not a whole number from 1 to {_MOST}")
    return int(text)


def _place(text: str | None) -> SessionKey | None:
    if text is None:
        return None
    time, _, row_id = text.partition(",")
    try:
        moment = datetime.fromisoformat(time)
        return SessionKey((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC), int(row_id))
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--before {text!r} is not {_BEFORE_FORM}") from error


def _written(key: SessionKey) -> str:
    return f"{key.start_time.isoformat().replace('+00:00', 'Z')},{key.id}"


def _nothing(arguments: argparse.Namespace, described: str) -> str:
    names = ("type", "status", "user", "since", "slower_than", "before")
    if arguments.errors or any(getattr(arguments, name) is not None for name in names):
        return "no session matches these filters"
    return f"no sessions yet in {inert(described)}"


def _hints(arguments: argparse.Namespace, sessions: list[Session], *, has_more: bool) -> list[Line]:
    lines: list[Line] = [[], [Piece(f"one of them: {own_name()} show <id>", "quiet")]]
    if has_more:
        options = []
        for name in ("type", "status", "user", "since", "slower_than", "limit"):
            value = getattr(arguments, name)
            if value is not None and (name, value) != ("limit", "20"):
                options.append(f"--{name.replace('_', '-')} {shlex.quote(inert(value))} ")
        if arguments.errors:
            options.append("--errors ")
        # Not --database: it may hold a password.
        command = f"{own_name()} sessions {''.join(options)}--before {_written(sessions[-1].key)}"
        lines.append([Piece(f"older ones: {command}", "quiet")])
    return lines
