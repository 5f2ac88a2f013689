"""Below the tree: what kind of errors were found, and what to do about them."""

from collections.abc import Iterator, Sequence
from typing import Final

from e2edebug.cli.terminal import Line, Piece, inert, wrapped
from e2edebug.cli.tree_lines import TreeView
from e2edebug.policy.error_class.registry import Advice, advice_on
from e2edebug_schema.queries.errors import Error

MOST_ADVICE: Final = 5
"""One cause shows itself in many ways; whoever sees more kinds than these begins with the first ones anyway."""


def advice_lines(errors: Sequence[Error], view: TreeView) -> Iterator[Line]:
    """Yield each kind of error once, in the order in which they happened, with its suggestion."""
    found: dict[Advice, Error] = {}
    for error in errors:
        found.setdefault(advice_on(error), error)
    for advice, error in list(found.items())[:MOST_ADVICE]:
        yield []
        yield [
            Piece(inert(advice.error_class), "failed"),
            Piece(f"  {inert(error.error_type.rpartition('.')[2])}", "quiet"),
        ]
        for text in wrapped(inert(advice.suggestion), max(view.width - 2, 20)):
            yield [Piece(f"  {text}")]
    if len(found) > MOST_ADVICE:
        yield [Piece(f"and more kinds of errors than these {MOST_ADVICE}; --json has them all", "quiet")]
