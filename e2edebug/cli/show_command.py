"""`e2edebug show`: one workflow as a tree of what happened, when, how long, and what went wrong."""

import argparse
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Engine

from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import CommandError, ExitCode
from e2edebug.cli.quantities import counted
from e2edebug.cli.record_json import as_json, to_text
from e2edebug.cli.session_lines import session_heading
from e2edebug.cli.step_tree import build_tree, fold, prune, walk
from e2edebug.cli.store import settings_of, store_to_read
from e2edebug.cli.terminal import Line, Piece, Terminal, inert
from e2edebug.cli.tree_lines import TreeView, error_lines, stack_lines, tree_lines
from e2edebug_schema.queries.errors import Error, errors_of
from e2edebug_schema.queries.sessions import Session, find_session
from e2edebug_schema.queries.steps import MOST_STEPS, Step, steps_of

MOST_NODES: Final = 200
"""What one looks through on a terminal; --all shows everything."""

_HEXADECIMAL = re.compile(r"[0-9a-f]{8,32}")
_UUID_PARTS: Final = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "show",
        help="show one workflow as a tree",
        description="Show one workflow as a tree. Equal steps side by side are folded, and of very many steps those "
        "that failed and those that took longest are shown.",
    )
    add_database_option(parser)
    parser.add_argument("id", help="correlation id or trace id; its beginning is enough where no other has it")
    parser.add_argument("--all", action="store_true", help="every step, nothing folded")
    parser.add_argument("--sql", action="store_true", help="whole statements")
    parser.add_argument("--stack", action="store_true", help="the stack trace of every error, below the tree")
    parser.add_argument("--json", action="store_true", help="print JSON: the session, every step and every error")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the workflow. Raises CommandError (exit code 1) when no session has the id."""
    with store_to_read(settings_of(arguments.database)) as store:
        session = _session(store.engine, arguments.id)
        steps = steps_of(store.engine, session.correlation_id)
        errors = errors_of(store.engine, session.correlation_id)
    terminal = Terminal()
    if arguments.json:
        terminal.say(to_text(_as_json(session, steps, errors)))
        return ExitCode.OK
    view = TreeView(terminal.width, terminal.is_unicode, whole_statements=arguments.sql)
    terminal.show(session_heading(session, is_unicode=terminal.is_unicode))
    terminal.say()
    terminal.show(workflow_lines(session, steps, errors, view, everything=arguments.all))
    if arguments.stack:
        terminal.show(stack_lines(errors, view) if errors else [[], [Piece("no errors are stored", "quiet")]])
    elif any(error.stack_trace.strip() for error in errors):
        terminal.say()
        terminal.say(f"the stack traces: e2edebug show {inert(session.correlation_id)} --stack", "quiet")
    return ExitCode.OK


def workflow_lines(
    session: Session, steps: Sequence[Step], errors: Sequence[Error], view: TreeView, *, everything: bool = False
) -> Iterator[Line]:
    """Yield the tree of *steps* with *errors* in place, and what was left out of it."""
    if not steps:
        yield [Piece("no steps are stored: they were not sampled, have not arrived, or are past their time", "quiet")]
    roots, homeless = build_tree(steps, errors)
    if not everything:
        roots = prune(fold(roots), limit=MOST_NODES)
    yield from tree_lines(roots, view)
    if homeless:
        yield []
        yield [Piece("errors that belong to no stored step", "quiet")]
        yield from error_lines(homeless, view)
    shown = sum(len(node.steps) for node in walk(roots))
    if shown < len(steps):
        left_out = counted(len(steps) - shown, "step")
        yield []
        yield [Piece(f"{left_out} not shown; all of them: e2edebug show {session.correlation_id} --all", "quiet")]
    if len(steps) >= MOST_STEPS and session.step_count > len(steps):
        yield []
        yield [Piece(f"only the first {len(steps):,} of {session.step_count:,} steps were read", "quiet")]


def _session(engine: Engine, reference: str) -> Session:
    found = find_session(engine, reference)
    if found is None and (as_uuid := _uuid_beginning(reference)) is not None:
        found = find_session(engine, as_uuid)
    if found is None:
        raise CommandError(
            f"no session has the id {reference!r}, or several begin with it; "
            "give a whole correlation id or trace id, or at least its first 6 characters (e2edebug sessions lists them)"
        )
    return found


def _uuid_beginning(reference: str) -> str | None:
    """The beginning of a trace id in the form of a correlation id: most are the trace id, written as a UUID."""
    digits = reference.strip().lower()
    if _HEXADECIMAL.fullmatch(digits) is None:
        return None
    return "-".join(part for start, end in _UUID_PARTS if (part := digits[start:end]))


def _as_json(session: Session, steps: Sequence[Step], errors: Sequence[Error]) -> dict[str, Any]:
    roots, _ = build_tree(steps)
    return {
        "session": as_json(session),
        "steps": [as_json(node.first) | {"is_orphan": node.is_orphan} for node in walk(roots)],
        "errors": [as_json(error) for error in errors],
    }
