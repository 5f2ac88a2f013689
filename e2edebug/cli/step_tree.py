"""Steps become a tree: parents found, repetitions folded, the unimportant left out when there is too much.

Pure data, no terminal. A stored trace may be anything: a million siblings, one chain a hundred thousand deep, parents
that never arrived, ids that point in a circle. So nothing here recurses, and every step ends up in exactly one node.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

FOLD_FROM: Final = 3
"""Two equal statements in a row are often meant; three are a pattern."""


class TraceStep(Protocol):
    """What a stored step shows of itself (e2edebug_schema.queries.steps.Step is one)."""

    @property
    def trace_id(self) -> str: ...
    @property
    def span_id(self) -> str: ...
    @property
    def parent_span_id(self) -> str | None: ...
    @property
    def layer(self) -> str: ...
    @property
    def component(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def start_time(self) -> datetime: ...
    @property
    def end_time(self) -> datetime | None: ...
    @property
    def duration_ms(self) -> float | None: ...
    @property
    def status(self) -> str: ...
    @property
    def status_message(self) -> str: ...
    @property
    def statement(self) -> str | None: ...
    @property
    def statement_digest(self) -> str | None: ...
    @property
    def code_location(self) -> str | None: ...
    @property
    def metadata(self) -> Mapping[str, object]: ...


class StepError(Protocol):
    """What a stored error shows of itself beside the step in which it happened."""

    @property
    def trace_id(self) -> str | None: ...
    @property
    def span_id(self) -> str | None: ...
    @property
    def error_type(self) -> str: ...
    @property
    def error_message(self) -> str: ...
    @property
    def stack_trace(self) -> str: ...


@dataclass(slots=True, eq=False)
class Node:
    """One step, or several equal ones that were folded, with what happened inside."""

    steps: list[TraceStep]
    children: list["Node"] = field(default_factory=list)
    errors: list[StepError] = field(default_factory=list)
    is_orphan: bool = False
    """Its parent is not stored, and it does not look like the entry of a request."""
    inside: str = ""
    """Another stored workflow that its parent belongs to, as people read it; '' when the parent is not stored."""
    hidden: int = 0
    """Steps below it that were left out."""
    levels_left_out: int = 0
    """Ancestors between this node and the one it is shown under that were left out."""

    @property
    def first(self) -> TraceStep:
        return self.steps[0]

    @property
    def total_ms(self) -> float | None:
        """The time of all its steps together; None while none has ended."""
        ended = [step.duration_ms for step in self.steps if step.duration_ms is not None]
        return sum(ended) if ended else None

    @property
    def has_failed(self) -> bool:
        return bool(self.errors) or any(step.status == "failed" for step in self.steps)


def build_tree(steps: Iterable[TraceStep], errors: Iterable[StepError] = ()) -> tuple[list[Node], list[StepError]]:
    """Return the roots by time, and the errors that belong to no stored step.

    Siblings are in order of start. A parent is looked for in the same trace. Steps whose ids point in a circle become
    orphans at the earliest of them.
    """
    ordered = sorted(steps, key=lambda step: (step.start_time, step.span_id))
    by_id: dict[tuple[str, str], Node] = {}
    nodes = []
    for step in ordered:
        node = Node([step])
        nodes.append(node)
        by_id.setdefault((step.trace_id, step.span_id), node)
    homeless: list[StepError] = []
    for error in errors:
        home = by_id.get((error.trace_id or "", error.span_id or ""))
        (homeless if home is None else home.errors).append(error)
    roots = []
    for node in nodes:
        parent_id = node.first.parent_span_id
        parent = by_id.get((node.first.trace_id, parent_id)) if parent_id else None
        if parent is None:
            # An entry span with an unknown parent continues a caller's trace: nothing is missing.
            node.is_orphan = bool(parent_id) and node.first.kind not in ("server", "consumer")
            roots.append(node)
        else:
            parent.children.append(node)
    roots += _break_circles(nodes, roots)
    roots.sort(key=lambda node: (node.first.start_time, node.first.span_id))
    return roots, homeless


def _break_circles(nodes: Sequence[Node], roots: Sequence[Node]) -> list[Node]:
    reached = {id(node) for node in walk(roots)}
    new_roots = []
    for node in nodes:
        if id(node) in reached:
            continue
        node.is_orphan = True
        new_roots.append(node)
        pending = [node]
        reached.add(id(node))
        while pending:
            one = pending.pop()
            one.children = [child for child in one.children if id(child) not in reached]
            reached.update(id(child) for child in one.children)
            pending += one.children
    return new_roots


def walk(roots: Sequence[Node]) -> Iterable[Node]:
    """Yield every node below *roots*, parents before their children, in the order of display."""
    pending = list(reversed(roots))
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(node.children))


def fold(roots: list[Node]) -> list[Node]:
    """Return the tree with equal siblings folded into one node, wherever FOLD_FROM or more share a parent.

    Equal means the same work inside: layer, component, operation, statement and, compared the same way, children.
    What failed, or holds something that failed, is never folded. The order of siblings is that of the first of each.
    """
    shapes: dict[tuple[object, ...], int] = {}
    shape_of: dict[int, int | None] = {}
    for node in reversed(list(walk(roots))):  # children before their parents
        node.children = _fold_siblings(node.children, shape_of)
        inside = [shape_of[id(child)] for child in node.children]
        if node.has_failed or None in inside:
            shape_of[id(node)] = None
        else:
            step = node.first
            # A statement has one digest for all its literals; where it has none, the text has to do.
            statement = step.statement_digest or step.statement
            shape = (
                step.layer,
                step.component,
                step.operation,
                step.kind,
                statement,
                node.is_orphan,
                node.inside,
                *inside,
            )
            shape_of[id(node)] = shapes.setdefault(shape, len(shapes))
    return _fold_siblings(roots, shape_of)


def _fold_siblings(siblings: list[Node], shape_of: dict[int, int | None]) -> list[Node]:
    if len(siblings) < FOLD_FROM:
        return siblings
    groups: dict[int, list[Node]] = {}
    for node in siblings:
        shape = shape_of[id(node)]
        if shape is not None:
            groups.setdefault(shape, []).append(node)
    folded: list[Node] = []
    for node in siblings:
        shape = shape_of[id(node)]
        group = groups.get(shape, []) if shape is not None else []
        if len(group) < FOLD_FROM:
            folded.append(node)
        elif group[0] is node:
            _merge(group)
            folded.append(node)
    return folded


def _merge(group: list[Node]) -> None:
    """Fold equal nodes into the first of them, level by level: their children stand in the same order."""
    pending = [group]
    while pending:
        equal = pending.pop()
        first = equal[0]
        for other in equal[1:]:
            first.steps += other.steps
        for position in range(len(first.children)):
            pending.append([node.children[position] for node in equal])


def prune(roots: list[Node], *, limit: int) -> list[Node]:
    """Return a tree of at most *limit* nodes: what failed, then what took longest; the rest is counted in `hidden`.

    A node whose parent was left out is shown under its nearest ancestor that was kept.
    """
    nodes = list(walk(roots))
    if len(nodes) <= limit:
        return roots
    ranked = sorted(range(len(nodes)), key=lambda at: (not nodes[at].has_failed, -(nodes[at].total_ms or 0.0), at))
    kept = {id(nodes[at]) for at in ranked[:limit]}
    shown: list[Node] = []
    # (node, nearest kept ancestor, levels left out on the way)
    pending: list[tuple[Node, Node | None, int]] = [(root, None, 0) for root in reversed(roots)]
    while pending:
        node, ancestor, left_out = pending.pop()
        children, node_is_kept = node.children, id(node) in kept
        if node_is_kept:
            node.children = []
            node.levels_left_out = left_out
            (shown if ancestor is None else ancestor.children).append(node)
            ancestor, left_out = node, 0
        else:
            left_out += 1
            if ancestor is not None:
                ancestor.hidden += len(node.steps)
        pending.extend((child, ancestor, left_out) for child in reversed(children))
    return shown
