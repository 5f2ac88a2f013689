"""`e2edebug evaluate`: judges the thresholds, once or again and again, and delivers the messages."""

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2edebug.alerts.quantities import amount, metric_in_words
from e2edebug.alerts.running import EvaluationRunner, TurnReport
from e2edebug.alerts.states import Transition
from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import ExitCode, UsageError
from e2edebug.cli.quantities import DURATION_FORM, read_duration_ms
from e2edebug.cli.record_json import to_text
from e2edebug.cli.store import settings_of, store_to_change
from e2edebug.cli.terminal import Line, Piece, Terminal, inert
from e2edebug_schema.migrate import require_current

_STYLES = {"critical": "failed", "warning": "timeout"}


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "evaluate",
        help="judge the thresholds",
        description="Judge the thresholds by the stored metrics, keep what changed, and deliver the messages. Any number "
        "of these may run: one at a time evaluates.",
    )
    add_database_option(parser)
    how_often = parser.add_mutually_exclusive_group()
    how_often.add_argument("--once", action="store_true", help="one time, for cron (the default)")
    how_often.add_argument("--every", metavar="DURATION", help="again and again: 30s, 1m")
    parser.add_argument("--json", action="store_true", help="print JSON, a document for each turn")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Evaluate."""
    every_s = _every_s(arguments.every)
    config = settings_of(arguments.database, of_project=True)
    terminal = Terminal()

    def report(done: TurnReport) -> None:
        if arguments.json:
            terminal.say(to_text(_as_json(done)))
        else:
            terminal.show(_lines(done, is_loop=every_s is not None))

    with store_to_change(config) as store:
        require_current(store.engine)
        runner = EvaluationRunner(store.engine, config, every_s=every_s or 60.0)
        try:
            if every_s is None:
                report(runner.run_once())
            else:
                with _stopped_by_signals() as stop:
                    runner.run_until(stop, report)
        finally:
            runner.release()
    return ExitCode.OK


def transition_line(one: Transition) -> Line:
    """Return a transition in one line."""
    value = "" if one.value is None else f" {amount(one.value, one.target.metric_name)}"
    limit = "" if one.limit_value is None else f" (limit {amount(one.limit_value, one.target.metric_name)})"
    where = inert(one.target.component) or "the whole layer"
    return [
        Piece(f"{one.at:%Y-%m-%d %H:%M:%S}Z  "),
        Piece(f"{one.kind:<12}", "" if one.kind in ("resolved", "cleared") else _STYLES.get(one.level or "", "")),
        Piece(
            f"  {one.level or '':<8}  {one.target.layer} {where}: {inert(metric_in_words(one.target.metric_name))}{value}{limit}"
        ),
    ]


def _every_s(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        every_s = read_duration_ms(text) / 1000
    except ValueError as error:
        raise UsageError(f"--every {text!r} is not {DURATION_FORM}") from error
    if every_s < 1:
        raise UsageError(f"--every {text!r} is less than a second")
    return every_s


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    stop = threading.Event()
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _lines(done: TurnReport, *, is_loop: bool) -> list[Line]:
    if done.turn is None:
        lines: list[Line] = [] if is_loop else [[Piece("another process evaluates these thresholds; nothing was done")]]
    else:
        lines = [transition_line(one) for one in done.turn.transitions]
        if not lines and not is_loop:
            lines = [[Piece("nothing has changed")]]
    if not is_loop:
        lines += [[Piece(f"left out: {inert(problem)}", "failed")] for problem in done.problems]
    delivery = done.delivery
    if delivery.sent or delivery.postponed or delivery.failed:
        parts = (
            ("sent", delivery.sent),
            ("to be tried again", delivery.postponed),
            ("failed for good", delivery.failed),
        )
        lines.append([Piece("messages: " + ", ".join(f"{number} {what}" for what, number in parts if number))])
    return lines


def _as_json(done: TurnReport) -> dict[str, Any]:
    turn = done.turn
    return {
        "evaluated": turn is not None,
        "transitions": []
        if turn is None
        else [
            {
                "at": one.at, "kind": one.kind, "level": one.level, "from": one.from_state, "to": one.to_state,
                **one.target._asdict(), "value": one.value, "limit": one.limit_value, "samples": one.samples,
                "correlation_id": one.correlation_id,
            }
            for one in turn.transitions
        ],
        "caught_up_from": None if turn is None else turn.caught_up_from,
        "messages": {"sent": done.delivery.sent, "postponed": done.delivery.postponed, "failed": done.delivery.failed},
    }  # fmt: skip
