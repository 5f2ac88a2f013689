"""The frames of stacks as Python shows them, each made once for its place in the code.

What is shown of a frame, its source line and the marks under it, follows from the code and the instruction alone, and
takes 10-20 us: Python parses the line to place the marks. Most frames of any stack, those of the framework and the
server, have been shown before; of an exception that surfaces again, on a step and in the log, all have.
"""

import traceback
from collections.abc import Callable, Iterable
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, NamedTuple, TypeVar


class ShownFrame(NamedTuple):
    """A frame and what is shown of it."""

    summary: traceback.FrameSummary
    text: str
    code: CodeType
    """Kept alive, so that no other code gets the id by which this is found."""


class ShownFrames(traceback.StackSummary):
    """A stack that knows what is shown of its frames."""

    def __init__(self, frames: list[ShownFrame]) -> None:
        super().__init__([frame.summary for frame in frames])
        self._texts = {id(frame.summary): frame.text for frame in frames}

    def format_frame_summary(self, frame_summary: traceback.FrameSummary, **_: Any) -> str:
        """Return what is shown of a frame already."""
        return self._texts[id(frame_summary)]

    def put_before(self, frames: list[ShownFrame]) -> None:
        """Put frames before the outermost."""
        self[:0] = [frame.summary for frame in frames]
        self._texts.update((id(frame.summary), frame.text) for frame in frames)


def frames_of_trace(entries: Iterable[TracebackType]) -> list[ShownFrame]:
    """Return the frames of these entries of a traceback, whose `tb_next` does not count."""
    return _shown([((id(at.tb_frame.f_code), at.tb_lasti, at.tb_lineno), at) for at in entries], _summaries_of_trace)


def frames_of_callers(frames: Iterable[FrameType]) -> list[ShownFrame]:
    """Return frames that still run, as they are told above a traceback: without marks under the line."""
    return _shown([((id(frame.f_code), None, frame.f_lineno), frame) for frame in frames], _summaries_of_callers)


# The line as well: a traceback made by hand may name another one than its instruction's.
_Place = tuple[int, int | None, int | None]
_Entry = TypeVar("_Entry", TracebackType, FrameType)


def _shown(
    entries: list[tuple[_Place, _Entry]], summaries_of: Callable[[list[_Entry]], traceback.StackSummary]
) -> list[ShownFrame]:
    found: dict[_Place, ShownFrame] = {}
    missing: dict[_Place, _Entry] = {}
    for place, entry in entries:
        kept = _kept.get(place)
        if kept is not None:
            found[place] = kept
        else:
            missing[place] = entry
    if missing:
        stack = summaries_of(list(missing.values()))
        for (place, entry), summary in zip(missing.items(), stack, strict=True):
            text = stack.format_frame_summary(summary)
            code = (entry.tb_frame if isinstance(entry, TracebackType) else entry).f_code
            found[place] = shown = ShownFrame(summary, text, code)
            # Without its line only for now, maybe: too many files are open.
            if len(text) <= _LONGEST_KEPT and _LINE in text:
                if len(_kept) >= _MOST_KEPT:
                    _kept.clear()
                _kept[place] = shown
    return [found[place] for place, _ in entries]


def _summaries_of_trace(entries: list[TracebackType]) -> traceback.StackSummary:
    chain: TracebackType | None = None
    for at in reversed(entries):
        chain = TracebackType(chain, at.tb_frame, at.tb_lasti, at.tb_lineno or 0)
    # The only public way to frames with their columns.
    return traceback.TracebackException(Exception, Exception(), chain, limit=len(entries), lookup_lines=False).stack


def _summaries_of_callers(frames: list[FrameType]) -> traceback.StackSummary:
    return traceback.StackSummary.extract(
        ((frame, frame.f_lineno or 0) for frame in frames), limit=len(frames), lookup_lines=False
    )


_LINE: Final = "\n    "
"""What the source line begins with."""
_MOST_KEPT: Final = 4096
"""About 2 MB."""
_LONGEST_KEPT: Final = 1024
_kept: dict[_Place, ShownFrame] = {}
