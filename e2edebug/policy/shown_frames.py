"""The frames of stacks as Python shows them, each made once for its place in the code.

What is shown of a frame, its source line and the marks under it, follows from the code and the instruction alone. Most
frames of any stack, those of the framework and the server, have been shown before; of an exception that surfaces again,
on a step and in the log, all have.
"""

import linecache
import traceback
from collections.abc import Callable, Iterable
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, NamedTuple, TypeVar

from e2edebug.policy.frame_text import frame_text


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
    return _shown([((id(at.tb_frame.f_code), at.tb_lasti, at.tb_lineno), at) for at in entries], _summary_of_trace)


def frames_of_callers(frames: Iterable[FrameType]) -> list[ShownFrame]:
    """Return frames that still run, as they are told above a traceback: without marks under the line."""
    return _shown([((id(frame.f_code), None, frame.f_lineno), frame) for frame in frames], _summary_of_caller)


# The line as well: a traceback made by hand may name another one than its instruction's.
_Place = tuple[int, int | None, int | None]
_Entry = TypeVar("_Entry", TracebackType, FrameType)


def _shown(
    entries: list[tuple[_Place, _Entry]], summary_of: Callable[[_Entry], traceback.FrameSummary]
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
        summaries = [summary_of(entry) for entry in missing.values()]
        for filename in {summary.filename for summary in summaries}:
            linecache.checkcache(filename)  # a file that has changed is read anew
        for (place, entry), summary in zip(missing.items(), summaries, strict=True):
            text = frame_text(summary)
            code = (entry.tb_frame if isinstance(entry, TracebackType) else entry).f_code
            found[place] = shown = ShownFrame(summary, text, code)
            # Without its line only for now, maybe: too many files are open.
            if len(text) <= _LONGEST_KEPT and _LINE in text:
                if len(_kept) >= _MOST_KEPT:
                    _kept.clear()
                _kept[place] = shown
    return [found[place] for place, _ in entries]


def _summary_of_trace(entry: TracebackType) -> traceback.FrameSummary:
    frame, last = entry.tb_frame, entry.tb_lasti
    code = frame.f_code
    # The source of what was not loaded from a file is asked of its loader, while the frame is here to name it.
    linecache.lazycache(code.co_filename, frame.f_globals)
    position = next(islice(code.co_positions(), last // 2, None), _NOWHERE) if last >= 0 else _NOWHERE
    line, end_line, column, end_column = position
    return traceback.FrameSummary(
        code.co_filename,
        entry.tb_lineno if line is None else line,
        code.co_name,
        lookup_line=False,
        end_lineno=end_line,
        colno=column,
        end_colno=end_column,
    )


def _summary_of_caller(frame: FrameType) -> traceback.FrameSummary:
    code = frame.f_code
    linecache.lazycache(code.co_filename, frame.f_globals)
    return traceback.FrameSummary(code.co_filename, frame.f_lineno or 0, code.co_name, lookup_line=False)


_NOWHERE: Final = (None, None, None, None)
_LINE: Final = "\n    "
"""What the source line begins with."""
_MOST_KEPT: Final = 4096
"""About 2 MB."""
_LONGEST_KEPT: Final = 1024
_kept: dict[_Place, ShownFrame] = {}
