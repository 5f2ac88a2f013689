"""Sessions as lines: the list of many, and the heading of one."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from e2edebug.cli.glyphs import Glyphs, glyphs_of
from e2edebug.cli.quantities import counted, local_time, zone_name
from e2edebug.cli.terminal import Line, Piece, cell_width, cut, inert, padded
from e2edebug_schema.queries.sessions import Session

STATUS_STYLES: Final = {"completed": "completed", "failed": "failed", "timeout": "timeout", "in_progress": "running"}

_SHORTEST_ID: Final = 8
_WIDE: Final = 110
_WIDEST_TYPE: Final = 20
_WIDEST_USER: Final = 16


def session_table(
    sessions: Sequence[Session], *, now: datetime, width: int | None, is_unicode: bool = True
) -> Iterator[Line]:
    """Yield a heading and one line for each session.

    width: columns of the terminal; ids and requests are shortened to fit. None: nothing is shortened.
    """
    glyphs = glyphs_of(is_unicode)
    is_wide = width is None or width >= _WIDE
    zone = zone_name(now)
    columns: list[tuple[str, list[Piece], bool]] = [
        ("id", [Piece(text, "quiet") for text in _ids(sessions, width=width)], False),
        (f"started ({zone})" if is_wide else f"started {zone}", _starts(sessions, now, is_wide=is_wide), False),
        ("status", [Piece(one.status, STATUS_STYLES.get(one.status, "")) for one in sessions], False),
        ("duration", [Piece(glyphs.duration(one.duration_ms)) for one in sessions], True),
        ("type", [Piece(_cut(one.workflow_type, _WIDEST_TYPE, glyphs), "title") for one in sessions], False),
    ]
    if is_wide:
        columns += [
            ("user", [Piece(_cut(_user(one), _WIDEST_USER, glyphs)) for one in sessions], False),
            ("steps", [Piece(f"{one.step_count:,}") for one in sessions], True),
            ("queries", [Piece(f"{one.query_count:,}") for one in sessions], True),
            ("errors", [Piece(_unless_zero(one.error_count), "error") for one in sessions], True),
            ("repeats", [Piece(_repeats(one, glyphs), "count") for one in sessions], True),
        ]
    columns.append(("request", [Piece(inert(one.root_operation)) for one in sessions], False))
    yield from _table(columns, width=width, glyphs=glyphs)


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


def _table(
    columns: Sequence[tuple[str, Sequence[Piece], bool]], *, width: int | None, glyphs: Glyphs
) -> Iterator[Line]:
    widths = [max(cell_width(name), *(cell_width(cell.text) for cell in cells), 0) for name, cells, _ in columns]
    if width is not None:
        widths[-1] = max(min(widths[-1], width - sum(widths[:-1]) - 2 * (len(widths) - 1)), 8)
    heading = [
        Piece(padded(name, size, right=right) + "  ", "quiet")
        for (name, _, right), size in zip(columns, widths, strict=True)
    ]
    yield heading
    for row in zip(*(cells for _, cells, _ in columns), strict=True):
        yield [
            Piece(padded(cut(cell.text, size, ellipsis=glyphs.ellipsis), size, right=right) + "  ", cell.style)
            for cell, size, (_, _, right) in zip(row, widths, columns, strict=True)
        ]


def _ids(sessions: Sequence[Session], *, width: int | None) -> list[str]:
    """Ids whole where there is room, else the shortest beginnings that tell those in the list apart."""
    ids = [inert(session.correlation_id) for session in sessions]
    if width is None:
        return ids
    for size in range(_SHORTEST_ID, 64, 4):
        if len({one[:size] for one in ids}) == len(set(ids)):
            return [one[:size] for one in ids]
    return ids


def _starts(sessions: Sequence[Session], now: datetime, *, is_wide: bool) -> list[Piece]:
    starts = [local_time(one.start_time) for one in sessions]
    if not is_wide:
        today = local_time(now)[:10]
        starts = [one[11:] if one.startswith(today) else one[5:16] for one in starts]
    return [Piece(one) for one in starts]


def _user(session: Session) -> str:
    label, user_id = session.user_label or "", session.user_id or ""
    return inert(label or user_id)


def _cut(text: str, width: int, glyphs: Glyphs) -> str:
    return cut(inert(text), width, ellipsis=glyphs.ellipsis)


def _unless_zero(number: int) -> str:
    return f"{number:,}" if number else ""


def _repeats(session: Session, glyphs: Glyphs) -> str:
    return f"{glyphs.times} {session.repeat_count:,}" if session.repeat_count > 1 else ""
