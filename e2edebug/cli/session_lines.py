"""Sessions as lines: the list of many, and the heading of one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from e2edebug.cli.glyphs import Glyphs, glyphs_of
from e2edebug.cli.quantities import counted, local_time, zone_name
from e2edebug.cli.terminal import Line, Piece, cell_width, cut, inert, padded
from e2edebug_schema.queries.sessions import Session

STATUS_STYLES: Final = {"completed": "completed", "failed": "failed", "timeout": "timeout", "in_progress": "running"}

_SHORTEST_ID: Final = 8
_WIDE: Final = 110
_WIDEST_TYPE: Final = 14
_WIDEST_USER: Final = 12
_NARROWEST_REQUEST: Final = 12
_ROOM_FOR_WORDS: Final = 26


def session_table(
    sessions: Sequence[Session], *, now: datetime, width: int | None, is_unicode: bool = True
) -> Iterator[Line]:
    """Yield a heading and one line for each session.

    width: columns of the terminal; ids and requests are shortened to fit. None: nothing is shortened.
    """
    glyphs = glyphs_of(is_unicode)
    is_wide = width is None or width >= _WIDE
    columns = [
        _Column("id", [Piece(text, "quiet") for text in _ids(sessions, is_whole=width is None)]),
        _Column(f"started {zone_name(now)}", _starts(sessions, now, width=width)),
        _Column("status", [Piece(one.status, STATUS_STYLES.get(one.status, "")) for one in sessions]),
        _Column("duration", [Piece(glyphs.duration(one.duration_ms)) for one in sessions], is_right=True),
        _Column("type", [Piece(_cut(one.workflow_type, _WIDEST_TYPE, glyphs), "title") for one in sessions]),
    ]
    if is_wide:
        columns += [
            _Column("user", [Piece(_cut(_user(one), _WIDEST_USER, glyphs)) for one in sessions]),
            _Column("steps", [Piece(f"{one.step_count:,}") for one in sessions], is_right=True),
            _Column("queries", [Piece(f"{one.query_count:,}") for one in sessions], is_right=True),
        ]
    used = sum(column.width + 2 for column in columns)
    room = None if width is None else max(width - used, _NARROWEST_REQUEST)
    yield [Piece(column.heading, "quiet") for column in columns] + [Piece("request", "quiet")]
    for at, session in enumerate(sessions):
        yield [column.cell(at) for column in columns] + _request(session, room, glyphs)


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    cells: Sequence[Piece]
    is_right: bool = False

    @property
    def width(self) -> int:
        return max(cell_width(self.name), *(cell_width(cell.text) for cell in self.cells), 0)

    @property
    def heading(self) -> str:
        return padded(self.name, self.width, right=self.is_right) + "  "

    def cell(self, at: int) -> Piece:
        text, style = self.cells[at]
        return Piece(padded(text, self.width, right=self.is_right) + "  ", style)


def _request(session: Session, room: int | None, glyphs: Glyphs) -> Line:
    """The request, and behind it what is wrong with it: that is never cut."""
    notes = []
    if session.repeat_count > 1:
        notes.append(Piece(f"  {glyphs.times} {session.repeat_count:,}", "count"))
    if session.error_count:
        is_narrow = room is not None and room < _ROOM_FOR_WORDS
        errors = f"{glyphs.cross} {session.error_count:,}" if is_narrow else counted(session.error_count, "error")
        notes.append(Piece(f"  {errors}", "error"))
    text = inert(session.root_operation)
    if room is not None:
        text = cut(text, max(room - sum(len(note.text) for note in notes), 4), ellipsis=glyphs.ellipsis)
    return [Piece(text), *notes]


def session_heading(session: Session, *, is_unicode: bool = True) -> Iterator[Line]:
    """Yield what is known of one workflow as a whole."""
    glyphs = glyphs_of(is_unicode)
    separator = Piece(f"  {glyphs.dot}  ", "quiet")
    yield [
        Piece(inert(session.workflow_type), "title"),
        Piece("  "),
        Piece(session.status, STATUS_STYLES.get(session.status, "")),
        Piece(f"  {glyphs.duration(session.duration_ms)}", "title"),
        *([separator, Piece(inert(session.root_operation))] if session.root_operation else []),
    ]
    facts = [f"{local_time(session.start_time)} {zone_name(session.start_time)}"]
    service = " ".join(part for part in (session.service, session.service_release or "") if part)
    facts += [service] if service else []
    facts += [f"user {_user(session)}"] if _user(session) else []
    yield _joined([Piece(inert(fact)) for fact in facts], separator)
    counts = [
        Piece(counted(session.step_count, "step")),
        Piece(counted(session.query_count, "query", "queries")),
    ]
    if session.error_count:
        counts.append(Piece(counted(session.error_count, "error"), "error"))
    if session.repeat_count > 1:
        counts.append(Piece(f"one statement {glyphs.times} {session.repeat_count:,}", "count"))
    yield _joined(counts, separator)
    yield [Piece(f"correlation id  {inert(session.correlation_id)}", "quiet")]
    if session.trace_id:
        yield [Piece(f"trace id        {inert(session.trace_id)}", "quiet")]
    if session.parent_correlation_id:
        yield [Piece(f"started inside  {inert(session.parent_correlation_id)}", "quiet")]


def _joined(pieces: Sequence[Piece], separator: Piece) -> Line:
    line: Line = []
    for piece in pieces:
        line += [separator, piece] if line else [piece]
    return line


def _ids(sessions: Sequence[Session], *, is_whole: bool) -> list[str]:
    """Whole ids, or the shortest beginnings that tell those in the list apart."""
    ids = [inert(session.correlation_id) for session in sessions]
    if is_whole:
        return ids
    for size in range(_SHORTEST_ID, 64, 4):
        if len({one[:size] for one in ids}) == len(set(ids)):
            return [one[:size] for one in ids]
    return ids


def _starts(sessions: Sequence[Session], now: datetime, *, width: int | None) -> list[Piece]:
    starts = [local_time(one.start_time) for one in sessions]
    today = local_time(now)[:10]
    if width is not None and all(one.startswith(today) for one in starts):
        starts = [one[11:] for one in starts]
    elif width is not None:
        starts = [one[5:] if width >= _WIDE else one[5:16] for one in starts]
    return [Piece(one) for one in starts]


def _user(session: Session) -> str:
    label, user_id = session.user_label or "", session.user_id or ""
    return inert(label or user_id)


def _cut(text: str, width: int, glyphs: Glyphs) -> str:
    return cut(inert(text), width, ellipsis=glyphs.ellipsis)
