"""How values look in lists and on pages. Stored text reaches HTML through format_html alone, which escapes it."""

import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from e2edebug.cli.quantities import duration
from e2edebug_schema.tables import LAYERS

NOTHING: Final = "-"
_LONGEST: Final = 120
_LONGEST_JSON: Final = 200_000

_TONES: Final = {
    "completed": "good", "resolved": "good", "failed": "bad", "critical": "bad", "error": "bad", "firing": "bad",
    "regressed": "bad", "unresolved": "warn", "timeout": "warn", "warning": "warn", "pending": "warn",
    "flapping": "warn", "in_progress": "busy", "started": "busy", "no_data": "quiet", "ignored": "quiet",
    "skipped": "quiet", "debug": "quiet", "info": "quiet",
}  # fmt: skip


def badge(value: str | None) -> str | SafeString:
    """A status as a coloured word. A value that is none of ours has no colour, and its text is escaped."""
    if not value:
        return NOTHING
    return format_html('<span class="e2e-badge e2e-{}">{}</span>', _TONES.get(value, "quiet"), value.replace("_", " "))


def layer_chip(layer: str | None) -> str | SafeString:
    """A layer in its colour."""
    if not layer:
        return NOTHING
    return format_html('<span class="e2e-chip e2e-layer-{}">{}</span>', layer if layer in LAYERS else "other", layer)


def duration_text(milliseconds: float | None) -> str:
    """`40 µs`, `1.84 s`."""
    return NOTHING if milliseconds is None else duration(milliseconds)


def number(value: float | None, unit: str = "") -> str:
    """A number with its unit, in as many digits as matter."""
    if value is None:
        return NOTHING
    if unit == "ms":
        return duration(value)
    text = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def moment(value: datetime | None) -> str:
    """A time to the second, in the zone of the admin."""
    if value is None:
        return NOTHING
    aware = value if timezone.is_aware(value) else timezone.make_aware(value)
    return f"{timezone.localtime(aware):%Y-%m-%d %H:%M:%S}"


def age(value: datetime | None) -> str | SafeString:
    """How long ago, with the time itself on hovering."""
    if value is None:
        return NOTHING
    aware = value if timezone.is_aware(value) else timezone.make_aware(value)
    seconds = max((datetime.now(UTC) - aware).total_seconds(), 0)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return format_html('<span title="{}">{} {} ago</span>', moment(value), int(seconds // length), unit)
    return format_html('<span title="{}">{} s ago</span>', moment(value), int(seconds))


def cut(text: str | None, length: int = _LONGEST) -> str:
    """The beginning of a text for a list."""
    if not text:
        return NOTHING
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def preformatted(text: str | None) -> str | SafeString:
    """A text as it is, line by line: SQL, a stack trace."""
    return format_html('<pre class="e2e-text">{}</pre>', text) if text else NOTHING


def json_text(value: Any) -> str | SafeString:
    """A JSON document to read."""
    if value in (None, "", {}, []):
        return NOTHING
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return preformatted(text[:_LONGEST_JSON])


def workflow_link(correlation_id: str | None, text: str = "") -> str | SafeString:
    """A link to the page of a workflow; which row that is, is looked up when somebody follows it."""
    if not correlation_id:
        return NOTHING
    shown = text or (correlation_id if len(correlation_id) <= 13 else f"{correlation_id[:8]}…")
    return format_html(
        '<a class="e2e-id" href="{}?id={}" title="{}">{}</a>',
        reverse("admin:debugging_workflow_of"), _quoted(correlation_id), correlation_id, shown,
    )  # fmt: skip


def list_link(model_name: str, text: str, **parameters: str) -> SafeString:
    """A link to a list with filters."""
    query = "&".join(f"{name}={_quoted(value)}" for name, value in parameters.items())
    return format_html('<a href="{}?{}">{}</a>', reverse(f"admin:debugging_{model_name}_changelist"), query, text)


def page_link(model_name: str, row_id: int, text: str) -> SafeString:
    """A link to the page of a row."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:debugging_{model_name}_change", args=[row_id]), text)


def beside(*parts: Any) -> SafeString:
    """Parts in one line."""
    return format_html_join(" · ", "{}", ((part,) for part in parts))


def _quoted(text: str) -> str:
    return quote(text, safe="")
