"""The stack of an exception as text, at a cost that depends neither on how deep nor on how wordy it is.

The texts are those of `traceback.format_exception`, with the middle of a long stack and the end of a long message left
out: a RecursionError has a thousand frames, and a failed INSERT of a thousand rows quotes them all.
"""

import traceback
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any, Final

from e2edebug.policy.shown_frames import ShownFrames, frames_of_callers, frames_of_trace

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
    try:
        # No frames yet: Python would make anew what is shown of each.
        told = traceback.TracebackException(
            type(error), error, error.__traceback__ if trace is None else trace, limit=0, compact=True
        )
        has_group = _put_frames(told, error, trace, is_copy=is_copy)
        if calling_frames and isinstance(told.stack, ShownFrames):
            beginning = told.stack.outermost if isinstance(told.stack, _CutStack) else told.stack
            beginning.put_before(frames_of_callers(calling_frames))
        pieces = list(told.format()) if has_group else _pieces_of_chain(told)
        if max(map(len, pieces)) > _LONGEST_PIECE:
            pieces = [_within(piece) for piece in pieces]
        return "".join(pieces)
    except Exception:  # noqa: BLE001 - it asks the application's exception for more than its __str__
        return UNPRINTABLE


class _CutStack(ShownFrames):
    """The innermost frames of a long stack, which `format` shows below its outermost ones."""

    outermost: ShownFrames
    left_out: int

    def format(self, **options: Any) -> list[str]:
        mark = f"  … {self.left_out} frames …\n"
        return [*self.outermost.format(**options), mark, *super().format(**options)]


def _put_frames(
    told: traceback.TracebackException, error: BaseException, trace: TracebackType | None, *, is_copy: bool
) -> bool:
    """Give *told* its frames, and those of what it was caused by and of the members of groups; tell if there are any."""
    has_group = False
    waiting: list[tuple[traceback.TracebackException | None, BaseException | None]] = [(told, error)]
    while waiting:
        of_told, of_error = waiting.pop()
        if of_told is None or of_error is None:
            continue
        is_given = of_told is told and trace is not None
        of_told.stack = _frames(trace if is_given else of_error.__traceback__, is_copy=is_copy)
        waiting += [(of_told.__cause__, of_error.__cause__), (of_told.__context__, of_error.__context__)]
        if of_told.exceptions is not None and isinstance(of_error, BaseExceptionGroup):
            has_group = True
            waiting += zip(of_told.exceptions, of_error.exceptions, strict=False)
    return has_group


def _pieces_of_chain(told: traceback.TracebackException) -> list[str]:
    """Return what `told.format()` has. That indents each line as in a group, by nothing, which takes 1-2 us a frame."""
    chain: list[tuple[traceback.TracebackException, str]] = []
    at: traceback.TracebackException | None = told
    link = ""
    while at is not None:
        chain.append((at, link))
        if at.__cause__ is not None:
            at, link = at.__cause__, _CAUSE
        else:
            at, link = None if at.__suppress_context__ else at.__context__, _CONTEXT
    pieces: list[str] = []
    for one, leads_to in reversed(chain):
        if one.stack:
            pieces.append("Traceback (most recent call last):\n")
            pieces += one.stack.format()
        pieces += one.format_exception_only()
        if leads_to:
            pieces.append(leads_to)
    return pieces


def _frames(trace: TracebackType | None, *, is_copy: bool) -> ShownFrames:
    entries: list[TracebackType] = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    if is_copy:
        return ShownFrames(frames_of_trace(entries[-1:]))
    left_out = len(entries) - _OUTERMOST - _INNERMOST
    if left_out <= 0:
        return ShownFrames(frames_of_trace(entries))
    cut = _CutStack(frames_of_trace(entries[-_INNERMOST:]))
    cut.outermost = ShownFrames(frames_of_trace(entries[:_OUTERMOST]))
    cut.left_out = left_out
    return cut


def _within(piece: str) -> str:
    """Cut a frame or a message that is too long, keeping the line feed at its end."""
    return piece if len(piece) <= _LONGEST_PIECE else f"{piece[:_LONGEST_PIECE]}…[cut, {len(piece)} chars]\n"


_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"
_OUTERMOST: Final = 20
_INNERMOST: Final = 80
_LONGEST_PIECE: Final = 8192
"""As much as is kept of an error's message."""
