"""`e2edebug alert <id>`: one alert with its history; acknowledges it, or snoozes it until a time."""

import argparse
import getpass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from e2edebug.alerts.actions import AlertIsOverError, NoSuchAlertError, acknowledge, snooze
from e2edebug.cli.alert_lines import alert_page
from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import CommandError, ExitCode, UsageError
from e2edebug.cli.quantities import DURATION_FORM, read_duration_ms
from e2edebug.cli.record_json import as_json, to_text
from e2edebug.cli.store import settings_of, store_to_change, store_to_read
from e2edebug.cli.terminal import Terminal
from e2edebug_schema.migrate import require_current
from e2edebug_schema.queries.alerts import events_of, find_alert, notifications


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "alert",
        help="show one alert; acknowledge or snooze it",
        description="Show an alert with its evidence, its history and the messages about it.",
    )
    parser.add_argument("id", type=int, metavar="ID")
    add_database_option(parser)
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--acknowledge", action="store_true", help="you take care of it: no more reminders")
    doing.add_argument("--snooze", metavar="DURATION", help="no messages for so long: 30m, 2h")
    doing.add_argument("--unsnooze", action="store_true", help="messages again")
    parser.add_argument("--note", metavar="TEXT", default="", help="why")
    parser.add_argument("--as", metavar="NAME", dest="actor", help="who you are (default: your login)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Show the alert, after what is to be done about it."""
    now = datetime.now(UTC)
    is_change = arguments.acknowledge or arguments.snooze is not None or arguments.unsnooze
    opened = store_to_change if is_change else store_to_read
    with opened(settings_of(arguments.database)) as store:
        if is_change:
            require_current(store.engine)
            with store.engine.begin() as connection:
                _do(connection, arguments, now)
        found = find_alert(store.engine, arguments.id)
        if found is None:
            raise CommandError(f"there is no alert {arguments.id}; `e2edebug alerts --all` lists them")
        events = events_of(store.engine, found.id)
        messages = notifications(store.engine, alert_id=found.id)
    terminal = Terminal()
    if arguments.json:
        terminal.say(
            to_text(
                as_json(found)
                | {"history": [as_json(one) for one in events], "messages": [as_json(one) for one in messages]}
            )
        )
    else:
        terminal.show(alert_page(found, events, messages, now=now))
    return ExitCode.OK


def _do(connection: Connection, arguments: argparse.Namespace, now: datetime) -> None:
    by = arguments.actor or _login()
    try:
        if arguments.acknowledge:
            acknowledge(connection, arguments.id, by=by, now=now, note=arguments.note)
        elif arguments.unsnooze:
            snooze(connection, arguments.id, until=None, by=by, now=now, note=arguments.note)
        else:
            until = now + timedelta(milliseconds=_duration_ms(arguments.snooze))
            snooze(connection, arguments.id, until=until, by=by, now=now, note=arguments.note)
    except NoSuchAlertError as error:
        raise CommandError(f"{error}; `e2edebug alerts --all` lists them") from error
    except AlertIsOverError as error:
        raise CommandError(str(error)) from error


def _duration_ms(text: str) -> float:
    try:
        milliseconds = read_duration_ms(text)
    except ValueError as error:
        raise UsageError(f"--snooze {text!r} is not {DURATION_FORM}") from error
    if milliseconds <= 0:
        raise UsageError(f"--snooze {text!r} is no time at all")
    return milliseconds


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "somebody"
