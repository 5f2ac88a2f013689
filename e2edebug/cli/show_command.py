"""`e2edebug show`: one workflow as a tree of what happened, when, how long, and what went wrong."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import Any, Final

from e2edebug.cli.advice_lines import advice_lines
from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import CommandError, ExitCode
from e2edebug.cli.own_name import own_name
from e2edebug.cli.quantities import counted, local_time, zone_name
from e2edebug.cli.record_json import as_json, to_text
from e2edebug.cli.session_lines import STATUS_STYLES, session_heading
from e2edebug.cli.step_tree import build_tree, fold, prune, walk
from e2edebug.cli.store import settings_of, store_to_read
from e2edebug.cli.terminal import Line, Piece, Terminal, inert
from e2edebug.cli.tree_lines import TreeView, error_lines, stack_lines, tree_lines
from e2edebug.policy.error_class.registry import advice_on
from e2edebug_schema.queries.errors import Error, errors_of
from e2edebug_schema.queries.reading import Source, reading
from e2edebug_schema.queries.sessions import (
    SHORTEST_PREFIX,
    Session,
    find_session,
    sessions_of_steps,
    sessions_with_prefix,
    sessions_within,
)
from e2edebug_schema.queries.steps import MOST_STEPS, Step, steps_of

MOST_NODES: Final = 200
"""What one looks through on a terminal; --all shows everything."""
MOST_WITHIN: Final = 20
MOST_CANDIDATES: Final = 10
MOST_ORPHANS: Final = 1_000
MOST_TRACES: Final = 50

SpanKey = tuple[str, str]
"""Trace id and span id."""

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
    # One transaction: what is shown belongs together.
    with store_to_read(settings_of(arguments.database)) as store, reading(store.engine) as connection:
        session = _session(connection, arguments.id)
        steps = steps_of(connection, session.correlation_id, session=session)
        errors = errors_of(connection, session.correlation_id, session=session)
        within = sessions_within(connection, session, limit=MOST_WITHIN + 1)
        parents = _parents_elsewhere(connection, steps)
    terminal = Terminal()
    if arguments.json:
        terminal.say(to_text(_as_json(session, steps, errors, within)))
        return ExitCode.OK
    view = TreeView(terminal.width, terminal.is_unicode, whole_statements=arguments.sql)
    terminal.show(session_heading(session, is_unicode=terminal.is_unicode))
    terminal.say()
    terminal.show(workflow_lines(session, steps, errors, view, everything=arguments.all, parents=parents))
    terminal.show(_lines_within(within, view))
    terminal.show(advice_lines(errors, view))
    if arguments.stack:
        terminal.show(stack_lines(errors, view) if errors else [[], [Piece("no errors are stored", "quiet")]])
    elif any(error.stack_trace.strip() for error in errors):
        terminal.say()
        terminal.say(f"the stack traces: {own_name()} show {inert(session.correlation_id)} --stack", "quiet")
    return ExitCode.OK


def workflow_lines(
    session: Session,
    steps: Sequence[Step],
    errors: Sequence[Error],
    view: TreeView,
    *,
    everything: bool = False,
    parents: Mapping[SpanKey, Session] | None = None,
) -> Iterator[Line]:
    """Yield the tree of *steps* with *errors* in place, and what was left out of it.

    parents: the sessions of steps that are not among *steps*, and one of these was started by.
    """
    if not steps:
        yield [Piece("no steps are stored: they were not sampled, have not arrived, or are past their time", "quiet")]
    roots, homeless = build_tree(steps, errors)
    for root in roots:
        outer = (parents or {}).get((root.first.trace_id, root.first.parent_span_id or ""))
        if outer is not None and outer.correlation_id != session.correlation_id:
            root.inside = f"within {outer.workflow_type} {outer.correlation_id}"
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
        yield [Piece(f"{left_out} not shown; all of them: {own_name()} show {session.correlation_id} --all", "quiet")]
    if len(steps) >= MOST_STEPS and session.step_count > len(steps):
        yield []
        yield [Piece(f"only the first {len(steps):,} of {session.step_count:,} steps were read", "quiet")]


def _session(source: Source, reference: str) -> Session:
    found = find_session(source, reference)
    if found is None and (as_uuid := _uuid_beginning(reference)) is not None:
        found = find_session(source, as_uuid)
    if found is None:
        raise _nothing_found(source, reference)
    return found


def _nothing_found(source: Source, reference: str) -> CommandError:
    candidates = sessions_with_prefix(source, reference, limit=MOST_CANDIDATES + 1)
    if not candidates and (as_uuid := _uuid_beginning(reference)) is not None:
        candidates = sessions_with_prefix(source, as_uuid, limit=MOST_CANDIDATES + 1)
    if candidates:
        how_many = f"{len(candidates)}" if len(candidates) <= MOST_CANDIDATES else f"more than {MOST_CANDIDATES}"
        return CommandError(
            f"{how_many} sessions have an id that begins with {reference!r}; give more of it",
            [_candidate(one) for one in candidates[:MOST_CANDIDATES]],
        )
    if len(reference.strip()) < SHORTEST_PREFIX:
        return CommandError(
            f"no session has the id {reference!r}, and the beginning of one has at least {SHORTEST_PREFIX} characters; "
            f"`{own_name()} sessions` lists those that are stored"
        )
    return CommandError(f"no session has the id {reference!r}; `{own_name()} sessions` lists those that are stored")


def _candidate(session: Session) -> str:
    started = f"{local_time(session.start_time)} {zone_name(session.start_time)}"
    return f"{session.correlation_id}  {started}  {session.workflow_type}  {session.status}"


def _parents_elsewhere(source: Source, steps: Sequence[Step]) -> dict[SpanKey, Session]:
    """The sessions of the parents that are not among *steps*, by trace id and span id."""
    stored = {(step.trace_id, step.span_id) for step in steps}
    missing: dict[str, set[str]] = {}
    for step in islice((one for one in steps if _is_without_parent(one, stored)), MOST_ORPHANS):
        missing.setdefault(step.trace_id, set()).add(step.parent_span_id or "")
    return {
        (trace_id, span_id): session
        for trace_id, span_ids in islice(missing.items(), MOST_TRACES)
        for span_id, session in sessions_of_steps(source, trace_id, span_ids).items()
    }


def _is_without_parent(step: Step, stored: Set[SpanKey]) -> bool:
    return step.parent_span_id is not None and (step.trace_id, step.parent_span_id) not in stored


def _lines_within(sessions: Sequence[Session], view: TreeView) -> Iterator[Line]:
    """What was started within the workflow, and how to see it."""
    if sessions:
        yield []
    for one in sessions[:MOST_WITHIN]:
        yield [
            Piece("started within it: ", "quiet"),
            Piece(inert(one.workflow_type), "title"),
            Piece(" "),
            Piece(one.status, STATUS_STYLES.get(one.status, "")),
            Piece(f" {view.glyphs.duration(one.duration_ms)}"),
            Piece(f"  {own_name()} show {inert(one.correlation_id)}", "quiet"),
        ]
    if len(sessions) > MOST_WITHIN:
        yield [Piece(f"and more than these {MOST_WITHIN}; see `{own_name()} sessions`", "quiet")]


def _uuid_beginning(reference: str) -> str | None:
    """The beginning of a trace id in the form of a correlation id: most are the trace id, written as a UUID."""
    digits = reference.strip().lower()
    if _HEXADECIMAL.fullmatch(digits) is None:
        return None
    return "-".join(part for start, end in _UUID_PARTS if (part := digits[start:end]))


def _as_json(
    session: Session, steps: Sequence[Step], errors: Sequence[Error], within: Sequence[Session]
) -> dict[str, Any]:
    roots, _ = build_tree(steps)
    return {
        "session": as_json(session),
        "steps": [as_json(node.first) | {"is_orphan": node.is_orphan} for node in walk(roots)],
        "errors": [as_json(error) | advice_on(error)._asdict() for error in errors],
        "started_within": [as_json(one) for one in within[:MOST_WITHIN]],
    }
