"""The steps of a workflow as rows of a page: indented, with bars on one time scale per trace, errors where they happened.

The tree is the command line's own (step_tree): folded where the same is repeated, pruned where there is too much.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from e2edebug.cli.quantities import duration
from e2edebug.cli.stack_location import stack_location
from e2edebug.cli.step_labels import label, location
from e2edebug.cli.step_tree import Node, build_tree, fold, prune, walk
from e2edebug.django.admin.cells import json_text
from e2edebug_schema.queries.errors import Error, errors_of
from e2edebug_schema.queries.reading import Source
from e2edebug_schema.queries.sessions import Session
from e2edebug_schema.queries.steps import Step, steps_of
from e2edebug_schema.tables import LAYERS

MOST_STEPS: Final = 10_000
MOST_ROWS: Final = 400
DEEPEST_INDENT: Final = 20
_SCALE: Final = 1000
_THINNEST: Final = 3.0
_MOST_BARS: Final = 60


@dataclass(frozen=True, slots=True)
class Bar:
    """When a step ran, in thousandths of its trace: text, because a template would write numbers in the local way."""

    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree."""

    depth: int
    layer: str
    layer_class: str
    bars: Sequence[Bar]
    took: str
    text: str
    detail: str
    repeated: int
    has_failed: bool
    is_open: bool
    """Still running, or its end was never recorded."""
    notes: Sequence[str]
    place: str
    step: Step
    errors: Sequence[Error]
    metadata: Any


@dataclass(frozen=True, slots=True)
class Trace:
    """The rows of one trace."""

    trace_id: str
    service: str
    later: str
    """How long after the first trace it began."""
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class WorkflowTree:
    """Everything below the summary of a workflow."""

    traces: Sequence[Trace]
    errors: Sequence[Error]
    """Those that belong to no stored step."""
    step_count: int
    is_cut: bool
    """There are more steps than are read."""
    hidden: int = 0
    """Steps that were read and left out of the tree."""


def workflow_tree(source: Source, correlation_id: str, *, session: Session | None, with_errors: bool) -> WorkflowTree:
    """Return the tree of the workflow whose *session* is stored, or not. Three queries at most where it is."""
    steps = steps_of(source, correlation_id, session=session, limit=MOST_STEPS + 1)
    errors = errors_of(source, correlation_id, session=session) if with_errors else []
    is_cut, steps = len(steps) > MOST_STEPS, steps[:MOST_STEPS]
    roots, homeless = build_tree(steps, errors)
    roots = prune(fold(roots), limit=MOST_ROWS)
    shown = sum(len(node.steps) for node in walk(roots))
    return WorkflowTree(
        traces=list(_traces(roots)),
        errors=list(homeless),  # type: ignore[arg-type]  # the errors that went in come out
        step_count=len(steps),
        is_cut=is_cut,
        hidden=len(steps) - shown,
    )


def _traces(roots: Sequence[Node]) -> Iterator[Trace]:
    of_trace: dict[str, list[Node]] = {}
    for root in roots:
        of_trace.setdefault(root.first.trace_id, []).append(root)
    began = min((root.first.start_time for root in roots), default=None)
    for trace_id, nodes in of_trace.items():
        first = nodes[0].first
        later_ms = (first.start_time - began).total_seconds() * 1000 if began else 0.0
        yield Trace(trace_id, first.service, f"+{duration(later_ms)}" if later_ms > 0 else "", list(_rows(nodes)))


def _rows(roots: Sequence[Node]) -> Iterator[Row]:
    starts = [step.start_time for node in walk(roots) for step in node.steps]
    ends = [step.end_time or step.start_time for node in walk(roots) for step in node.steps]
    begin, end = min(starts), max(*starts, *ends)
    pending = [(root, 0) for root in reversed(roots)]
    while pending:
        node, depth = pending.pop()
        depth += node.levels_left_out
        yield _row(node, depth, begin, end)
        pending += [(child, depth + 1) for child in reversed(node.children)]


def _row(node: Node, depth: int, begin: datetime, end: datetime) -> Row:
    step = node.first
    assert isinstance(step, Step)
    pieces = label(step, ellipsis="…")
    errors = [error for error in node.errors if isinstance(error, Error)]
    place = location(step) or next((found for error in errors if (found := stack_location(error.stack_trace))), "")
    return Row(
        depth=min(depth, DEEPEST_INDENT),
        layer=step.layer,
        layer_class=step.layer if step.layer in LAYERS else "other",
        bars=_bars(node, begin, end),
        took=duration(node.total_ms),
        text=pieces[0].text or step.operation or step.component,
        detail=" ".join(piece.text.strip() for piece in pieces[1:]),
        repeated=len(node.steps) if len(node.steps) > 1 else 0,
        has_failed=node.has_failed,
        is_open=step.status == "started",
        notes=list(_notes(node)),
        place=place,
        step=step,
        errors=errors,
        metadata=json_text(step.metadata),
    )


def _notes(node: Node) -> Iterator[str]:
    if node.first.status == "skipped":
        yield "skipped"
    if node.is_orphan and not node.inside:
        yield "parent not stored"
    if node.levels_left_out:
        yield f"{node.levels_left_out} levels above not shown"
    if node.hidden:
        yield f"{node.hidden:,} steps below not shown"


def _bars(node: Node, begin: datetime, end: datetime) -> list[Bar]:
    length_s = (end - begin).total_seconds() or 1e-9
    bars = []
    for step in node.steps[:_MOST_BARS]:
        x = max((step.start_time - begin).total_seconds() / length_s, 0.0) * _SCALE
        width = ((step.end_time or end) - step.start_time).total_seconds() / length_s * _SCALE
        width = min(max(width, _THINNEST), _SCALE)
        bars.append(Bar(f"{min(x, _SCALE - width):.2f}", f"{width:.2f}"))
    return bars
