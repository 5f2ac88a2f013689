"""The tree of steps as lines: when it ran, how long, in which layer, what it was, and what went wrong in it.

    ━━━━━━━━━━━━   1.84 s api      POST /api/checkout/ 500  CheckoutViewSet.create
     ━━━━━━━━╸     912 ms database ├ SELECT … FROM shop_product WHERE product_id = ?

Every trace has a time scale of its own: a workflow of three requests within five minutes would be three dots.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from e2edebug.cli.glyphs import Glyphs, glyphs_of
from e2edebug.cli.quantities import counted
from e2edebug.cli.stack_location import stack_location
from e2edebug.cli.step_labels import label, location
from e2edebug.cli.step_tree import Node, StepError, TraceStep, walk
from e2edebug.cli.terminal import Line, Piece, cell_width, cut, inert, padded, wrapped
from e2edebug.cli.time_bars import TimeScale

_DURATION_WIDTH: Final = 8
_LAYER_WIDTH: Final = 8
_ERROR_LINES: Final = 4
_LONGEST_ERROR: Final = 2_000
_DEEPEST_STACK: Final = 40


@dataclass(frozen=True, slots=True)
class TreeView:
    """How wide a tree is drawn, with which characters, and how much of each statement it shows."""

    width: int
    is_unicode: bool = True
    whole_statements: bool = False

    @property
    def glyphs(self) -> Glyphs:
        return glyphs_of(self.is_unicode)

    @property
    def bar_width(self) -> int:
        return min(max((self.width - 40) // 4 + 2, 8), 32)

    @property
    def text_width(self) -> int:
        return max(self.width - self.bar_width - _DURATION_WIDTH - _LAYER_WIDTH - 3, 20)

    @property
    def deepest_indent(self) -> int:
        """Levels that are drawn as indentation; deeper ones show their depth as a number."""
        return self.text_width // 4


def tree_lines(roots: Sequence[Node], view: TreeView) -> Iterator[Line]:
    """Yield the lines of *roots*, traces in order of their first step, each below a heading if there are several."""
    traces: dict[str, list[Node]] = {}
    for root in roots:
        traces.setdefault(root.first.trace_id, []).append(root)
    began = min((root.first.start_time for root in roots), default=None)
    for number, (trace_id, of_trace) in enumerate(traces.items()):
        scale = _scale(of_trace, view)
        if number > 0:
            yield []
        if len(traces) > 1 and began is not None:
            yield from _trace_heading(trace_id, of_trace[0].first, began, view)
        yield from _nodes(of_trace, scale, view)


def error_lines(errors: Sequence[StepError], view: TreeView) -> Iterator[Line]:
    """Yield errors that stand at no step."""
    for error in errors:
        came_from = inert(stack_location(error.stack_trace))
        for line in _error(error, came_from, view.width - 4, view.glyphs):
            yield [Piece("  "), *line]


def stack_lines(errors: Sequence[StepError], view: TreeView) -> Iterator[Line]:
    """Yield the stored stack trace of each error, line by line and uncut."""
    for error in errors:
        yield []
        yield from ([Piece(text, "error")] for text in _error_text(error, view.width, view.glyphs))
        stack = error.stack_trace.rstrip().split("\n") if error.stack_trace.strip() else ["no stack trace is stored"]
        for text in stack:
            indent = len(text) - len(text.lstrip(" "))
            yield [Piece("  " + " " * min(indent, _DEEPEST_STACK)), Piece(inert(text), "quiet")]


def _trace_heading(trace_id: str, first: TraceStep, began: datetime, view: TreeView) -> Iterator[Line]:
    offset_ms = (first.start_time - began).total_seconds() * 1000
    later = f"  +{view.glyphs.duration(offset_ms)}" if offset_ms > 0 else ""
    yield [Piece(f"trace {inert(trace_id)}  {inert(first.service)}{later}", "quiet")]


def _scale(roots: Sequence[Node], view: TreeView) -> TimeScale:
    starts, ends = [], []
    for node in walk(roots):
        for step in node.steps:
            starts.append(step.start_time)
            ends.append(step.end_time or step.start_time)
    return TimeScale(min(starts), max(*ends, *starts), view.bar_width, view.is_unicode)


def _nodes(roots: Sequence[Node], scale: TimeScale, view: TreeView) -> Iterator[Line]:
    glyphs = view.glyphs
    # (node, depth, what stands before its own branch, is it the last of its siblings); a root has no branch.
    pending: list[tuple[Node, int, str, bool]] = [(root, 0, "", True) for root in reversed(roots)]
    while pending:
        node, depth, before, is_last = pending.pop()
        depth += node.levels_left_out
        is_flat = depth > view.deepest_indent
        branch = "" if depth == 0 else f"{depth}> " if is_flat else before + (glyphs.last if is_last else glyphs.branch)
        if is_flat:
            inner = " " * len(branch)
        else:
            inner = before + ("" if depth == 0 else glyphs.blank if is_last else glyphs.line)
        has_more = bool(node.children or node.hidden)
        yield from _node(node, branch, inner + (glyphs.line if has_more and not is_flat else glyphs.blank), scale, view)
        below = "" if is_flat else inner
        if node.steps and node.hidden:
            # Pushed first, so that it comes after all that stands below the node.
            pending.append((_left_out(node), depth + 1, below, True))
        last = len(node.children) - 1
        for at in range(last, -1, -1):
            pending.append((node.children[at], depth + 1, below, at == last and not node.hidden))


def _left_out(node: Node) -> Node:
    """A stand-in for what was left out below *node*: no steps, only their number."""
    return Node([], hidden=node.hidden)


def _node(node: Node, branch: str, inner: str, scale: TimeScale, view: TreeView) -> Iterator[Line]:
    glyphs = view.glyphs
    margin = " " * (view.width - view.text_width)
    if not node.steps:
        text = f"{glyphs.left_out} {counted(node.hidden, 'more step')} not shown"
        yield [Piece(margin), Piece(branch, "quiet"), Piece(text, "quiet")]
        return
    step = node.first
    style = step.layer if not node.has_failed else "failed"
    intervals = ((one.start_time, one.end_time or scale.end) for one in node.steps)
    head: Line = [
        Piece(scale.bar(intervals), style),
        Piece(" "),
        Piece(padded(glyphs.duration(node.total_ms), _DURATION_WIDTH, right=True)),
        Piece(" "),
        Piece(padded(cut(inert(step.layer), _LAYER_WIDTH, ellipsis=glyphs.ellipsis), _LAYER_WIDTH), step.layer),
        Piece(" "),
        Piece(branch, "quiet"),
    ]
    notes = list(_notes(node, glyphs))
    room = view.text_width - len(branch) - sum(cell_width(note.text) for note in notes)
    pieces = label(step, ellipsis=glyphs.ellipsis, whole_statement=view.whole_statements)
    texts = (
        [pieces]
        if not view.whole_statements
        else [[piece] for piece in _wrapped_label(pieces, room - max(len(inner) - len(branch), 0))]
    )
    shown, used = _fitted(texts[0], room, glyphs.ellipsis)
    failed_at = location(step)
    # Said once: behind the error where there is one, because that is the line which one looks for.
    came_from = "" if node.errors else failed_at
    width_below = view.text_width - len(inner)
    behind: Line = []
    below: list[Line] = list(texts[1:])
    if node.inside:
        below.append([Piece(cut(inert(node.inside), width_below, ellipsis=glyphs.ellipsis), "quiet")])
    if came_from and len(texts) == 1 and used + 2 + cell_width(came_from) <= room:
        behind = [Piece(f"  {came_from}", "quiet")]
    elif came_from:
        below.append([Piece(_fitted_location(came_from, width_below, glyphs), "quiet")])
    yield head + shown + notes + behind
    for at, error in enumerate(node.errors):
        # The step's place is that of its first error; the others have their stacks.
        place = (failed_at if at == 0 else "") or inert(stack_location(error.stack_trace))
        below += _error(error, place, width_below, glyphs)
    if not node.errors and step.status == "failed" and step.status_message and not _fails_inside(node):
        below += [[Piece(text, "error")] for text in _message(step.status_message, width_below, glyphs)]
    for line in below:
        yield [Piece(margin), Piece(inner, "quiet"), *line]


def _notes(node: Node, glyphs: Glyphs) -> Iterator[Piece]:
    """What stands behind the label and is never cut."""
    step = node.first
    if len(node.steps) > 1:
        yield Piece(f" {glyphs.times} {len(node.steps):,}", "count")
    if step.status == "skipped":
        yield Piece("  skipped", "quiet")
    elif step.status == "started":
        yield Piece("  not ended", "running")
    elif node.has_failed:
        yield Piece(f" {glyphs.cross}", "failed")
    if node.is_orphan and not node.inside:
        yield Piece("  (parent not stored)", "quiet")
    if node.levels_left_out:
        yield Piece(f"  ({counted(node.levels_left_out, 'level')} above not shown)", "quiet")


def _fitted(pieces: Line, room: int, ellipsis: str) -> tuple[Line, int]:
    shown, used = [], 0
    for piece in pieces:
        text = cut(piece.text, room - used, ellipsis=ellipsis)
        shown.append(Piece(text, piece.style))
        used += cell_width(text)
        if text != piece.text:
            break
    return shown, used


def _fitted_location(text: str, width: int, glyphs: Glyphs) -> str:
    """The end of a path and the line are what one looks for: the function goes first, then the path's beginning."""
    if cell_width(text) <= width:
        return text
    place = text.partition(" in ")[0]
    if cell_width(place) <= width:
        return place
    return cut(glyphs.ellipsis + place[-(width - len(glyphs.ellipsis)) :], width, ellipsis=glyphs.ellipsis)


def _wrapped_label(pieces: Line, room: int) -> list[Piece]:
    text = "".join(piece.text for piece in pieces)
    return [Piece(part) for part in wrapped(text, max(room, 20))] or [Piece("")]


def _error(error: StepError, place: str, width: int, glyphs: Glyphs) -> list[Line]:
    """The message, and where in the code it came from: behind it if there is room, else below it."""
    lines: list[Line] = [[Piece(text, "error")] for text in _error_text(error, width, glyphs)]
    if not place:
        return lines
    if cell_width(lines[-1][0].text) + 2 + cell_width(place) <= width:
        lines[-1].append(Piece(f"  {place}", "quiet"))
    else:
        lines.append([Piece("  "), Piece(_fitted_location(place, width - 2, glyphs), "quiet")])
    return lines


def _error_text(error: StepError, width: int, glyphs: Glyphs) -> list[str]:
    message = error.error_message[:_LONGEST_ERROR].strip()
    return _message(f"{error.error_type}: {message}" if message else error.error_type, width, glyphs)


def _message(text: str, width: int, glyphs: Glyphs) -> list[str]:
    lines = list(wrapped(inert(text[:_LONGEST_ERROR]), max(width - 2, 20)))
    if len(lines) > _ERROR_LINES:
        lines = lines[:_ERROR_LINES]
        lines[-1] = cut(lines[-1] + " " * width, max(width - 2, 20), ellipsis=glyphs.ellipsis)
    return [f"{glyphs.cross if at == 0 else ' '} {line}" for at, line in enumerate(lines)]


def _fails_inside(node: Node) -> bool:
    return any(child.has_failed for child in node.children)
