"""Durations, sizes and times as people write and read them on a command line."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_AMOUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ms|s|m|h|d|w)", re.ASCII)
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}

SINCE_FORM: Final = "a time such as 30m, 2h, 7d, 2026-11-23T10:00 or 2026-11-23T10:00Z"
DURATION_FORM: Final = "a duration such as 500ms, 2s or 1.5m"


def read_since(text: str, *, now: datetime) -> datetime:
    """Return the UTC time that *text* names: so long before *now*, or an ISO time (local unless it has an offset).

    Raises ValueError when it is neither.
    """
    seconds = _seconds(text)
    if seconds is not None:
        return now - timedelta(seconds=seconds)
    return datetime.fromisoformat(text.strip()).astimezone(UTC)


def read_duration_ms(text: str) -> float:
    """Return the milliseconds that *text* (`500ms`, `2s`) names. Raises ValueError when it names none."""
    seconds = _seconds(text)
    if seconds is None:
        raise ValueError(text)
    return seconds * 1000


def _seconds(text: str) -> float | None:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    amount = float(found[1]) * _UNIT_S[found[2]]
    return amount if amount <= 100 * 365 * 86_400 else None


def duration(milliseconds: float | None) -> str:
    """Return a duration in at most eight characters with two or three digits that matter: `40 µs`, `1.84 s`, `2m 03s`."""
    if milliseconds is None:
        return "…"
    if milliseconds < 0.9995:
        return f"{milliseconds * 1000:.0f} µs"
    if milliseconds < 9.995:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 59.995:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    hours = whole // 3600
    return f"{hours}h {whole % 3600 // 60:02d}m" if hours < 1000 else f"{hours // 24}d"


def local_time(moment: datetime) -> str:
    """Return *moment* in the machine's own time zone, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def zone_name(moment: datetime) -> str:
    """Return the name of the machine's time zone at *moment*."""
    return moment.astimezone().tzname() or "UTC"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 step`, `12,000 steps`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
