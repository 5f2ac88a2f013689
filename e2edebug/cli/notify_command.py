"""`e2edebug notify`: the routes, a test of each, messages, and maintenance windows."""

import argparse
import getpass
from datetime import UTC, datetime, timedelta
from typing import Any

from e2edebug.alerts.actions import plan_maintenance
from e2edebug.alerts.channels.addresses import AddressPolicy
from e2edebug.alerts.channels.channel import DeliveryError, OutgoingMessage
from e2edebug.alerts.channels.opening import open_channel
from e2edebug.alerts.evaluation import stored_routes
from e2edebug.alerts.message import write_test
from e2edebug.alerts.routes import Route
from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import CommandError, ExitCode, UsageError
from e2edebug.cli.quantities import DURATION_FORM, local_time, read_duration_ms
from e2edebug.cli.record_json import as_json, to_text
from e2edebug.cli.store import settings_of, store_to_change, store_to_read
from e2edebug.cli.terminal import Line, Piece, Terminal, inert
from e2edebug_schema.migrate import require_current
from e2edebug_schema.queries.alerts import maintenance_windows, notifications


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "notify",
        help="test routes, list messages, plan maintenance",
        description="Who is told of alerts. Routes are rows of debugging_configuration (docs/alerts.md), and the addresses "
        "of E2EDEBUG_NOTIFY_URLS.",
    )
    add_database_option(parser)
    doing = parser.add_subparsers(title="subcommands", metavar="<subcommand>", dest="subcommand", required=True)
    test = doing.add_parser("test", help="send a test message on every route, or on one")
    test.add_argument("route", nargs="?", metavar="ROUTE")
    test.set_defaults(run=run_test)
    routes = doing.add_parser("routes", help="list the routes")
    routes.set_defaults(run=run_routes)
    log = doing.add_parser("log", help="list the newest messages and what became of them")
    log.add_argument("--json", action="store_true", help="print JSON")
    log.set_defaults(run=run_log)
    quiet = doing.add_parser("maintenance", help="send no messages for a while, or list such times")
    quiet.add_argument("--for", metavar="DURATION", dest="duration", help="so long from now: 2h")
    quiet.add_argument("--layer", default="", metavar="LAYER")
    quiet.add_argument("--component", default="", metavar="NAME")
    quiet.add_argument("--reason", default="", metavar="TEXT")
    quiet.set_defaults(run=run_maintenance)


def run_test(arguments: argparse.Namespace) -> ExitCode:
    """Send test messages, and say of each route whether it took its own."""
    config = settings_of(arguments.database, of_project=True)
    with store_to_read(config) as store:
        found = stored_routes(store.engine, config)
    routes = found.usable
    chosen = [one for one in routes if arguments.route in (None, one.name)]
    if not chosen and not (found.problems and arguments.route is None):
        names = ", ".join(one.name for one in routes)
        raise CommandError(
            f"there is no route {arguments.route!r}; there is {names}" if routes else
            "there is no route: set E2EDEBUG_NOTIFY_URLS, or store one (docs/alerts.md)"
        )  # fmt: skip
    terminal, policy, failed = Terminal(), AddressPolicy(config.notify_allowed_networks), len(found.problems)
    terminal.show([Piece(f"left out: {inert(problem)}", "failed")] for problem in found.problems)
    for route in chosen:
        written = write_test(route.name, now=datetime.now(UTC))
        message = OutgoingMessage(
            notification_id=0, subject=written.subject, text=written.text, level=None, payload=written.payload
        )
        try:
            open_channel(route, policy).send(message)
        except DeliveryError as error:
            failed += 1
            terminal.show(
                [[Piece(f"{inert(route.name)}: ", "title"), Piece(f"not sent: {inert(str(error))}", "failed")]]
            )
        else:
            terminal.show([[Piece(f"{inert(route.name)}: ", "title"), Piece("sent", "completed")]])
    return ExitCode.FOUND_PROBLEM if failed else ExitCode.OK


def run_routes(arguments: argparse.Namespace) -> ExitCode:
    """List the routes, without the secrets in their addresses."""
    config = settings_of(arguments.database, of_project=True)
    with store_to_read(config) as store:
        found = stored_routes(store.engine, config)
    terminal = Terminal()
    terminal.show(_route_line(one) for one in found.usable)
    terminal.show([Piece(f"left out: {inert(problem)}", "failed")] for problem in found.problems)
    if not found.usable:
        terminal.say("nobody is told: set E2EDEBUG_NOTIFY_URLS, or store a route (docs/alerts.md)")
    return ExitCode.OK


def run_log(arguments: argparse.Namespace) -> ExitCode:
    """List the newest messages."""
    with store_to_read(settings_of(arguments.database)) as store:
        found = notifications(store.engine)
    terminal = Terminal()
    if arguments.json:
        terminal.say(to_text({"messages": [as_json(one) for one in found]}))
        return ExitCode.OK
    for one in found:
        style = {"sent": "completed", "failed": "failed", "unconfirmed": "timeout"}.get(one.status, "")
        trouble = f" ({inert(one.last_error)})" if one.last_error else ""
        terminal.show(
            [
                [
                    Piece(local_time(one.created_at) + "  ", "quiet"),
                    Piece(f"{one.status:<11}  ", style),
                    Piece(f"{inert(one.route)}: {inert(one.subject)}{trouble}"),
                ]
            ]
        )
    if not found:
        terminal.say("no message yet")
    return ExitCode.OK


def run_maintenance(arguments: argparse.Namespace) -> ExitCode:
    """Plan a maintenance window, or list those that are not over."""
    now = datetime.now(UTC)
    terminal = Terminal()
    if arguments.duration is None:
        with store_to_read(settings_of(arguments.database)) as store:
            windows = maintenance_windows(store.engine, ending_after=now)
        for one in windows:
            where = f"{one.layer or 'every layer'} {inert(one.component)}".strip()
            terminal.say(
                f"{local_time(one.starts_at)} to {local_time(one.ends_at)}  {where}  {inert(one.reason)}".rstrip()
            )
        if not windows:
            terminal.say("no maintenance is planned")
        return ExitCode.OK
    try:
        ends_at = now + timedelta(milliseconds=read_duration_ms(arguments.duration))
    except ValueError as error:
        raise UsageError(f"--for {arguments.duration!r} is not {DURATION_FORM}") from error
    with store_to_change(settings_of(arguments.database)) as store:
        require_current(store.engine)
        try:
            with store.engine.begin() as connection:
                plan_maintenance(
                    connection,
                    starts_at=now,
                    ends_at=ends_at,
                    layer=arguments.layer,
                    component=arguments.component,
                    reason=arguments.reason,
                    by=_login(),
                    now=now,
                )
        except ValueError as error:
            raise UsageError(str(error)) from error
    terminal.say(
        f"no messages about {arguments.layer or 'any layer'} {arguments.component}".rstrip()
        + f" until {local_time(ends_at)}"
    )
    return ExitCode.OK


def _route_line(one: Route) -> Line:
    what = [
        ", ".join(one.layers) or "every layer",
        ", ".join(one.components) or "every component",
        f"from {one.level} on",
    ]
    if one.quiet_hours is not None:
        what.append(f"quiet {one.quiet_hours.begin:%H:%M}-{one.quiet_hours.end:%H:%M} {one.quiet_hours.zone.key}")
    return [
        Piece(f"{inert(one.name)}  ", "title"),
        Piece(f"{inert(one.url.partition(':')[0])}:…  "),
        Piece(inert("; ".join(what)), "quiet"),
    ]


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "somebody"
