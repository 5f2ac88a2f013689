"""The stack of an exception as text, at a cost that depends neither on how deep nor on how wordy it is.

The texts are those of `traceback.format_exception`, with the middle of a long stack and the end of a long message left
out: a RecursionError has a thousand frames, and a failed INSERT of a thousand rows quotes them all.
"""

import traceback
from collections.abc import Iterable
from itertools import islice
from types import FrameType, TracebackType
from typing import Any, Final

UNPRINTABLE: Final = "<the exception cannot be printed>"


def stack_text(
    error: BaseException,
    *,
    trace: TracebackType | None = None,
    calling_frames: Iterable[FrameType] = (),
    is_copy: bool = False,
) -> str:
    """Return *error* with its stack, its causes and its notes, outermost frame first. Never raises.

    trace: in place of the error's own, for one that has not been raised yet.
    calling_frames: what led to the place where it was caught, outermost first; a traceback begins there.
    is_copy: the whole is elsewhere; only where each exception was raised is told.
    """
    trace = error.__traceback__ if trace is None else trace
    try:
        innermost = 1 if is_copy else _INNERMOST
        # Cut first: the limit alone would still ask every frame for its columns, which takes 1-5 us each.
        told = traceback.TracebackException(
            type(error), error, _end_of(trace, innermost), limit=-innermost, lookup_lines=False, compact=True
        )
        if is_copy:
            return "".join(_within(piece) for piece in told.format())
        _put_outermost_first(told, error, trace)
        if calling_frames:
            beginning = told.stack.outermost if isinstance(told.stack, _CutStack) else told.stack
            beginning[:0] = traceback.StackSummary.extract(
                ((frame, frame.f_lineno or 0) for frame in calling_frames), lookup_lines=False
            )
        pieces = list(told.format())
        if max(map(len, pieces)) > _LONGEST_PIECE:
            pieces = [_within(piece) for piece in pieces]
        return "".join(pieces)
    except Exception:  # noqa: BLE001 - it asks the application's exception for more than its __str__
        return UNPRINTABLE


class _CutStack(traceback.StackSummary):
    """The innermost frames of a long stack, which `format` shows below its outermost ones."""

    outermost: traceback.StackSummary
    left_out: int

    def format(self, **options: Any) -> list[str]:
        mark = f"  … {self.left_out} frames …\n"
        return [*self.outermost.format(**options), mark, *super().format(**options)]


def _end_of(trace: TracebackType | None, length: int) -> TracebackType | None:
    """Return the part of *trace* that has its innermost frames."""
    ahead = trace
    for _ in range(length):
        if ahead is None:
            return trace
        ahead = ahead.tb_next
    while ahead is not None and trace is not None:
        ahead, trace = ahead.tb_next, trace.tb_next
    return trace


def _put_outermost_first(told: traceback.TracebackException, error: BaseException, trace: TracebackType | None) -> None:
    """Give the long stacks of *told*, and of what it was caused by, their outermost frames back."""
    of_told: traceback.TracebackException | None = told
    of_error: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if of_told is None or of_error is None:
            return
        depth = 0
        at = trace
        while at is not None:
            depth += 1
            at = at.tb_next
        if depth > _OUTERMOST + _INNERMOST:
            cut = _CutStack(of_told.stack)
            cut.outermost = traceback.StackSummary.extract(
                islice(traceback.walk_tb(trace), _OUTERMOST), lookup_lines=False
            )
            cut.left_out = depth - _OUTERMOST - _INNERMOST
            of_told.stack = cut
        elif depth > _INNERMOST:
            of_told.stack[:0] = traceback.StackSummary.extract(
                islice(traceback.walk_tb(trace), depth - _INNERMOST), lookup_lines=False
            )
        if of_told.__cause__ is not None:
            of_told, of_error = of_told.__cause__, of_error.__cause__
        else:
            of_told, of_error = of_told.__context__, of_error.__context__
        trace = of_error.__traceback__ if of_error is not None else None


def _within(piece: str) -> str:
    """Cut a frame or a message that is too long, keeping the line feed at its end."""
    return piece if len(piece) <= _LONGEST_PIECE else f"{piece[:_LONGEST_PIECE]}…[cut, {len(piece)} chars]\n"


_OUTERMOST: Final = 20
_INNERMOST: Final = 80
_LONGEST_CHAIN: Final = 50
_LONGEST_PIECE: Final = 8192
"""As much as is kept of an error's message."""
